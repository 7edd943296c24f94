// Stress topics of the locks: keeps a number of threads alive that take one lock over and over, has them die in every way there is,
// and asserts that nobody is inside with another, no update and no wake-up is lost, and each death while holding is told once.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { attach, probe } from 'coexist';
import * as sync from 'coexist/sync';
import type { StressArguments } from './stress-arguments.js';
import { makeCopies } from './stress-copies.js';
import { FAULT_VARIABLE } from './stress-faults.js';
import { plantInCopies } from './stress-lock-faults.js';
import { createLockFleet, MOST_THREADS } from './stress-lock-fleet.js';
import { KINDS } from './stress-lock-kinds.js';
import { createLockLedger } from './stress-lock-ledger.js';
import { ONCES_BYTES } from './stress-lock-once.js';
import { createLockReport, type LockProgress } from './stress-lock-report.js';
import { createSection } from './stress-lock-section.js';
import { createRandom } from './stress-random.js';

/** The supervisor's number. */
const SELF = 1;
const TICK_MS = 10;
const END_MS = 60_000;

/** @returns the exit code */
export async function stressLocks(given: StressArguments): Promise<number> {
  const { topic, threads, seconds, kill, seed, operations, bound } = given;
  if (!probe().provesDeath) {
    process.stderr.write(
      'stress: this host cannot prove that a thread is dead (no readable /proc), so nothing can be asserted\n',
    );
    return 1;
  }
  attach();
  const ledger = createLockLedger(MOST_THREADS);
  const { i32, control } = ledger;
  const random = createRandom(seed);
  const onces = new SharedArrayBuffer(topic === 'once' ? ONCES_BYTES : 16);
  const common = { topic, threads, onces, deaths: kill > 0 };
  const fault = process.env[FAULT_VARIABLE];
  const copies = makeCopies();
  plantInCopies(fault, copies);
  const fleet = createLockFleet({ seed, random, ledger, copies, fault, boundMs: bound * 1000, common });
  const section = createSection(SELF, random, ledger, false);
  const kind = KINDS[topic]!({ ...common, section, api: sync, produces: true, fault: undefined });
  const report = createLockReport(given);
  let interrupted = false;
  const onInterrupt = (): void => {
    // The second time, whatever hangs is left behind.
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  process.on('SIGINT', onInterrupt);

  const begun = performance.now();
  const elapsed = (): number => (performance.now() - begun) / 1000;
  let violationsSeen = 0;
  /** Operations of each thread when all had begun. */
  let starting: Map<number, number> | undefined;

  function drain(): void {
    for (const violation of ledger.violations(violationsSeen)) {
      violationsSeen++;
      report.violation(violation, fleet.describe(violation.seenBy));
    }
    for (const note of fleet.notes.splice(0)) report.note(note);
  }

  const progress = (): LockProgress => ({
    elapsed: elapsed(),
    threads: fleet.size,
    started: fleet.started,
    deaths: fleet.deaths,
    operations: fleet.total('operations'),
    violations: ledger.violationCount(),
  });

  /** Most operations of a thread over fewest, since all had begun; undefined where that says nothing. */
  function fairness(): number | undefined {
    if (starting === undefined || fleet.started > threads) return undefined;
    const counts = [...starting].map(([me, before]) => ledger.get(me, 'operations') - before);
    const fewest = Math.min(...counts);
    return fewest > 0 ? Math.max(...counts) / fewest : undefined;
  }

  let due = 0;
  let before = performance.now();
  let spread: number | undefined;
  while (!interrupted && elapsed() < seconds && ledger.violationCount() === 0) {
    fleet.fill(threads);
    const running = fleet.running();
    const now = performance.now();
    due += (running * kill * (now - before)) / 1000;
    before = now;
    for (; due >= 1; due--) fleet.kill();
    fleet.checkProgress();
    if (starting === undefined && running === threads) {
      starting = new Map(fleet.all().map((me) => [me, ledger.get(me, 'operations')]));
    }
    spread = fairness();
    drain();
    const made = progress();
    report.progress(made);
    if (operations !== undefined && made.operations >= operations) break;
    await sleep(TICK_MS);
  }

  Atomics.store(i32, control.stop, 1);
  Atomics.notify(i32, control.stop);
  const ending = performance.now();
  while (fleet.size > 0 && performance.now() - ending < (ledger.violationCount() === 0 ? END_MS : bound * 1000)) {
    kind.stop?.();
    drain();
    await sleep(TICK_MS);
  }
  if (fleet.size > 0) {
    for (const { me } of fleet.live()) ledger.violate('thread does not end', me, 0, me);
    drain();
    await Promise.race([fleet.terminateAll(), sleep(END_MS, undefined, { ref: false })]);
  }
  if (ledger.violationCount() === 0) settle();
  drain();
  process.off('SIGINT', onInterrupt);
  report.end({
    ...progress(),
    arguments: given,
    interrupted,
    givenUp: fleet.total('givenUp'),
    fairness: spread,
    holding: fleet.victims.size,
    unsure: fleet.unsure,
    told: fleet.total('told') + ledger.get(SELF, 'told'),
    takeover: slowestTakeover(),
  });
  if (ledger.violationCount() > 0) return 1;
  return interrupted ? 130 : 0;

  /** What can be said once all threads have ended. */
  function settle(): void {
    kind.settle();
    const deaths = Object.values(fleet.deaths).reduce((sum, n) => sum + n, 0);
    const [added, adding, found] = [fleet.total('added'), fleet.total('adding'), i32[control.counter] as number];
    const own = ledger.get(SELF, 'added');
    if (topic === 'mutex' || topic === 'rwlock' || topic === 'condvar') {
      const least = (added + own) | 0;
      if (((found - least) | 0) < 0 || ((found - least) | 0) > adding) {
        ledger.violate('counter not exact', SELF, least, found);
      }
    }
    const [items, put, taken] = [i32[control.items]!, i32[control.put]!, i32[control.taken]!];
    if (topic === 'condvar' && Math.abs(put - taken - items) > deaths) {
      ledger.violate('queue not exact', SELF, put - taken, items);
    }
    // The semaphore tells that permits came back, not whose.
    if (topic === 'semaphore' || topic === 'barrier') return;
    for (const me of fleet.victims.keys()) {
      if (ledger.get(me, 'tookOver') !== 1) ledger.violate('death not told', me, 1, ledger.get(me, 'tookOver'));
    }
    const told = fleet.total('told') + ledger.get(SELF, 'told');
    const most = fleet.victims.size + fleet.unsure;
    if (told > most) ledger.violate('told without a death', SELF, most, told);
  }

  /** The longest time from the news of a death to its takeover by another thread, in ms. */
  function slowestTakeover(): number {
    const times = [...fleet.victims].map(([me, at]) => {
      return ledger.get(me, 'tookOver') === 0 ? 0 : ledger.get(me, 'tookOverAt') - at;
    });
    return Math.max(0, ...times);
  }
}
