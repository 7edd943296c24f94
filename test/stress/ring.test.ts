// The stress command on rings, as a user runs it: a short run closes the books, and each planted fault is seen.

import { describe, expect, test } from 'vitest';
import { BOUND_MS, stress } from '../support/stress.js';

interface Summary {
  readonly ok: boolean;
  readonly operations: number;
  readonly violations: number;
  readonly writers: number;
  readonly drainerDeaths: number;
  readonly deaths: Record<string, number>;
  readonly details: string[];
  readonly books: { attempted: number; delivered: number; dropped: number; open: number; unseen: number };
}

test('whole, once and in order, or counted as dropped, while writers and drainers die', {
  timeout: BOUND_MS,
}, async () => {
  const { code, out, err } = await stress([
    'ring',
    '--threads',
    '3',
    '--seconds',
    '5',
    '--kill',
    '1',
    '--seed',
    '4',
    '--json',
  ]);
  const summary = JSON.parse(out) as Summary;
  expect({ code, err, details: summary.details }).toEqual({ code: 0, err: '', details: [] });
  const { books, operations, writers, deaths, drainerDeaths } = summary;
  expect(summary).toMatchObject({ ok: true, violations: 0, arguments: { seed: 4 } });
  expect(Object.values(deaths).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(0);
  expect(writers).toBeGreaterThan(3);
  expect(operations).toBeGreaterThan(0);
  expect(books.attempted).toBe(books.delivered + books.dropped);
  expect(books.delivered).toBe(operations + books.unseen);
  if (drainerDeaths === 0) expect(books.unseen).toBe(0);
});

test('to a number of records, with nobody dying: the books are exact', { timeout: BOUND_MS }, async () => {
  const { code, out, err } = await stress([
    'ring',
    '--threads',
    '2',
    '--operations',
    '100000',
    '--kill',
    '0',
    '--seed',
    '3',
  ]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const line =
    /^ran .*: (\d+) records seen .*, (\d+) attempted, (\d+) delivered, (\d+) dropped, of those perhaps 0 cut .*, 0 lost .* 0 violations, seed 3$/m;
  const [records, attempted, delivered, dropped] = (line.exec(out) ?? []).slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  expect(records).toBeGreaterThanOrEqual(100_000);
  expect([delivered, dropped]).toEqual([records, attempted - records]);
});

describe('a planted fault is seen', () => {
  test.each([
    [
      'ring-head-not-compared',
      '60',
      [],
      /VIOLATION (record torn|records twice|records out of order|records of another attempt): /,
    ],
    [
      'ring-tail-first',
      '60',
      [],
      /VIOLATION (record torn|records out of order|records of another attempt|records of nobody): /,
    ],
    ['ring-without-lock', '3600', ['--operations', '200000'], /VIOLATION delivered not exact: /],
  ] as const)('%s', { timeout: BOUND_MS }, async (fault, seconds, more, rule) => {
    const given = ['ring', '--threads', '3', '--seconds', seconds, '--kill', '0', '--seed', '9', ...more];
    const { code, out } = await stress(given, { COEXIST_STRESS_FAULT: fault });
    expect(code).toBe(1);
    expect(out).toMatch(rule);
    expect(out).toMatch(/^ran .* [1-9]\d* violations, seed 9$/m);
  });
});
