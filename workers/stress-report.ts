// What a stress run prints: a progress bar on a terminal, a line every two seconds elsewhere, violations in full, and the
// summary line.

import process from 'node:process';
import type { StressArguments } from './stress-arguments.js';
import type { DeathCounts, Totals } from './stress-fleet.js';
import type { Violation } from './stress-ledger.js';
import { describeDump } from './stress-slots.js';

const BAR = 20;
const TERMINAL_MS = 200;
const LINES_MS = 2000;
const MOST_PRINTED = 20;

export interface Progress {
  readonly elapsed: number;
  readonly threads: number;
  readonly started: number;
  readonly deaths: DeathCounts;
  readonly reclaimed: number;
  readonly violations: number;
  readonly totals: Totals;
}

export interface Summary extends Progress {
  readonly arguments: StressArguments;
  readonly interrupted: boolean;
  readonly sum: string;
  readonly rss: { readonly early: number; readonly last: number; readonly most: number };
}

export interface Report {
  /** Prints if it is time to. */
  progress(progress: Progress): void;
  violation(violation: Violation, seenBy: string): void;
  note(text: string): void;
  end(summary: Summary): void;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;

/** Nested threads, which nobody counted when they started, are told apart. */
export function countDeaths(deaths: DeathCounts): number {
  return Object.values(deaths).reduce((sum, n) => sum + n, 0) - deaths.nested;
}

export function createReport(given: StressArguments): Report {
  const { seed, seconds, json } = given;
  const terminal = process.stdout.isTTY && !json;
  const violations: string[] = [];
  let printedAt = 0;
  let lastOperations = 0;

  const line = (text: string): void => {
    // A bar that stands on the line makes room.
    process.stdout.write(`${terminal ? '\r\x1b[K' : ''}${text}\n`);
  };

  function progress(now: Progress): void {
    const since = now.elapsed - printedAt;
    if (json || since * 1000 < (terminal ? TERMINAL_MS : LINES_MS)) return;
    const { operations } = now.totals;
    const rate = Math.max(0, Math.round((operations - lastOperations) / since));
    printedAt = now.elapsed;
    lastOperations = operations;
    const text =
      `${now.elapsed.toFixed(1)}/${seconds} s  ${operations} operations (${rate}/s)  ${now.threads} threads  ` +
      `${countDeaths(now.deaths)} deaths  ${now.reclaimed} reclaimed  ${now.violations} violations  ` +
      `rss ${megabytes(process.memoryUsage.rss())}`;
    if (!terminal) {
      line(text);
      return;
    }
    const done = Math.min(BAR, Math.round((now.elapsed / seconds) * BAR));
    const bar = `[${'#'.repeat(done)}${'.'.repeat(BAR - done)}] ${text}`;
    process.stdout.write(`\r\x1b[K${bar.slice(0, process.stdout.columns - 1)}`);
  }

  return {
    progress,
    violation({ rule, slot, expected, found, row }, seenBy) {
      const at = row.length > 0 ? `slot ${slot}` : 'no slot';
      const text = `VIOLATION ${rule}: ${at}, expected ${expected}, found ${found}, seen by ${seenBy}, seed ${seed}`;
      violations.push(row.length > 0 ? `${text}\n  ${describeDump(row)}` : text);
      if (!json && violations.length <= MOST_PRINTED) line(violations[violations.length - 1]!);
    },
    note(text) {
      violations.push(text);
      if (!json) line(text);
    },
    end(summary) {
      if (json) {
        process.stdout.write(`${JSON.stringify({ ok: summary.violations === 0, ...summary, details: violations })}\n`);
        return;
      }
      const { totals, deaths, rss } = summary;
      const { nested, ...own } = deaths;
      const kinds = Object.entries(own).map(([kind, n]) => `${kind} ${n}`);
      line(
        `${summary.interrupted ? 'interrupted after' : 'ran'} ${summary.elapsed.toFixed(1)} s: ` +
          `${totals.operations} operations, ${totals.registrations} registrations, ${summary.started} threads started, ` +
          `${countDeaths(deaths)} deaths (${kinds.join(', ')}; ${nested} nested threads with them), ${summary.reclaimed} reclaimed, ` +
          `${totals.cuts} vm timeouts, table full ${totals.full} times, ` +
          `counted ${summary.sum} (ledgers ${totals.added}, at most ${totals.adding} more in flight at deaths), ` +
          `rss ${megabytes(rss.early)} early, ${megabytes(rss.last)} at the end, ${megabytes(rss.most)} at most, ` +
          `${summary.violations} violations, seed ${seed}`,
      );
    },
  };
}
