// Stress topic "register": keeps a number of threads alive that register and unregister at random with two copies of the
// library, has them die in every way there is, and asserts all along that slots, counts and counters stay right.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { attach, probe } from 'coexist';
import { createAccounts } from './stress-accounts.js';
import type { StressArguments } from './stress-arguments.js';
import { makeCopies } from './stress-copies.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import { createFleet, ROWS_PER_THREAD } from './stress-fleet.js';
import type { GuardData } from './stress-guard.js';
import { createLedger } from './stress-ledger.js';
import { createRandom } from './stress-random.js';
import { createReport, type Progress } from './stress-report.js';
import { openSlots } from './stress-slots.js';
import { createWatch } from './stress-watch.js';

const TICK_MS = 10;
const COUNT_EVERY = 10;
const STARTS_AT_ONCE = 16;
const STUCK_MS = 30_000;
const END_MS = 60_000;

/** @returns the exit code */
export async function stressRegister(given: StressArguments): Promise<number> {
  const { threads, seconds, kill, seed, slots: capacity } = given;
  process.env['COEXIST_SLOTS'] = String(capacity);
  if (!probe().provesDeath) {
    process.stderr.write(
      'stress: this host cannot prove that a thread is dead (no readable /proc), so nothing can be asserted\n',
    );
    return 1;
  }
  const area = attach();
  const slots = openSlots(area);
  const ledger = createLedger(capacity, threads * ROWS_PER_THREAD);
  const { i32, control } = ledger;
  const watch = createWatch(area, slots, ledger);
  const report = createReport(given);
  const random = createRandom(seed);
  const stopping = (): boolean => Atomics.load(i32, control.stop) !== 0;
  const fleet = createFleet({
    seed,
    random,
    ledger,
    watch,
    copies: makeCopies(),
    fault: process.env[FAULT_VARIABLE],
    stopping,
  });
  const accounts = createAccounts(area, slots, fleet, watch);
  const guard = new Worker(new URL('stress-guard.js', import.meta.url), {
    workerData: { ledger: ledger.shape, seconds: STUCK_MS / 1000, seed } satisfies GuardData,
  });
  let interrupted = false;
  const onInterrupt = (): void => {
    // The second time, whatever hangs is left behind.
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  process.on('SIGINT', onInterrupt);

  const begun = performance.now();
  const elapsed = (): number => (performance.now() - begun) / 1000;
  const rss = { early: 0, last: 0, most: 0 };
  let violationsSeen = 0;
  let ticks = 0;
  let lastProgress = { operations: 0, ended: 0, at: begun };

  const progress = (): Progress => ({
    elapsed: elapsed(),
    threads: fleet.size,
    started: fleet.started,
    deaths: fleet.deaths,
    reclaimed: watch.reclaimed(),
    violations: ledger.violationCount(),
    totals: fleet.totals(),
  });

  function drain(): void {
    for (const violation of ledger.violations(violationsSeen)) {
      violationsSeen++;
      report.violation(violation, fleet.describe(violation.seenBy));
    }
    for (const note of fleet.notes.splice(0)) report.note(note);
  }

  function look(): void {
    Atomics.add(i32, control.heartbeat, 1);
    watch.pass(fleet.live());
    fleet.checkOperations();
    if (++ticks % COUNT_EVERY === 0) accounts.checkCounters();
    drain();
    const now = progress();
    const { operations } = now.totals;
    if (operations !== lastProgress.operations || fleet.ended !== lastProgress.ended) {
      lastProgress = { operations, ended: fleet.ended, at: performance.now() };
    } else if (performance.now() - lastProgress.at > STUCK_MS) {
      for (const thread of fleet.live()) {
        report.note(
          `${fleet.describe(thread)}: ${ledger.get(thread, 'operations')} operations, slot ${ledger.get(thread, 'slot') - 1}`,
        );
      }
      watch.violate('no progress', -1, 0, STUCK_MS);
      // Once is enough.
      lastProgress.at = Infinity;
    }
    rss.last = process.memoryUsage.rss();
    rss.most = Math.max(rss.most, rss.last);
    if (rss.early === 0 && now.elapsed > Math.min(10, seconds / 4)) rss.early = rss.last;
    report.progress(now);
  }

  let due = 0;
  let before = performance.now();
  while (!interrupted && elapsed() < seconds && ledger.violationCount() === 0) {
    const running = fleet.running();
    fleet.fill(threads, STARTS_AT_ONCE);
    const now = performance.now();
    due += (running * kill * (now - before)) / 1000;
    before = now;
    for (; due >= 1; due--) fleet.kill();
    look();
    await sleep(TICK_MS);
  }

  Atomics.store(i32, control.stop, 1);
  Atomics.notify(i32, control.stop);
  fleet.terminateUnborn();
  const ending = performance.now();
  while (fleet.size > 0 && performance.now() - ending < END_MS) {
    look();
    await sleep(TICK_MS);
  }
  if (fleet.size > 0) {
    for (const thread of fleet.live()) watch.violate('thread does not end', ledger.get(thread, 'slot') - 1, 0, thread);
    drain();
    await Promise.race([fleet.terminateAll(), sleep(END_MS)]);
  }
  const sum = accounts.checkEnd();
  drain();
  Atomics.store(i32, control.guardStop, 1);
  Atomics.notify(i32, control.guardStop);
  await guard.terminate();
  process.off('SIGINT', onInterrupt);
  rss.early ||= rss.last;
  report.end({ ...progress(), arguments: given, interrupted, sum: String(sum), rss });
  if (ledger.violationCount() > 0) return 1;
  return interrupted ? 130 : 0;
}
