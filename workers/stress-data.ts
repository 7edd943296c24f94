// Stress topics counter, percpu, pool, singleton, call and module: threads work on what they share while they die in every way there is and are
// replaced. About once a second all of them keep still between two operations, and everything is counted.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { attach } from 'coexist';
import type { StressArguments } from './stress-arguments.js';
import { makeCopies } from './stress-copies.js';
import { createBooks } from './stress-data-books.js';
import { createDataLedger } from './stress-data-ledger.js';
import type { Census, Library } from './stress-data-topic.js';
import { TOPICS } from './stress-data-topics.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import { plantInCopies } from './stress-lock-faults.js';
import { createRandom, deriveSeed } from './stress-random.js';
import { createRun, provesDeath, type Subject } from './stress-run.js';
import { createThreads } from './stress-threads.js';

/** Threads that a run can start. */
const MOST_THREADS = 20_000;
/** Where all are taken, a thread that starts has to free a dead one's; one is the supervisor's. */
const SLOTS_PER_THREAD = 2;
const CENSUS_MS = 1000;
const LOOK_MS = 1;
/** Apart from those of threads. */
const JUDGE = -1;

/** @returns the exit code */
export async function stressData(given: StressArguments): Promise<number> {
  const { topic, threads: wanted, seed, bound } = given;
  if (!provesDeath()) return 1;
  process.env['COEXIST_SLOTS'] = String(SLOTS_PER_THREAD * wanted + 1);
  const area = attach();
  const run = createRun(given);
  const ledger = createDataLedger(MOST_THREADS);
  const copies = makeCopies();
  plantInCopies(process.env[FAULT_VARIABLE], copies);
  const api = (await import(`${copies[0]}/core.js`)) as Library;
  const threads = createThreads({
    seed,
    random: createRandom(seed),
    most: MOST_THREADS,
    file: 'stress-data-thread.js',
    dataOf: () => ({ topic, bound, ledger: ledger.shape, copies }),
    ledger: {
      order: (me, death) => ledger.set(me, 'command', death),
      leaving: (me) => ledger.get(me, 'leaving') === 1,
      stopped: ledger.stopped,
      begun: (me) => ledger.get(me, 'begun') === 1,
    },
    violate: run.violate,
  });
  const books = createBooks(ledger, () => threads.started, run.violate);
  const random = createRandom(deriveSeed(seed, JUDGE));
  const judge = TOPICS[topic]!.judge({ random, ledger, api, area, books, bound, violate: run.violate });
  let heard = 0;
  let counted = performance.now();
  let pauses = 0;
  let known = 0;
  const subject: Subject = {
    threads,
    seats: 0,
    operations() {
      let sum = 0;
      for (let me = 0; me < threads.started; me++) sum += ledger.number(me, 'operations');
      return sum;
    },
    hear() {
      for (const text of ledger.complaints(heard)) {
        heard++;
        run.violate('seen by a thread', text);
      }
    },
    async meanwhile() {
      if (performance.now() - counted < CENSUS_MS) judge.tick?.();
      else {
        await census();
        counted = performance.now();
      }
    },
  };

  await run.keepAlive(subject);
  ledger.stop();
  await run.ended(subject, 'unseated');
  await run.terminate(subject);
  subject.hear();
  if (run.clean()) await count();
  if (run.clean()) await judge.settle?.();
  const { text, more } = judge.said();
  return run.end(
    subject,
    { censuses: pauses, ...more },
    `${subject.operations()} operations, ${pauses} censuses, ${text}`,
  );

  async function census(): Promise<void> {
    ledger.setPause(++pauses);
    const begun = performance.now();
    for (let busy = moving(); busy.length > 0; busy = moving()) {
      if (performance.now() - begun > bound * 1000) {
        run.violate('no progress', `threads ${busy.join(', ')} have been in one operation for ${bound} s`);
        break;
      }
      await sleep(LOOK_MS);
    }
    subject.hear();
    if (run.clean()) await count();
    ledger.setPause(0);
  }

  /** Threads that may be in an operation. */
  function moving(): number[] {
    return [...threads.live()]
      .map(({ me }) => me)
      .filter(
        (me) => ledger.get(me, 'begun') === 1 && ledger.get(me, 'parked') !== pauses && ledger.get(me, 'leaving') === 0,
      );
  }

  async function count(): Promise<void> {
    const living = [...threads.live()].map(({ me }) => me);
    const taken: Census = {
      live: living.filter((me) => ledger.get(me, 'leaving') === 0),
      leaving: living.filter((me) => ledger.get(me, 'leaving') === 1),
      gone: threads.ended.slice(known),
    };
    known = threads.ended.length;
    books.turnTo(taken.gone);
    await judge.census(taken);
  }
}
