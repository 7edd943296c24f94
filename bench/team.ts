// Threads that are started once and do, round by round, the work that is posted: from the opening of their gates to the end of the
// last is one sample.

import { Worker } from 'node:worker_threads';
import { interleave, type Rounds } from './kit.js';

/** Words of `control`. Thread i's gate is WORDS_PER_GATE * (i + 1) words behind GATE: a cache line for each. */
export const DONE = 0;
export const WORK = 1;
export const GATE = 2;
export const WORDS_PER_GATE = 32;

const ANSWER_MS = 60_000;

/** What a thread of a team is given, with what its topic adds. */
export interface Member {
  readonly control: Int32Array;
  /** From 0. */
  readonly index: number;
}

/** One kind of work: its number, and how many operations each thread does of it. */
export interface Work {
  readonly work: number;
  readonly ops: number;
}

/** The time of one operation of each kind, by round, with so many threads at it; per thread, not in all. */
export async function team<Name extends string>(
  count: number,
  file: string,
  data: object,
  works: Readonly<Record<Name, Work>>,
): Promise<Rounds<Name>> {
  const control = new Int32Array(new SharedArrayBuffer(4 * WORDS_PER_GATE * (count + 1)));
  const workers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const workerData: Member = { ...data, control, index };
      const worker = new Worker(new URL(file, import.meta.url), { workerData });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      return worker;
    }),
  );
  const run = (work: number) => () => {
    Atomics.store(control, DONE, 0);
    Atomics.store(control, WORK, work);
    const started = performance.now();
    for (let index = 1; index <= count; index++) {
      Atomics.add(control, GATE + index * WORDS_PER_GATE, 1);
      Atomics.notify(control, GATE + index * WORDS_PER_GATE);
    }
    for (let done = 0; done < count; done = Atomics.load(control, DONE)) {
      if (Atomics.wait(control, DONE, done, ANSWER_MS) === 'timed-out') throw new Error('a thread did not finish');
    }
    return { overriddenDuration: performance.now() - started };
  };
  const variants = Object.fromEntries(
    (Object.entries(works) as [Name, Work][]).map(([name, { work, ops }]) => [name, { ops, sample: run(work) }]),
  ) as Record<Name, { ops: number; sample: () => { overriddenDuration: number } }>;
  const times = await interleave(variants, { samples: 3, counts: 'median' });
  await Promise.all(workers.map((worker) => worker.terminate()));
  return times;
}

/** The thread's side: does the posted work, for ever. */
export function serve({ control, index }: Member, works: Readonly<Record<number, () => void>>): never {
  const gate = GATE + (index + 1) * WORDS_PER_GATE;
  for (let opened = 0; ; opened++) {
    Atomics.wait(control, gate, opened);
    works[Atomics.load(control, WORK)]?.();
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
}
