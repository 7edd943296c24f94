// Counting references to a singleton behind one interface with two implementations: one wasm call each, or the JavaScript twin
// where the memory is no wasm memory or wasm is off.

import type { Views } from '../abi/views.js';
import { host } from '../host/host.js';
import { assembler } from './instantiate.js';
import base64 from './singleton.wat';
import { createSingletonTwin } from './singleton-twin.js';

/** `at` is the byte offset of a singleton, `row` that of the thread's own row. */
export interface SingletonSteps {
  /**
   * Clause 68: the live word that the row now holds one more reference of. 0: none was counted. -1: one was, before the state was
   * seen to be another. hot: one wasm call
   */
  get(at: number, row: number): number;
  /** The first row from `from` on that counts for a live word, or is a loan that does; -1 if there is none. Asks nobody's death. */
  next_counted(at: number, word: number, from: number): number;
}

let bytes: Uint8Array | undefined;

export function singletonStepsOn(views: Views, useWasm: boolean): SingletonSteps {
  if (!useWasm || views.memory === undefined) return createSingletonTwin(views);
  try {
    bytes ??= host.decodeBase64(base64);
    return assembler.instantiate('singleton', bytes, views.memory) as unknown as SingletonSteps;
  } catch {
    // The realm refuses to compile; the twin does the same.
    return createSingletonTwin(views);
  }
}
