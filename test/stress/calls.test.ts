// The stress command on singletons and on calls, as a user runs it: a short run breaks nothing, and each planted fault is seen.

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
  /** Of topic singleton. */
  readonly constructed?: number;
  readonly finalized?: number;
  readonly failed?: number;
  readonly unfinished?: number;
  /** Of topic call. */
  readonly answered?: number;
  readonly served?: number;
}

const deathsOf = ({ deaths }: Summary): number => Object.values(deaths).reduce((sum, n) => sum + n, 0);

describe('a run', () => {
  test.each([
    ['singleton', {}],
    ['call', {}],
    ['singleton', { COEXIST_NO_WASM: '1' }],
    ['call', { COEXIST_NO_WASM: '1' }],
  ] as const)('%s: nothing is broken while threads die, %j', { timeout: BOUND_MS }, async (topic, env) => {
    const given = [topic, '--threads', '3', '--seconds', '5', '--kill', '1', '--seed', '20240820', '--json'];
    const { code, out, err } = await stress(given, env);
    const summary = JSON.parse(out) as Summary;
    expect({ code, err, details: summary.details }).toEqual({ code: 0, err: '', details: [] });
    expect(summary).toMatchObject({ ok: true, violations: 0, arguments: { seed: 20240820 } });
    expect(deathsOf(summary)).toBeGreaterThan(0);
    expect(summary.started).toBeGreaterThan(3);
    expect(summary.operations).toBeGreaterThan(0);
    expect(summary.censuses).toBeGreaterThan(0);
    if (topic === 'singleton') {
      const { constructed = 0, finalized = 0, failed = 0, unfinished = 0 } = summary;
      expect(finalized).toBeGreaterThan(0);
      expect(finalized + failed + unfinished).toBe(constructed);
    } else {
      expect(summary.answered).toBeGreaterThan(0);
      expect(summary.answered).toBeLessThanOrEqual(summary.served ?? 0);
    }
  });

  test.each(['singleton', 'call'])('%s, to a number of operations', { timeout: BOUND_MS }, async (topic) => {
    const given = [topic, '--threads', '2', '--operations', '1000', '--kill', '0', '--seed', '3'];
    const { code, out, err } = await stress(given);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const operations = Number(/^ran \d+\.\d s: (\d+) operations, .* 0 violations, seed 3$/m.exec(out)?.[1]);
    expect(operations).toBeGreaterThanOrEqual(1000);
  });
});

describe('a planted fault is seen', () => {
  const TWIN = { COEXIST_NO_WASM: '1' };
  test.each([
    [
      'singleton',
      'reference-not-noted',
      {},
      '0',
      /VIOLATION references not exact: stress\/kept: \d+ references counted, /,
    ],
    ['singleton', 'constructed-twice', {}, '0', /VIOLATION seen by a thread: .*: generation \d+ constructed twice in /],
    ['singleton', 'finalized-early', {}, '0', /VIOLATION seen by a thread: .*: generation \d+ finalized twice, /],
    [
      'singleton',
      'ended-while-held',
      {},
      '0',
      /VIOLATION (references not exact|seen by a thread|unexpected failure|no progress): /,
    ],
    [
      'singleton',
      'release-not-counted',
      {},
      '0',
      /VIOLATION references not exact: .*: \d+ references counted, \d+ held/,
    ],
    [
      'call',
      'answers-another',
      {},
      '0',
      /VIOLATION seen by a thread: .*: call \d+ got the reply to call \d+ of thread /,
    ],
    ['call', 'runs-twice', {}, '0', /VIOLATION seen by a thread: .*: call \d+ of thread \d+ was run twice/],
    // Whoever waits for a call that waits for a cell in vain may be the first whose time is over.
    [
      'call',
      'dead-keep-cells',
      {},
      '1',
      /VIOLATION (unexpected failure: .* (a free cell of|a reply of "relay")|cell lost|no progress: )/,
    ],
    ['call', 'taken-by-looking', TWIN, '0', /VIOLATION (unexpected failure: .* a reply of|seen by a thread: .* twice)/],
  ] as const)('%s: %s', { timeout: BOUND_MS }, async (topic, fault, env, kill, rule) => {
    const given = [topic, '--threads', '4', '--seconds', '60', '--kill', kill, '--bound', '5', '--seed', '9'];
    const { code, out } = await stress(given, { COEXIST_STRESS_FAULT: fault, ...env });
    expect(code).toBe(1);
    expect(out).toMatch(rule);
    expect(out).toMatch(/^ran .* [1-9]\d* violations, seed 9$/m);
  });
});
