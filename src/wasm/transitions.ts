// The transitions of docs/ABI.md behind one interface, with two implementations: one wasm call each, or the JavaScript twin
// where wasm is off. Every prefix of either is repairable; the wasm is faster, and its counting cannot be interrupted.

import type { Views } from '../abi/views.js';
import { host } from '../host/host.js';
import { assembler } from './instantiate.js';
import base64 from './transitions.wat';
import { createTwin } from './twin.js';

/**
 * `at` is the byte offset of a slot or entry, `i` its index. Identities travel as two 32-bit halves: a BigInt argument
 * would be allocated.
 */
export interface Transitions {
  /** Clauses 23 to 25: claims a slot, looking for leftovers first if `leftovers` is not 0. Its index, or -1: all taken. */
  claim(low: number, high: number, threadId: number, leftovers: number): number;
  /** Clause 27, 29: publishes a claimed slot as registered with this count. 0: it was registered meanwhile. */
  first(at: number, cpu: number, count: number): number;
  /** Counts one up; 0 at the maximum, unchanged. hot: one wasm call */
  up(at: number): number;
  /** Counts one down; 0, unchanged, where the count is 1 or 0. hot: one wasm call */
  down(at: number): number;
  /** Clause 28, refcount 1: unregisters and frees. The twin voids `anchor[0]` before it frees. */
  last(at: number, i: number, low: number, high: number, anchor: Int32Array): void;
  /** Clause 30: CAS of exactly this owner word to 0, then lowers the hint. 0: it was another. */
  release(at: number, i: number, low: number, high: number): number;
  /** Clause 24: frees what a dead thread of this identity left. */
  drop_leftovers(low: number, high: number): void;
  /** Clause 34. See `EntryRequest` for the parameters. */
  create_entry(
    at: number,
    wasLow: number,
    wasHigh: number,
    low: number,
    high: number,
    kind: number,
    version: number,
    size: number,
    flags: number,
    used: number,
    base: number,
    limit: number,
    length: number,
    ...name: number[]
  ): number;
  /** Clause 39: the 64-bit words at this offset of all blocks below high water, added up. */
  sum(offset: number): bigint;
}

export const ENTRY_LOST = 0;
export const ENTRY_DONE = 1;
export const ENTRY_NO_ROOM = 2;

// Decoded at import, so that a worker that attaches need not.
const bytes = host.decodeBase64(base64);

/** The transitions on this memory: wasm where the memory is a wasm memory and wasm is allowed, the twin elsewhere. */
export function transitionsOn(views: Views, useWasm: boolean): Transitions {
  if (!useWasm || views.memory === undefined) return createTwin(views);
  try {
    return assembler.instantiate('transitions', bytes, views.memory) as unknown as Transitions;
  } catch {
    // A realm may have WebAssembly and yet refuse to compile; the twin does the same.
    return createTwin(views);
  }
}
