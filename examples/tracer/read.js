// Puts the records of a ring together to the spans they tell of.
// @ts-check

import { readNote } from './layout.js';

/**
 * @typedef {object} Span
 * @property {number} sequence Counts the spans of the thread's tracer, from 0.
 * @property {string} name As it is kept: the beginning of a long one.
 * @property {number} nameHash 32-bit FNV-1a of the whole name.
 * @property {number} start Milliseconds since the epoch.
 * @property {number | undefined} duration Milliseconds; undefined while the span is open, or when its thread died in it.
 */

/**
 * What the ring of one slot holds of one claim: of a dead thread, until later owners of the slot have written over it.
 * @typedef {{ slot: number, generation: number, spans: Span[] }} ThreadSpans
 */

/**
 * The last spans of each thread, oldest first. An end whose start was overwritten tells nothing, and is left out.
 * @param {readonly import('coexist/percpu').RingRecord[]} records
 * @param {number} size Of each thread, at most so many.
 * @returns {ThreadSpans[]}
 */
export function threadsOf(records, size) {
  /** @type {Map<string, ThreadSpans>} */
  const threads = new Map();
  /** @type {Map<string, Span>} */
  const open = new Map();
  for (const { slot, generation, bytes } of records) {
    const { tracer, number, time, start } = readNote(bytes);
    const owner = `${slot}.${generation}`;
    const key = `${owner}.${tracer}.${number}`;
    if (start === undefined) {
      const span = open.get(key);
      if (span !== undefined) span.duration = time;
      continue;
    }
    const span = { sequence: number, ...start, start: time, duration: undefined };
    open.set(key, span);
    const thread = threads.get(owner) ?? { slot, generation, spans: [] };
    thread.spans.push(span);
    threads.set(owner, thread);
  }
  return [...threads.values()].map((thread) => ({ ...thread, spans: thread.spans.slice(-size) }));
}
