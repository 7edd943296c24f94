// Stress topic ring: writers offer records that say whose they are, drainers take them out and look, while both die in every way there is
// and are replaced. In the end each record was delivered whole, once and in order, or is known to be dropped.

import process from 'node:process';
import { attach } from 'coexist';
import { Ring } from 'coexist/percpu';
import type { StressArguments } from './stress-arguments.js';
import { makeCopies } from './stress-copies.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import { plantInCopies } from './stress-lock-faults.js';
import { createRandom } from './stress-random.js';
import { createRingLedger } from './stress-ring-ledger.js';
import { inspectBatch, RING_NAME } from './stress-ring-records.js';
import { type Books, createVerdict } from './stress-ring-verdict.js';
import { createRun, provesDeath, type Subject } from './stress-run.js';
import { createThreads } from './stress-threads.js';

const CAPACITY = 4096;
const DRAINERS = 2;
/** Threads that a run can start. */
const MOST_THREADS = 20_000;
/** Where all are taken, a thread that starts has to free a dead one's. */
const SLOTS_PER_THREAD = 2;
const END_MS = 60_000;

/** @returns the exit code */
export async function stressRing(given: StressArguments): Promise<number> {
  const { threads: wanted, seed } = given;
  if (!provesDeath()) return 1;
  process.env['COEXIST_SLOTS'] = String(SLOTS_PER_THREAD * (wanted + DRAINERS));
  const area = attach();
  const run = createRun(given);
  const ledger = createRingLedger(MOST_THREADS, DRAINERS);
  const copies = makeCopies();
  plantInCopies(process.env[FAULT_VARIABLE], copies);
  const threads = createThreads({
    seed,
    random: createRandom(seed),
    most: MOST_THREADS,
    file: 'stress-ring-thread.js',
    dataOf: () => ({ ledger: ledger.shape, copies, capacity: CAPACITY, overwrites: threads.unseated.length % 2 === 0 }),
    ledger: {
      order: ledger.order,
      leaving: (me) => ledger.get(me, 'leaving') === 1,
      stopped: (seat) => ledger.stopped(seat === undefined ? 'stopWriters' : 'stopDrainers'),
      begun: () => true,
    },
    violate: run.violate,
  });
  const verdict = createVerdict(run.violate);
  const reader = Ring.reader(RING_NAME, { capacity: CAPACITY });
  const subject: Subject = {
    threads,
    seats: DRAINERS,
    operations: () => verdict.total,
    hear() {
      for (let seat = 0; seat < DRAINERS; seat++) ledger.read(seat, verdict.take);
    },
  };

  await run.keepAlive(subject);
  ledger.stop('stopWriters');
  await run.ended(subject, 'unseated');
  ledger.stop('stopDrainers');
  await run.ended(subject, 'seated');
  await run.terminate(subject);
  subject.hear();
  const books = run.clean() ? close() : undefined;
  const { unseated, seatedDeaths } = threads;
  const text = [
    `${verdict.total} records seen (${Math.round((verdict.total / run.elapsed()) * 60)} a minute)`,
    ...(books === undefined
      ? []
      : [
          `${books.attempted} attempted, ${books.delivered} delivered, ${books.dropped} dropped`,
          `of those perhaps ${books.open} cut with their writers, ${books.unseen} lost with drainers`,
        ]),
    `${unseated.length} writers, ${seatedDeaths} deaths of drainers`,
  ];
  return run.end(subject, { writers: unseated.length, drainerDeaths: seatedDeaths, books }, text.join(', '));

  function close(): Books {
    area.reclaim();
    // What a drainer left behind that died last; by slot, since a batch is of one ring.
    for (let slot = 0; slot < area.geometry.slotCapacity; slot++) {
      inspectBatch(reader.take({ slot, timeout: END_MS }), verdict.take);
    }
    const writers = { all: threads.unseated, doomed: threads.doomed };
    return verdict.close(ledger, writers, reader.stats(), threads.seatedDeaths, CAPACITY / 16);
  }
}
