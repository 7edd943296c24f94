// The stress command on per-CPU and per-thread data, as a user runs it: a short run counts everything exactly, and each planted fault is seen.

import { describe, expect, test } from 'vitest';
import { BOUND_MS, stress } from '../support/stress.js';

interface Summary {
  readonly ok: boolean;
  readonly operations: number;
  readonly violations: number;
  readonly censuses: number;
  readonly started: number;
  readonly deaths: Record<string, number>;
  readonly details: string[];
  /** Of topic counter: gauges at the end. */
  readonly shown?: number;
  /** Of topic percpu. */
  readonly flips?: number;
  /** Of topic pool. */
  readonly planted?: number;
}

const deathsOf = ({ deaths }: Summary): number => Object.values(deaths).reduce((sum, n) => sum + n, 0);

describe('a run', () => {
  test.each(['counter', 'percpu', 'pool'])(
    '%s: everything is counted, while threads die',
    {
      timeout: BOUND_MS,
    },
    async (topic) => {
      const given = [topic, '--threads', '3', '--seconds', '5', '--kill', '1', '--seed', '20240819', '--json'];
      const { code, out, err } = await stress(given);
      const summary = JSON.parse(out) as Summary;
      expect({ code, err, details: summary.details }).toEqual({ code: 0, err: '', details: [] });
      expect(summary).toMatchObject({ ok: true, violations: 0, arguments: { seed: 20240819 } });
      expect(deathsOf(summary)).toBeGreaterThan(0);
      expect(summary.started).toBeGreaterThan(3);
      expect(summary.operations).toBeGreaterThan(0);
      expect(summary.censuses).toBeGreaterThan(0);
      if (topic === 'counter') expect(summary.shown).toBe(0);
      if (topic === 'percpu') expect(summary.flips).toBeGreaterThan(0);
      if (topic === 'pool') expect(summary.planted).toBeGreaterThanOrEqual(11);
    },
  );

  test.each([
    ['counter', { COEXIST_NO_WASM: '1' }],
    ['percpu', { COEXIST_NO_WASM: '1' }],
    ['pool', { COEXIST_NO_WASM: '1' }],
    ['percpu', { COEXIST_NO_FFI: '1' }],
  ] as const)('%s, to a number of operations, %j', { timeout: BOUND_MS }, async (topic, env) => {
    const given = [topic, '--threads', '2', '--operations', '20000', '--kill', '0', '--seed', '3'];
    const { code, out, err } = await stress(given, env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const operations = Number(/^ran \d+\.\d s: (\d+) operations, .* 0 violations, seed 3$/m.exec(out)?.[1]);
    expect(operations).toBeGreaterThanOrEqual(20_000);
  });
});

describe('a planted fault is seen', () => {
  const TWIN = { COEXIST_NO_WASM: '1' };
  /** Shards are those of slots then, folded: several threads at each. */
  const FOLDED = { COEXIST_NO_FFI: '1' };
  test.each([
    ['counter', 'gauge-kept', {}, '0', /VIOLATION seen by a thread: thread \d+ begins with \d+\.5 in its gauge/],
    ['counter', 'cell-not-atomic', TWIN, '0', /VIOLATION sum not exact: PerCpuCounter: expected -?\d+, found -?\d+/],
    ['percpu', 'word-not-held', FOLDED, '0', /VIOLATION (seen by a thread|node in two places|unexpected failure): /],
    ['percpu', 'fence-returns', {}, '0', /VIOLATION changed behind the fence: word [AB] of shard \d+: /],
    ['percpu', 'copy-torn', TWIN, '0', /VIOLATION unexpected failure: .* torn record \{/],
    ['pool', 'item-not-cleared', {}, '0', /VIOLATION seen by a thread: thread \d+: not as it was to be: /],
    ['pool', 'pool-without-lock', TWIN, '0', /VIOLATION (unexpected failure|pool not exact|seen by a thread): /],
    ['pool', 'freed-for-another', {}, '1', /VIOLATION (unexpected failure|pool not exact|seen by a thread): /],
  ] as const)('%s: %s', { timeout: BOUND_MS }, async (topic, fault, env, kill, rule) => {
    const given = [topic, '--threads', '4', '--seconds', '60', '--kill', kill, '--bound', '5', '--seed', '9'];
    const { code, out } = await stress(given, { COEXIST_STRESS_FAULT: fault, ...env });
    expect(code).toBe(1);
    expect(out).toMatch(rule);
    expect(out).toMatch(/^ran .* [1-9]\d* violations, seed 9$/m);
  });
});
