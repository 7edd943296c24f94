// Threads that contend for a lock, for a fixed time in each sample, started together at a gate. The result is the time of one
// turn over all threads, and how many turns the luckiest and the unluckiest of them had.

import { Worker } from 'node:worker_threads';
import { attach } from 'coexist';
import { type Bar, type Group, interleave, type Row, row, type Timed } from './kit.js';
import { DONE, GATE, STOP, type ThreadData, turnsAt, WORK, wordsFor } from './lock-control.js';
import { COUNTED, createShared, type Shared, WORDS_PER_CELL, WORKS, type WorkName } from './lock-works.js';

const SAMPLE_MS = 60;
const ANSWER_MS = 60_000;
/** Turns that the time of a sample is given for. */
const TURNS = 1_000_000;
const OPTIONS = { rounds: 9, samples: 3, warmup: 2, counts: 'median' } as const;

export interface Bars {
  /** The peer's time over ours. */
  readonly time: Bar;
  /** Turns of the luckiest thread over those of the unluckiest, ours. */
  readonly fairness?: Bar;
}

/** Samples in which turns are added up for the fairness. */
const WINDOW = 4;

interface Threads {
  sample(work: WorkName): Timed;
  /** For each sample of this work: the turns of each thread. */
  readonly turns: Map<WorkName, (readonly number[])[]>;
  end(): Promise<unknown>;
}

/** A group of two variants: `own <name>` and `peer <name>`. */
export function contest(count: number, name: string, what: string, bars: Bars): Group {
  return async () => {
    const threads = await startThreads(count);
    const [own, peer] = [`own ${name}`, `peer ${name}`] as [WorkName, WorkName];
    const times = await interleave(
      {
        own: { ops: TURNS, sample: () => threads.sample(own) },
        peer: { ops: TURNS, sample: () => threads.sample(peer) },
      },
      OPTIONS,
    );
    await threads.end();
    const rows: Row[] = [row(`multithreading against ${what}, ${count} threads`, times.peer, times.own, bars.time)];
    if (bars.fairness !== undefined) {
      const windows = windowsOf(threads.turns.get(own) ?? []);
      const most = windows.map((turns) => Math.max(...turns));
      const least = windows.map((turns) => Math.max(1, Math.min(...turns)));
      rows.push(row(`${what}, ${count} threads: most turns against fewest`, most, least, bars.fairness));
    }
    return rows;
  };
}

/** Turns of each thread in windows of several samples: one sample is hardly longer than a time slice of the kernel. */
function windowsOf(samples: readonly (readonly number[])[]): number[][] {
  const windows: number[][] = [];
  for (let k = 0; k + WINDOW <= samples.length; k += WINDOW) {
    const [first = [], ...others] = samples.slice(k, k + WINDOW);
    windows.push(first.map((turns, thread) => others.reduce((sum, turn) => sum + (turn[thread] as number), turns)));
  }
  return windows;
}

async function startThreads(count: number): Promise<Threads> {
  attach();
  const control = new Int32Array(new SharedArrayBuffer(4 * wordsFor(count)));
  const shared = createShared();
  const workers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const workerData: ThreadData = { control, shared, index };
      const worker = new Worker(new URL('./lock-thread.js', import.meta.url), { workerData });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      return worker;
    }),
  );
  const taken: Threads['turns'] = new Map();
  return {
    turns: taken,
    sample(work) {
      const before = cellOf(shared, work);
      const elapsed = run(control, count, WORKS.indexOf(work));
      const turns = Array.from({ length: count }, (_, index) => Atomics.load(control, turnsAt(index)));
      const all = turns.reduce((sum, n) => sum + n, 0);
      const counted = (cellOf(shared, work) - before) | 0;
      if (COUNTED.has(work) && counted !== all) throw new Error(`${work}: ${all} turns, but ${counted} counted`);
      taken.set(work, [...(taken.get(work) ?? []), turns]);
      return { overriddenDuration: (elapsed / all) * TURNS };
    },
    end: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}

const cellOf = ({ cells }: Shared, work: WorkName): number =>
  Atomics.load(cells, WORDS_PER_CELL * (WORKS.indexOf(work) + 1));

/** One sample; the ms that it took. */
function run(control: Int32Array<SharedArrayBuffer>, count: number, work: number): number {
  Atomics.store(control, STOP, 0);
  Atomics.store(control, DONE, 0);
  Atomics.store(control, WORK, work);
  Atomics.add(control, GATE, 1);
  const started = performance.now();
  Atomics.notify(control, GATE);
  Atomics.wait(control, DONE, 0, SAMPLE_MS);
  Atomics.store(control, STOP, 1);
  for (let done = Atomics.load(control, DONE); done < count; done = Atomics.load(control, DONE)) {
    if (Atomics.wait(control, DONE, done, ANSWER_MS) === 'timed-out') throw new Error('a thread did not stop');
  }
  return performance.now() - started;
}
