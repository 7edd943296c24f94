// The hot steps of a call behind one interface, with two implementations: one wasm call each, or the JavaScript twin where the
// memory is no wasm memory or wasm is off. Both act for one thread, whose identity they are made with.

import type { Views } from '../abi/views.js';
import { boundSteps, type Halves } from './bound.js';
import base64 from './call.wat';
import { createCallTwin } from './call-twin.js';

/** `at` is the byte offset of a channel, `cell` that of a cell, `bell` that of a bell; `k` is the number of a cell. */
export interface CallSteps {
  /** Clause 61: wakes whoever sleeps on this bell. */
  ring(bell: number): void;
  /**
   * Clause 64: the first free cell from number `hint` on, now this thread's, its ticket moved on; `CLAIM_NONE`, or `CLAIM_OVER` where
   * the epoch is another one or nobody serves. hot: one wasm call
   */
  claim(at: number, cells: number, bytes: number, hint: number, epoch: number): number;
  /** Clause 65: passes the cell on to the server. 0 where nobody serves that epoch any more. hot: one wasm call */
  post(
    at: number,
    cell: number,
    k: number,
    epoch: number,
    method: number,
    slot: number,
    port: number,
    bell: number,
  ): number;
  /** Looks at a cell's state word, at byte offset `at`, while it is `request` or the same as TAKEN; how many looks were left. */
  spin(at: number, request: number, times: number): number;
  /** Clause 64: the caller leaves the cell. hot: one wasm call */
  free(at: number, cell: number): void;
  /** Wakes who waits for a cell. */
  freed(at: number): void;
  /** Clause 65: takes the bits of the cells that the server has to look at. */
  ready(at: number): number;
  spin_ready(at: number, times: number): number;
  /** Clause 65: takes a request of this epoch; the state word then, or 0 where there is none. hot: one wasm call */
  take(cell: number, epoch: number): number;
  /** Clause 65: leaves TAKEN, and rings the caller. A `LEFT_` value. hot: one wasm call */
  leave(cell: number, taken: number, phase: number): number;
}

export const CLAIM_NONE = -1;
export const CLAIM_OVER = -2;

/** The call is not there any more; nothing changed. */
export const LEFT_NOTHING = 0;
export const LEFT_RUNG = 1;
/** The caller has given up; the cell is to be freed. */
export const LEFT_GIVEN_UP = 2;

/** The steps on this memory, for the thread of this identity. `bells` is the bell of slot 0, `stride` the distance to the next. */
export function callStepsOn(
  views: Views,
  useWasm: boolean,
  { low, high }: Halves,
  bells: number,
  stride: number,
): CallSteps {
  const memory = useWasm ? views.memory : undefined;
  return boundSteps('call', base64, memory, [low, high, bells, stride], () =>
    createCallTwin(views, { low, high }, bells, stride),
  );
}
