// The stress command on locks, as a user runs it: a short run holds every invariant, and each planted fault is seen.

import { describe, expect, test } from 'vitest';
import { BOUND_MS, stress } from '../support/stress.js';

interface Summary {
  readonly ok: boolean;
  readonly started: number;
  readonly deaths: Record<string, number>;
  readonly violations: number;
  readonly operations: number;
  readonly holding: number;
  readonly unsure: number;
  readonly told: number;
  readonly arguments: { seed: number };
  readonly details: string[];
}

const deathsOf = ({ deaths }: Summary): number => Object.values(deaths).reduce((sum, n) => sum + n, 0);

describe('a run holds every invariant', () => {
  for (const topic of ['mutex', 'rwlock', 'once', 'condvar', 'semaphore']) {
    test(`${topic}, while threads die`, { timeout: BOUND_MS }, async () => {
      const given = [topic, '--threads', '3', '--seconds', '4', '--kill', '1', '--seed', '20240818', '--json'];
      const { code, out, err } = await stress(given);
      const summary = JSON.parse(out) as Summary;
      expect({ code, err, details: summary.details }).toEqual({ code: 0, err: '', details: [] });
      expect(summary).toMatchObject({ ok: true, violations: 0, arguments: { seed: 20240818 } });
      expect(summary.operations).toBeGreaterThan(0);
      expect(deathsOf(summary)).toBeGreaterThan(0);
      expect(summary.started).toBeGreaterThan(3);
      expect(summary.told).toBeLessThanOrEqual(deathsOf(summary));
    });
  }

  for (const topic of ['mutex', 'rwlock', 'once', 'condvar', 'semaphore', 'barrier']) {
    test(`${topic}, to a number of operations`, { timeout: BOUND_MS }, async () => {
      const given = [topic, '--threads', '2', '--operations', '20000', '--kill', '0', '--seed', '3'];
      const { code, out, err } = await stress(given);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const operations = Number(/^ran \d+\.\d s: (\d+) operations, .* 0 violations, seed 3$/m.exec(out)?.[1]);
      expect(operations).toBeGreaterThanOrEqual(20_000);
    });
  }
});

describe('a planted fault is seen', () => {
  interface Fault {
    readonly fault: string;
    readonly topic: string;
    readonly kill?: string;
    /** Where it is one of the JavaScript twin. */
    readonly twin?: boolean;
    readonly rule: RegExp;
  }
  const faults: Fault[] = [
    { fault: 'no-lock', topic: 'mutex', rule: /VIOLATION (two inside|counter not exact): / },
    { fault: 'unlock-early', topic: 'mutex', rule: /VIOLATION (two inside|counter not exact): / },
    { fault: 'check-then-set', topic: 'mutex', twin: true, rule: /VIOLATION (two inside|unexpected failure): / },
    { fault: 'told-nobody', topic: 'mutex', kill: '1', rule: /VIOLATION death not told: expected 1, found 0/ },
    { fault: 'no-takeover', topic: 'mutex', kill: '1', rule: /VIOLATION no progress: / },
    { fault: 'no-lock', topic: 'rwlock', rule: /VIOLATION (two inside|a change seen while reading): / },
    {
      fault: 'reader-does-not-look',
      topic: 'rwlock',
      twin: true,
      rule: /VIOLATION (two inside|a change seen while reading): /,
    },
    { fault: 'no-takeover', topic: 'once', kill: '1', rule: /VIOLATION no progress: / },
    { fault: 'run-twice', topic: 'once', rule: /VIOLATION initialised twice: / },
    { fault: 'no-notify', topic: 'condvar', rule: /VIOLATION no progress: / },
    { fault: 'wake-not-counted', topic: 'condvar', twin: true, rule: /VIOLATION no progress: / },
    { fault: 'extra-permit', topic: 'semaphore', rule: /VIOLATION more inside than permits: expected 2, found 3/ },
    { fault: 'no-wait', topic: 'barrier', rule: /VIOLATION phase not complete: / },
  ];
  for (const { fault, topic, kill = '0', twin = false, rule } of faults) {
    test(`${topic}: ${fault}`, { timeout: BOUND_MS }, async () => {
      const seconds = fault === 'told-nobody' ? '6' : '60';
      const given = [topic, '--threads', '4', '--seconds', seconds, '--kill', kill, '--bound', '2', '--seed', '9'];
      const env = { COEXIST_STRESS_FAULT: fault, ...(twin ? { COEXIST_NO_WASM: '1' } : {}) };
      const { code, out } = await stress(given, env);
      expect(code).toBe(1);
      expect(out).toMatch(rule);
      expect(out).toMatch(/^ran .* [1-9]\d* violations, seed 9$/m);
    });
  }
});

test('refused: a barrier with deaths', async () => {
  expect(await stress(['barrier', '--kill', '0.5'])).toEqual({
    code: 2,
    out: '',
    err: 'stress: --kill is "0.5", but a death breaks a barrier\nnpm run stress -- --help says more.\n',
  });
});
