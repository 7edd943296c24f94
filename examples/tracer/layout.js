// The layout of a thread's spans: a head, then a ring of fixed-size records, in 32-bit words that are all written and read
// with Atomics, so that the order of the stores is the order every thread sees.
//
// The state word of span k's record is 4k + 1 while it is being written, 4k + 2 when it is open, 4k + 3 while its end is being
// written and 4k + 4 when it has ended. A reader takes a record whose state is even, and the same before and after.
// @ts-check

/** Words of the head; word 0 is the number of the next span. */
export const HEAD_WORDS = 2;
export const NEXT = 0;

/** Words of a record. */
export const RECORD_WORDS = 16;
export const STATE = 0;
export const NAME_HASH = 1;
/** 64-bit floats, ms. */
export const START = 2;
export const DURATION = 4;
/** The name as it is kept: its length in bytes, then as many bytes as there is room for. */
export const NAME_LENGTH = 6;
export const NAME = 7;

/** Spans are numbered modulo this: four states of each fit into 32 bits, and none of them is 0, which means empty. */
export const NUMBERS = 2 ** 30 - 1;

export const WRITING = 1;
export const OPEN = 2;
export const ENDING = 3;
export const ENDED = 4;

/**
 * @param {number} number The span's.
 * @param {number} step WRITING, OPEN, ENDING or ENDED.
 */
export const stateOf = (number, step) => (4 * number + step) | 0;

/** @param {number} state Not 0. */
export const numberOf = (state) => (state - 1) >>> 2;

/** @param {number} state */
export const isBeingWritten = (state) => (state & 1) === 1;

/** @param {number} state Not 0. */
export const isOpen = (state) => (state & 3) === OPEN;

/** One record, to be filled or read in the thread's own memory. */
export function createScratch() {
  const words = new Int32Array(RECORD_WORDS);
  return { words, floats: new Float64Array(words.buffer), bytes: new Uint8Array(words.buffer) };
}

/**
 * FNV-1a, 32 bits: tells names apart that are kept in part.
 * @param {Uint8Array} bytes
 */
export function hashOf(bytes) {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
