// What the selftest command prints: a line for each run, what was wrong under it, and a count at the end; or one JSON object.

import type { BasicResult } from './selftest-basic.js';
import type { RunResult } from './selftest-run.js';
import { argumentsOf, injectionOf, type ParamSet, TITLES } from './selftest-set.js';

export interface SelftestReport {
  basic(result: BasicResult): void;
  run(result: RunResult): void;
  /** Returns the exit code. */
  end(): number;
}

const INDENT = '      ';
const MOST_WRONG = 10;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** A run by itself, or that with `k` of `all`. */
export function describe(set: ParamSet): string {
  const columns = [TITLES[set.mode].padEnd(22), set.index.padEnd(4), set.build.padEnd(10), set.steps.padEnd(4)];
  return `${columns.join(' ')} ${injectionOf(set).padEnd(22)} ${set.threads} x ${set.repetitions}`;
}

export function createReport(
  write: (text: string) => void,
  json: boolean,
  seed: number,
  planned: number,
): SelftestReport {
  const begun = performance.now();
  const basics: BasicResult[] = [];
  const runs: RunResult[] = [];
  const line = (text: string): void => {
    if (!json) write(`${text}\n`);
  };
  const complain = (wrong: readonly string[]): void => {
    for (const text of wrong.slice(0, MOST_WRONG)) line(`${INDENT}${text}`);
    if (wrong.length > MOST_WRONG) line(`${INDENT}and ${wrong.length - MOST_WRONG} more`);
  };
  const width = String(planned).length;

  return {
    basic(result) {
      basics.push(result);
      line(`basic_test: ${result.name}: ${result.detail} ${result.wrong.length === 0 ? 'ok' : 'FAILED'}`);
      complain(result.wrong);
    },

    run(result) {
      runs.push(result);
      const { set, ok, sum, expected, deaths, flips, ms } = result;
      const parts = [ok ? 'ok    ' : 'FAILED', `sum ${sum}${sum === expected ? '' : ` of ${expected}`}`];
      if (deaths > 0) parts.push(`${deaths} killed`);
      if (flips > 0) parts.push(`${flips} fences`);
      line(`${String(runs.length).padStart(width)}/${planned} ${describe(set)}  ${parts.join(', ')}, ${seconds(ms)}`);
      complain(result.wrong);
      if (!ok) line(`${INDENT}again: npm run selftest -- ${argumentsOf(set)}`);
    },

    end() {
      const failed = runs.filter(({ ok }) => !ok).length + basics.filter(({ wrong }) => wrong.length > 0).length;
      const deaths = runs.reduce((total, run) => total + run.deaths, 0);
      const repetitions = runs.reduce((total, { set }) => total + set.threads * set.repetitions, 0);
      const ms = performance.now() - begun;
      line(
        `${basics.length} basic tests and ${runs.length} of ${planned} runs, ${repetitions} repetitions, ${deaths} threads killed, ` +
          `${failed} failed, seed ${seed}, ${seconds(ms)}`,
      );
      if (json) {
        const results = runs.map((run) => ({ ...run, description: describe(run.set), again: argumentsOf(run.set) }));
        const summary = { ok: failed === 0, seed, planned, runs: runs.length, failed, deaths, repetitions, ms };
        write(`${JSON.stringify({ ...summary, basic: basics, results })}\n`);
      }
      return failed === 0 ? 0 : 1;
    },
  };
}
