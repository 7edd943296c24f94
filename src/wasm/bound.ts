// Steps that act for one thread: a wasm module that has been told whose, or its twin where the memory is no wasm memory, or the
// realm refuses to compile.

import type { SharedMemory } from '../abi/views.js';
import { host } from '../host/host.js';
import { assembler, type ModuleName } from './instantiate.js';

/** An identity as two 32-bit halves. */
export interface Halves {
  readonly low: number;
  readonly high: number;
}

const decoded = new Map<ModuleName, Uint8Array>();

/** The exports of a module on this memory, told whose they are by `become`; the twin where they are not to be had. */
export function boundSteps<Steps>(
  name: ModuleName,
  base64: string,
  memory: SharedMemory | undefined,
  become: readonly number[],
  twin: () => Steps,
  more?: object,
): Steps {
  if (memory === undefined) return twin();
  try {
    let bytes = decoded.get(name);
    if (bytes === undefined) {
      bytes = host.decodeBase64(base64);
      decoded.set(name, bytes);
    }
    const steps = assembler.instantiate(name, bytes, memory, more) as Steps & {
      become(...given: readonly number[]): void;
    };
    steps.become(...become);
    return steps;
  } catch {
    return twin();
  }
}
