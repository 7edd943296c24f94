// tracer: the last spans of every thread, in a ring in the thread's own block that overwrites the oldest. The owner writes a record when
// a span starts and one when it ends, without asking anybody; any thread looks at all rings, also at those of threads that were
// terminated: an open span tells what such a thread was doing.
// @ts-check

import { Ring } from 'coexist/percpu';
import { capacityFor, createMaker } from './layout.js';
import { threadsOf } from './read.js';

/** @typedef {import('./read.js').Span} Span */
/** @typedef {import('./read.js').ThreadSpans} ThreadSpans */

/**
 * @typedef {object} Tracer
 * @property {number} slot This thread's slot.
 * @property {(name: string) => { end(): void }} start Opens a span in this thread.
 * @property {() => ThreadSpans[]} threads The spans of each thread, oldest first; by slot, former owners before the present one.
 * @property {(count: number) => (Span & { slot: number, generation: number })[]} last The latest spans of all threads, by start, latest first.
 * @property {() => void} dispose This thread traces no more; reading goes on to work.
 */

/** Performance clocks of threads have different origins; with them added, they agree. */
const epochMs = () => performance.timeOrigin + performance.now();

/**
 * The tracer of this name in this thread. Every thread asks for about the same size: where the sizes need other rings, COEXIST_EKIND.
 * @param {{ name?: string, size?: number, now?: () => number }} [options] size: spans kept per thread. now: the clock, ms.
 * @returns {Tracer}
 */
export function createTracer({ name = 'spans', size = 48, now = epochMs } = {}) {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`size is ${size}, expected a positive integer`);
  const ring = new Ring(`tracer/${name}`, { capacity: capacityFor(size), policy: 'overwrite', holder: 'tracer' });
  const make = createMaker(Math.floor(Math.random() * 2 ** 32));
  let next = 0;

  /** @type {Tracer['start']} */
  const start = (title) => {
    const number = next++;
    const started = now();
    ring.write(make.start(number, started, title));
    let ended = false;
    return {
      end() {
        // One that is no longer among the last ends without a trace: its start may be overwritten by now.
        if (ended || next - number > size) return;
        ended = true;
        ring.write(make.end(number, now() - started));
      },
    };
  };

  /** @type {Tracer['threads']} */
  const threads = () => threadsOf(ring.peek(), size);

  /** @type {Tracer['last']} */
  const last = (count) =>
    threads()
      .flatMap(({ slot, generation, spans }) => spans.map((span) => ({ slot, generation, ...span })))
      .sort((a, b) => b.start - a.start)
      .slice(0, count);

  return { slot: ring.slot, start, threads, last, dispose: () => ring.dispose() };
}
