// Stress topic ring: writers offer records that say whose they are, drainers take them out and look, while both die in every way there is
// and are replaced. In the end each record was delivered whole, once and in order, or is known to be dropped.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { attach, probe } from 'coexist';
import { Ring } from 'coexist/percpu';
import type { StressArguments } from './stress-arguments.js';
import { makeCopies } from './stress-copies.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import { plantInCopies } from './stress-lock-faults.js';
import { createLockReport, type LockProgress } from './stress-lock-report.js';
import { createRandom } from './stress-random.js';
import { createRingFleet } from './stress-ring-fleet.js';
import { createRingLedger } from './stress-ring-ledger.js';
import { inspectBatch, RING_NAME } from './stress-ring-records.js';
import { type Books, createVerdict } from './stress-ring-verdict.js';

const CAPACITY = 4096;
const DRAINERS = 2;
/** Threads that a run can start. */
const MOST_THREADS = 20_000;
/** Where all are taken, a thread that starts has to free a dead one's. */
const SLOTS_PER_THREAD = 2;
const TICK_MS = 5;
const END_MS = 60_000;

/** @returns the exit code */
export async function stressRing(given: StressArguments): Promise<number> {
  const { threads, seconds, kill, seed, operations, bound } = given;
  if (!probe().provesDeath) {
    process.stderr.write(
      'stress: this host cannot prove that a thread is dead (no readable /proc), so nothing can be asserted\n',
    );
    return 1;
  }
  process.env['COEXIST_SLOTS'] = String(SLOTS_PER_THREAD * (threads + DRAINERS));
  const area = attach();
  const report = createLockReport(given);
  const details: string[] = [];
  const violate = (rule: string, text: string): void => {
    const line = `VIOLATION ${rule}: ${text}, seed ${seed}`;
    details.push(line);
    report.note(line);
  };
  const random = createRandom(seed);
  const ledger = createRingLedger(MOST_THREADS, DRAINERS);
  const copies = makeCopies();
  plantInCopies(process.env[FAULT_VARIABLE], copies);
  const fleet = createRingFleet({ seed, random, ledger, copies, capacity: CAPACITY, most: MOST_THREADS, violate });
  const verdict = createVerdict(violate);
  const reader = Ring.reader(RING_NAME, { capacity: CAPACITY });
  let interrupted = false;
  const onInterrupt = (): void => {
    // The second time, whatever hangs is left behind.
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  process.on('SIGINT', onInterrupt);
  const begun = performance.now();
  const elapsed = (): number => (performance.now() - begun) / 1000;
  const progress = (): LockProgress => ({
    elapsed: elapsed(),
    threads: fleet.size,
    started: fleet.started,
    deaths: fleet.deaths,
    operations: verdict.total,
    violations: details.length,
  });
  const hear = (): void => {
    for (let seat = 0; seat < DRAINERS; seat++) ledger.read(seat, verdict.take);
  };

  let due = 0;
  let before = performance.now();
  let moved = { at: begun, total: 0 };
  while (!interrupted && elapsed() < seconds && details.length === 0) {
    fleet.fill(threads, DRAINERS);
    const now = performance.now();
    due += (fleet.running() * kill * (now - before)) / 1000;
    before = now;
    for (; due >= 1; due--) fleet.kill();
    hear();
    if (verdict.total !== moved.total) moved = { at: now, total: verdict.total };
    else if (now - moved.at > bound * 1000) violate('no progress', `no record was delivered for ${bound} s`);
    report.progress(progress());
    if (operations !== undefined && verdict.total >= operations) break;
    await sleep(TICK_MS);
  }

  ledger.stop('stopWriters');
  await ended('writers');
  ledger.stop('stopDrainers');
  await ended('drainers');
  if (fleet.size > 0) {
    violate('thread does not end', `${fleet.size} threads`);
    await Promise.race([fleet.terminateAll(), sleep(END_MS, undefined, { ref: false })]);
  }
  hear();
  const books = details.length === 0 ? close() : undefined;
  process.off('SIGINT', onInterrupt);
  end(books);
  if (details.length > 0) return 1;
  return interrupted ? 130 : 0;

  async function ended(kind: 'writers' | 'drainers'): Promise<void> {
    const ending = performance.now();
    while (fleet.living(kind) > 0 && performance.now() - ending < END_MS) {
      hear();
      await sleep(TICK_MS);
    }
  }

  function close(): Books {
    area.reclaim();
    // What a drainer left behind that died last; by slot, since a batch is of one ring.
    for (let slot = 0; slot < area.geometry.slotCapacity; slot++) {
      inspectBatch(reader.take({ slot, timeout: END_MS }), verdict.take);
    }
    const writers = { all: fleet.writers, doomed: fleet.doomed };
    return verdict.close(ledger, writers, reader.stats(), fleet.drainerDeaths, CAPACITY / 16);
  }

  function end(closed: Books | undefined): void {
    const summary = { ...progress(), writers: fleet.writers.length, drainerDeaths: fleet.drainerDeaths, books: closed };
    if (given.json) {
      const all = { ok: details.length === 0, ...summary, arguments: given, interrupted, details };
      process.stdout.write(`${JSON.stringify(all)}\n`);
      return;
    }
    const deaths = Object.entries(fleet.deaths).map(([kind, n]) => `${kind} ${n}`);
    const rate = Math.round((summary.operations / summary.elapsed) * 60);
    report.note(
      `${interrupted ? 'interrupted after' : 'ran'} ${summary.elapsed.toFixed(1)} s: ${summary.operations} records seen (${rate} a minute)` +
        `${closed === undefined ? '' : `, ${closed.attempted} attempted, ${closed.delivered} delivered, ${closed.dropped} dropped, of those perhaps ${closed.open} cut with their writers, ${closed.unseen} lost with drainers`}` +
        `, ${fleet.writers.length} writers, ${summary.started} threads started, ${deaths.join(', ')}, ${fleet.drainerDeaths} deaths of drainers, ` +
        `${details.length} violations, seed ${seed}`,
    );
  }
}
