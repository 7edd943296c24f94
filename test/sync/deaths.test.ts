// The owner of a lock dies, in every way there is, while 1 or 8 threads wait: everyone proceeds, and one of them is told, within
// 200 ms of the death being visible, by a clock that the test holds. For a barrier, everyone is told.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Kind, Told } from '../../workers/lock-plan.js';
import { KINDS, ownerDies, WAYS, Waiters } from '../support/lock-deaths.js';

const BOUND_MS = 200;
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];

let pool: Waiters;
beforeAll(async () => {
  pool = await Waiters.start(8);
});
afterAll(() => pool.end());

function expectTold(kind: Kind, answers: readonly Told[]): void {
  const told = answers.filter((answer) => answer.told);
  const broken = kind === 'barrier';
  expect(told.length, `${kind}: told`).toBe(broken ? answers.length : 1);
  for (const { outcome, at } of answers) {
    expect(outcome, kind).toBe(broken ? 'COEXIST_EBROKEN' : 'ok');
    expect(at, `${kind}: virtual ms since the death was visible`).toBeLessThanOrEqual(BOUND_MS);
  }
}

describe.each(WAYS)('the owner dies: %s', (way) => {
  // One owner of all kinds; each has a waiter of its own.
  test.each(['sync', 'async'] as const)('with one waiter for each kind, %s', async (form) => {
    const cases = KINDS.map((kind, k) => ({ kind, form, waiters: [k] }));
    const answers = await ownerDies(pool, way, cases);
    for (const [k, { kind }] of cases.entries()) expectTold(kind, answers[k] as Told[]);
  });

  test.each(KINDS)('with 8 blocked threads: %s', async (kind) => {
    const [answers] = await ownerDies(pool, way, [{ kind, form: 'sync', waiters: EIGHT }]);
    expectTold(kind, answers as Told[]);
  });

  test('with 8 threads that wait for every kind at once, asynchronously', async () => {
    const cases = KINDS.map((kind) => ({ kind, form: 'async' as const, waiters: EIGHT }));
    const answers = await ownerDies(pool, way, cases);
    for (const [k, { kind }] of cases.entries()) expectTold(kind, answers[k] as Told[]);
  });
});
