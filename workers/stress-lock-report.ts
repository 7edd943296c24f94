// What a lock's stress run prints: a progress bar on a terminal, a line every two seconds elsewhere, violations in full, and the
// summary line.

import process from 'node:process';
import type { StressArguments } from './stress-arguments.js';
import type { DeathCounts } from './stress-lock-fleet.js';
import type { Violation } from './stress-lock-ledger.js';

const BAR = 20;
const TERMINAL_MS = 200;
const LINES_MS = 2000;
const MOST_PRINTED = 20;

export interface LockProgress {
  readonly elapsed: number;
  readonly threads: number;
  readonly started: number;
  readonly deaths: DeathCounts;
  readonly operations: number;
  readonly violations: number;
}

export interface LockSummary extends LockProgress {
  readonly arguments: StressArguments;
  readonly interrupted: boolean;
  readonly givenUp: number;
  /** Most operations of a thread over fewest; undefined where that says nothing. */
  readonly fairness: number | undefined;
  /** Threads that died holding the lock, those of which nobody can say, and how often somebody was told. */
  readonly holding: number;
  readonly unsure: number;
  readonly told: number;
  /** ms */
  readonly takeover: number;
}

export interface LockReport {
  /** Prints if it is time to. */
  progress(progress: LockProgress): void;
  violation(violation: Violation, seenBy: string): void;
  note(text: string): void;
  /** Prints this in any case. */
  line(text: string): void;
  end(summary: LockSummary): void;
}

const count = (deaths: DeathCounts): number => Object.values(deaths).reduce((sum, n) => sum + n, 0);

export function createLockReport({ seed, seconds, operations: wanted, json }: StressArguments): LockReport {
  const terminal = process.stdout.isTTY && !json;
  const violations: string[] = [];
  let printedAt = 0;
  let lastOperations = 0;

  const line = (text: string): void => {
    // A bar that stands on the line makes room.
    process.stdout.write(`${terminal ? '\r\x1b[K' : ''}${text}\n`);
  };
  const note = (text: string): void => {
    violations.push(text);
    if (!json && violations.length <= MOST_PRINTED) line(text);
  };

  return {
    progress({ elapsed, operations, threads, deaths, violations: found }) {
      const since = elapsed - printedAt;
      if (json || since * 1000 < (terminal ? TERMINAL_MS : LINES_MS)) return;
      const rate = Math.max(0, Math.round((operations - lastOperations) / since));
      printedAt = elapsed;
      lastOperations = operations;
      const text =
        `${elapsed.toFixed(1)}/${seconds} s  ${operations} operations (${rate}/s)  ${threads} threads  ` +
        `${count(deaths)} deaths  ${found} violations`;
      if (!terminal) {
        line(text);
        return;
      }
      const part = wanted === undefined ? elapsed / seconds : operations / wanted;
      const done = Math.min(BAR, Math.round(part * BAR));
      const bar = `[${'#'.repeat(done)}${'.'.repeat(BAR - done)}] ${text}`;
      process.stdout.write(`\r\x1b[K${bar.slice(0, process.stdout.columns - 1)}`);
    },
    violation({ rule, expected, found }, seenBy) {
      note(`VIOLATION ${rule}: expected ${expected}, found ${found}, seen by ${seenBy}, seed ${seed}`);
    },
    note,
    line,
    end(summary) {
      if (json) {
        process.stdout.write(`${JSON.stringify({ ok: summary.violations === 0, ...summary, details: violations })}\n`);
        return;
      }
      const { deaths, fairness, holding, unsure, told, takeover } = summary;
      const kinds = Object.entries(deaths).map(([kind, n]) => `${kind} ${n}`);
      const fair = fairness === undefined ? '' : `fairness ${fairness.toFixed(2)} (most operations over fewest), `;
      line(
        `${summary.interrupted ? 'interrupted after' : 'ran'} ${summary.elapsed.toFixed(1)} s: ` +
          `${summary.operations} operations, ${summary.givenUp} given up, ${fair}${summary.started} threads started, ` +
          `${count(deaths)} deaths (${kinds.join(', ')}), ${holding} of them holding and ${unsure} perhaps, told ${told} times, ` +
          `slowest takeover ${takeover} ms behind the news, ${summary.violations} violations, seed ${seed}`,
      );
    },
  };
}
