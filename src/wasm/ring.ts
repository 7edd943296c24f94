// What a ring's writer does, behind one interface with two implementations: one wasm call each, or the JavaScript twin where the
// memory is no wasm memory or wasm is off.

import type { Views } from '../abi/views.js';
import { host } from '../host/host.js';
import { assembler } from './instantiate.js';
import base64 from './ring.wat';
import { createRingTwin } from './ring-twin.js';

/** `at` is the byte offset of a ring. Positions are doubles, exact below 2^57. */
export interface RingSteps {
  head(at: number): number;
  /** Owner only: moves head past the oldest records until so many bytes fit; the new head. */
  make_room(at: number, capacity: number, need: number): number;
  /**
   * Owner only: counts the attempt, and publishes the record whose bytes lie behind `record`; tail moves by `bytes`. hot: one wasm
   * call
   */
  commit(at: number, record: number, length: number, generation: number, bytes: number): void;
  /** Owner only: counts an attempt that found no room. hot: one wasm call */
  drop(at: number): void;
  /** The first of the rings `from` to `end` that holds something, or -1; ring k lies `k * stride` bytes behind `at`. */
  next_pending(at: number, stride: number, from: number, end: number): number;
}

let bytes: Uint8Array | undefined;

export function ringStepsOn(views: Views, useWasm: boolean): RingSteps {
  // The owner-only stores of the wasm are plain ones.
  if (!useWasm || views.memory === undefined || !host.storesWhole64) return createRingTwin(views);
  try {
    bytes ??= host.decodeBase64(base64);
    return assembler.instantiate('ring', bytes, views.memory) as unknown as RingSteps;
  } catch {
    // The realm refuses to compile; the twin does the same.
    return createRingTwin(views);
  }
}
