// What supervises a stress run on rings or on per-CPU data: keeps the threads alive that it was asked for, has some die, says how it goes,
// and ends with the summary. What is looked at, and what the verdict is, is the topic's affair.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { probe } from 'coexist';
import type { StressArguments } from './stress-arguments.js';
import { createLockReport, type LockProgress } from './stress-lock-report.js';
import type { Threads } from './stress-threads.js';

const TICK_MS = 5;
const END_MS = 60_000;

/** Says so where nothing can be asserted on this host. */
export function provesDeath(): boolean {
  const { provesDeath: proves } = probe();
  if (!proves) {
    process.stderr.write(
      'stress: this host cannot prove that a thread is dead (no readable /proc), so nothing can be asserted\n',
    );
  }
  return proves;
}

export interface Subject {
  readonly threads: Threads;
  readonly seats: number;
  operations(): number;
  /** Reads what the threads have written down. */
  hear(): void;
  /** Whatever else is to be done while they run; nobody is killed meanwhile. */
  meanwhile?(): Promise<void>;
}

export type Run = ReturnType<typeof createRun>;

export function createRun(given: StressArguments) {
  const { threads: wanted, seconds, kill, seed, operations, bound } = given;
  const report = createLockReport(given);
  const details: string[] = [];
  let interrupted = false;
  const onInterrupt = (): void => {
    // The second time, whatever hangs is left behind.
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  process.on('SIGINT', onInterrupt);
  const begun = performance.now();
  const elapsed = (): number => (performance.now() - begun) / 1000;
  const violate = (rule: string, text: string): void => {
    const line = `VIOLATION ${rule}: ${text}, seed ${seed}`;
    details.push(line);
    report.note(line);
  };
  const progress = ({ threads, operations: made }: Subject): LockProgress => ({
    elapsed: elapsed(),
    threads: threads.size,
    started: threads.started,
    deaths: threads.deaths,
    operations: made(),
    violations: details.length,
  });

  return {
    violate,
    /** s */
    elapsed,
    /** No violation so far. */
    clean: (): boolean => details.length === 0,

    async keepAlive(subject: Subject): Promise<void> {
      const { threads, seats, hear, meanwhile } = subject;
      let due = 0;
      let before = performance.now();
      let moved = { at: begun, total: 0 };
      while (!interrupted && elapsed() < seconds && details.length === 0) {
        threads.fill(wanted, seats);
        const now = performance.now();
        due += (threads.running() * kill * (now - before)) / 1000;
        before = now;
        for (; due >= 1; due--) threads.kill();
        hear();
        await meanwhile?.();
        const total = subject.operations();
        if (total !== moved.total) moved = { at: now, total };
        else if (now - moved.at > bound * 1000) violate('no progress', `nothing was done for ${bound} s`);
        report.progress(progress(subject));
        if (operations !== undefined && total >= operations) break;
        await sleep(TICK_MS);
      }
    },

    /** Until they have ended of themselves; for a minute. */
    async ended({ threads, hear }: Subject, kind: 'seated' | 'unseated'): Promise<void> {
      const ending = performance.now();
      while (threads.living(kind) > 0 && performance.now() - ending < END_MS) {
        hear();
        await sleep(TICK_MS);
      }
    },

    /** Ends the rest by force, which is a violation. */
    async terminate({ threads }: Subject): Promise<void> {
      if (threads.size === 0) return;
      violate('thread does not end', `${threads.size} threads`);
      await Promise.race([threads.terminateAll(), sleep(END_MS, undefined, { ref: false })]);
    },

    /** Prints the summary, `more` in it, `text` of it in words; the exit code. */
    end(subject: Subject, more: object, text: string): number {
      process.off('SIGINT', onInterrupt);
      const summary = { ...progress(subject), ...more };
      const ok = details.length === 0;
      if (given.json) {
        process.stdout.write(`${JSON.stringify({ ok, ...summary, arguments: given, interrupted, details })}\n`);
      } else {
        const deaths = Object.entries(summary.deaths).map(([kind, n]) => `${kind} ${n}`);
        report.line(
          `${interrupted ? 'interrupted after' : 'ran'} ${summary.elapsed.toFixed(1)} s: ${text}, ` +
            `${summary.started} threads started, ${deaths.join(', ')}, ${details.length} violations, seed ${seed}`,
        );
      }
      if (!ok) return 1;
      return interrupted ? 130 : 0;
    },
  };
}
