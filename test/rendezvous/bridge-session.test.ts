// What the bridge does with the inspector: one connection to main, one evaluation, one disconnection, whatever the outcome. No
// other domain is enabled, so nothing can pause main.

import { expect, test } from 'vitest';
import type { Body, Outcome } from '../../workers/program.js';
import { program } from '../support/program.js';

interface Recorded {
  readonly calls: string[];
  readonly outcome: Outcome;
}

type Attempt = 'attach' | 'attachAsync' | 'too late' | 'aborted';

const attempt: Body<Attempt, Recorded> = ({ spawn }, how) =>
  spawn(async ({ attach, attachAsync }, how): Promise<Recorded> => {
    const { Session } = process.getBuiltinModule('node:inspector');
    const calls: string[] = [];
    for (const name of ['connect', 'connectToMainThread', 'post', 'disconnect'] as const) {
      const original = Session.prototype[name] as (...args: unknown[]) => unknown;
      Session.prototype[name] = function (this: unknown, ...args: unknown[]) {
        calls.push(name === 'post' ? `post ${args[0]}` : name);
        return original.apply(this, args);
      } as never;
    }
    const controller = new AbortController();
    if (how === 'aborted') queueMicrotask(() => controller.abort());
    const outcome = await {
      attach: () => attach(),
      attachAsync: () => attachAsync(),
      'too late': () => attach('a', { timeout: 0 }),
      aborted: () => attachAsync('a', { signal: controller.signal }),
    }[how]();
    return { calls, outcome };
  }, how).result;

const once = ['connectToMainThread', 'post Runtime.evaluate', 'disconnect'];

test.each(['attach', 'attachAsync'] as const)('%s()', async (how) => {
  const { result, stderr } = await program(attempt, { args: how });
  expect(result.outcome.code).toBe('');
  expect(result.calls).toEqual(once);
  expect(stderr).toBe('');
});

test('an error in main', async () => {
  const { result, stderr } = await program(attempt, { args: 'attach', env: { COEXIST_SLOTS: '0' } });
  expect(result.outcome.code).toBe('COEXIST_EINVAL');
  expect(result.calls).toEqual(once);
  expect(stderr).toBe('');
});

test('no time to wait', async () => {
  const { result, stderr } = await program(attempt, { args: 'too late' });
  // An answer may have come before the first look at the clock.
  expect(['', 'COEXIST_ERENDEZVOUS']).toContain(result.outcome.code);
  expect(result.calls).toEqual(once);
  expect(stderr).toBe('');
});

test('an abort', async () => {
  const { result, stderr } = await program(attempt, { args: 'aborted' });
  expect(['', 'COEXIST_EABORTED']).toContain(result.outcome.code);
  expect(result.calls.filter((call) => call === 'connectToMainThread')).toHaveLength(
    result.calls.filter((call) => call === 'disconnect').length,
  );
  expect(stderr).toBe('');
});

test('switched off, it is not touched', async () => {
  const { result, stderr } = await program(attempt, { args: 'attach', env: { COEXIST_NO_INSPECTOR: '1' } });
  expect(result.outcome.code).toBe('COEXIST_ERENDEZVOUS');
  expect(result.calls).toEqual([]);
  expect(stderr).toBe('');
});
