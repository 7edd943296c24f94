// The stress command on modules, as a user runs it: a short run breaks nothing, and each planted fault is seen.

import { describe, expect, test } from 'vitest';
import { BOUND_MS, stress } from '../support/stress.js';

interface Summary {
  readonly ok: boolean;
  readonly violations: number;
  readonly censuses: number;
  readonly started: number;
  readonly deaths: Record<string, number>;
  readonly details: string[];
  readonly loaded: number;
  readonly absent: number;
  readonly refused: number;
  readonly initialised: number;
  readonly most: number;
}

describe('a run', () => {
  test.each([{}, { COEXIST_NO_WASM: '1' }])(
    'modules are loaded whole, or not, while threads die, %j',
    { timeout: BOUND_MS },
    async (env) => {
      // Threads live long enough for a census to find modules in them, on a busy machine, too.
      const given = ['module', '--threads', '3', '--seconds', '6', '--kill', '0.3', '--seed', '20240821', '--json'];
      const { code, out, err } = await stress(given, env);
      const summary = JSON.parse(out) as Summary;
      expect({ code, err, details: summary.details }).toEqual({ code: 0, err: '', details: [] });
      expect(summary).toMatchObject({ ok: true, violations: 0, absent: 0, arguments: { seed: 20240821 } });
      expect(Object.values(summary.deaths).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(0);
      expect(summary.started).toBeGreaterThan(3);
      expect(summary.censuses).toBeGreaterThan(0);
      for (const what of ['loaded', 'refused', 'initialised'] as const) {
        expect(summary[what], what).toBeGreaterThan(0);
      }
      expect(summary.most).toBeGreaterThan(0);
    },
  );
});

describe('a planted fault is seen', () => {
  test.each([
    ['initialised-twice', /VIOLATION seen by a thread: .*: generation \d+ of m\d is initialised twice/],
    ['half-patched', /VIOLATION seen by a thread: .*: the interface of m\d is of \d+,-1,\d+/],
    ['left-patched', /VIOLATION seen by a thread: .*: throws cannot be loaded, and its interface is not stubs/],
    [
      'two-builds',
      /VIOLATION (seen by a thread: thread 0: .*\bbuild \w+|record does not agree with the living: thread)/,
    ],
    ['row-kept', /VIOLATION seen by a thread: .*: (calls of m\d reach|m\d is listed as loaded, and was never)/],
    ['builds-beside', /VIOLATION (seen by a thread: .*initialised|record does not agree with the living)/],
    ['rows-not-left', /VIOLATION record does not agree with the living: \S+: \d+ threads are loading it/],
  ])('%s', { timeout: BOUND_MS }, async (fault, rule) => {
    const given = ['module', '--threads', '3', '--seconds', '60', '--kill', '0.1', '--bound', '5', '--seed', '9'];
    const { code, out } = await stress(given, { COEXIST_STRESS_FAULT: fault });
    expect(code).toBe(1);
    expect(out).toMatch(rule);
    expect(out).toMatch(/^ran .* [1-9]\d* violations, seed 9$/m);
  });
});
