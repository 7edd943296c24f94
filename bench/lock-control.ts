// The words by which a contest is run: one gate for all, what to do, when to stop, and what each thread has done.

import type { Shared } from './lock-works.js';

export interface ThreadData {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly shared: Shared;
  /** From 0. */
  readonly index: number;
}

/** Each on a cache line of its own, since threads look at them while others write. */
const LINE = 32;
export const GATE = 0;
/** Index into WORKS. */
export const WORK = LINE;
export const STOP = 2 * LINE;
export const DONE = 3 * LINE;
/** How many turns a thread took. */
export const turnsAt = (index: number): number => (4 + index) * LINE;
export const wordsFor = (threads: number): number => turnsAt(threads);
