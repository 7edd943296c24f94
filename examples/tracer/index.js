// tracer: the last spans of every thread, in a ring of fixed-size records in the thread's own block. The owner writes
// without asking anybody; any thread reads all rings, also those of threads that were terminated: an open span tells what
// such a thread was doing. layout.js says how a reader knows a whole record from a torn one.
// @ts-check

import { PerThread } from 'coexist/percpu';
import * as layout from './layout.js';
import { readSpans } from './read.js';

/** @typedef {import('./read.js').Span} Span */

/**
 * What one thread's ring holds; of a dead thread, until its slot has another owner.
 * @typedef {{ slot: number, generation: number, spans: Span[], torn: number }} ThreadSpans
 */

/**
 * @typedef {object} Tracer
 * @property {number} slot This thread's slot.
 * @property {(name: string) => { end(): void }} start Opens a span in this thread.
 * @property {() => ThreadSpans[]} threads The spans of each thread, oldest first.
 * @property {(count: number) => (Span & { slot: number, generation: number })[]} last The latest spans of all threads, by start, latest first.
 * @property {() => void} dispose This thread traces no more; reading goes on to work.
 */

const VERSION = 1;
const TRIES = 8;

/** Performance clocks of threads have different origins; with them added, they agree. */
const epochMs = () => performance.timeOrigin + performance.now();

/**
 * The tracer of this name in this thread. Every thread asks for the same size, or gets COEXIST_EKIND.
 * @param {{ name?: string, size?: number, now?: () => number }} [options] size: spans kept per thread. now: the clock, ms.
 * @returns {Tracer}
 */
export function createTracer({ name = 'spans', size = 64, now = epochMs } = {}) {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`size is ${size}, expected a positive integer`);
  const length = layout.HEAD_WORDS + size * layout.RECORD_WORDS;
  const options = /** @type {const} */ ({ type: 'i32', length, version: VERSION, fresh: true, holder: 'tracer' });
  const blocks = new PerThread(`tracer/${name}`, options);
  const { words, floats, bytes } = layout.createScratch();
  const encoder = new TextEncoder();

  /** @type {Tracer['start']} */
  const start = (title) => {
    const { own } = blocks;
    const number = Atomics.load(own, layout.NEXT);
    const at = layout.HEAD_WORDS + (number % size) * layout.RECORD_WORDS;
    const whole = encoder.encode(title);
    const started = now();
    words.fill(0);
    words[layout.NAME_HASH] = layout.hashOf(whole);
    floats[layout.START / 2] = started;
    words[layout.NAME_LENGTH] = encoder.encodeInto(title, bytes.subarray(layout.NAME * 4)).written;

    Atomics.store(own, at + layout.STATE, layout.stateOf(number, layout.WRITING));
    for (let k = 1; k < layout.RECORD_WORDS; k++) Atomics.store(own, at + k, /** @type {number} */ (words[k]));
    Atomics.store(own, at + layout.STATE, layout.stateOf(number, layout.OPEN));
    Atomics.store(own, layout.NEXT, (number + 1) % layout.NUMBERS);
    return { end: () => end(number, at, started) };
  };

  /** @type {(number: number, at: number, started: number) => void} */
  const end = (number, at, started) => {
    const { own } = blocks;
    // Ended already, or overwritten by a later span.
    if (Atomics.load(own, at + layout.STATE) !== layout.stateOf(number, layout.OPEN)) return;
    floats[layout.DURATION / 2] = now() - started;
    Atomics.store(own, at + layout.STATE, layout.stateOf(number, layout.ENDING));
    for (const k of [layout.DURATION, layout.DURATION + 1]) {
      Atomics.store(own, at + k, /** @type {number} */ (words[k]));
    }
    Atomics.store(own, at + layout.STATE, layout.stateOf(number, layout.ENDED));
  };

  /** @type {Tracer['threads']} */
  const threads = () => {
    const rows = [];
    for (const { slot } of blocks.blocks()) {
      const row = readThread(blocks, slot, size);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  };

  /** @type {Tracer['last']} */
  const last = (count) =>
    threads()
      .flatMap(({ slot, generation, spans }) => spans.map((span) => ({ slot, generation, ...span })))
      .sort((a, b) => b.start - a.start)
      .slice(0, count);

  return { slot: blocks.slot, start, threads, last, dispose: () => blocks.dispose() };
}

/**
 * @param {PerThread<'i32'>} blocks
 * @param {number} slot
 * @param {number} size
 * @returns {ThreadSpans | undefined}
 */
function readThread(blocks, slot, size) {
  for (let tries = 0; tries < TRIES; tries++) {
    const block = blocks.at(slot);
    if (block === undefined || block.generation === 0) return undefined;
    const read = readSpans(block.view, size);
    // The slot may have changed hands meanwhile, and its ring been cleared.
    if (blocks.at(slot)?.generation === block.generation) return { slot, generation: block.generation, ...read };
  }
  return undefined;
}
