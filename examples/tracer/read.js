// Reads the spans of a thread's block while their owner may be writing, or may have died in the middle of it.
// @ts-check

import * as layout from './layout.js';

/** How often a record is read again whose owner writes meanwhile. A dead owner's stays torn. */
const TRIES = 8;

/**
 * @typedef {object} Span
 * @property {number} sequence Counts the spans of the thread, from 0.
 * @property {string} name As it is kept: the beginning of a long one.
 * @property {number} nameHash 32-bit FNV-1a of the whole name.
 * @property {number} start Milliseconds since the epoch.
 * @property {number | undefined} duration Milliseconds; undefined while the span is open, or when its thread died in it.
 */

const scratch = layout.createScratch();
const decoder = new TextDecoder();

/**
 * The spans in a block, oldest first, and how many records were being written whenever they were looked at.
 * @param {Int32Array} view
 * @param {number} size Spans that a block holds.
 * @returns {{ spans: Span[], torn: number }}
 */
export function readSpans(view, size) {
  const spans = [];
  let torn = 0;
  const next = Atomics.load(view, layout.NEXT);
  for (let record = 0; record < size; record++) {
    const span = readRecord(view, layout.HEAD_WORDS + record * layout.RECORD_WORDS);
    if (span === 'torn') torn++;
    else if (span !== 'empty') spans.push(span);
  }
  // Numbers wrap, so they are ordered by their distance from the next; some may have been started while this read.
  const { NUMBERS } = layout;
  const place = (/** @type {Span} */ { sequence }) => (sequence - next + NUMBERS + (NUMBERS >> 1)) % NUMBERS;
  return { spans: spans.sort((a, b) => place(a) - place(b)), torn };
}

/**
 * @param {Int32Array} view
 * @param {number} at
 * @returns {Span | 'empty' | 'torn'}
 */
function readRecord(view, at) {
  const { words, floats, bytes } = scratch;
  for (let tries = 0; tries < TRIES; tries++) {
    const state = Atomics.load(view, at + layout.STATE);
    if (state === 0) return 'empty';
    if (layout.isBeingWritten(state)) continue;
    for (let k = 1; k < layout.RECORD_WORDS; k++) words[k] = Atomics.load(view, at + k);
    if (Atomics.load(view, at + layout.STATE) !== state) continue;
    const nameAt = layout.NAME * 4;
    const nameEnd = nameAt + /** @type {number} */ (words[layout.NAME_LENGTH]);
    return {
      sequence: layout.numberOf(state),
      name: decoder.decode(bytes.subarray(nameAt, nameEnd)),
      nameHash: /** @type {number} */ (words[layout.NAME_HASH]) >>> 0,
      start: /** @type {number} */ (floats[layout.START / 2]),
      duration: layout.isOpen(state) ? undefined : floats[layout.DURATION / 2],
    };
  }
  return 'torn';
}
