// Clause 47: the condition variable: a wake goes to somebody who was waiting when it was given, one wake is one return.

import { Condvar, Mutex, type MutexGuard } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure, rejection } from '../support/failures.js';
import { D, GUARDED, type LockBytes, lockBytes, lockMemory, untilAsleep, type Words } from '../support/lock-memory.js';
import { withSleeps } from '../support/sleeps.js';
import { ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const LAST = 0xffffffff;
const soon = { timeout: 20_000 };

interface Forged {
  readonly bytes: LockBytes;
  readonly lock: LockBytes;
  readonly condvar: Condvar;
  readonly mutex: Mutex;
}

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (words: Words = {}): Forged => {
    const bytes = lockMemory(backend, 'condvar', words);
    const lock = lockBytes(bytes.memory, 'mutex', 8192);
    new Uint8Array(bytes.buffer).fill(0, lock.at, lock.at + lock.size);
    return on(backend, () => ({
      bytes,
      lock,
      condvar: Condvar.at(bytes.memory, bytes.at),
      mutex: Mutex.at(bytes.memory, lock.at),
    }));
  };

  test.each([
    // waiters, wakes, taken, then wakes after notify() and after notifyAll()
    [1, 0, 0, 1, 1],
    [3, 0, 0, 1, 3],
    [3, 7, 5, 8, 8],
    [3, 8, 5, 8, 8],
    [2, 9, 5, 9, 9],
    [1, LAST, LAST, 0, 0],
    [4, 1, LAST, 2, 3],
    [3, LAST - 1, LAST - 2, LAST, 0],
  ])(
    '%i waiters, %i wakes, %i taken: a notification gives min(n, waiters - pending)',
    (waiters, wakes, taken, one, all) => {
      for (const [notify, after, left] of [['notify', one, 2] as const, ['notifyAll', all, 0] as const]) {
        const { bytes, condvar } = forged({ sequence: 11, waiters, wakes, taken });
        bytes.sleepers('sequence', 3);
        condvar[notify]();
        const words = Object.entries({ sequence: 12, waiters, wakes: after, taken }).filter(([, value]) => value !== 0);
        expect(bytes.words()).toEqual(Object.fromEntries(words));
        expect(bytes.asleep('sequence')).toBe(left);
      }
    },
  );

  test('without waiters a notification does nothing', () => {
    const words = { sequence: 4, wakes: 9, taken: 7 };
    const { bytes, condvar } = forged(words);
    bytes.sleepers('sequence', 1);
    condvar.notify();
    condvar.notifyAll();
    expect([bytes.words(), bytes.asleep('sequence')]).toEqual([words, 1]);
  });

  test('a blocking wait: waiters + 1, the mutex released, asleep on sequence, 50 ms at most', () => {
    for (const sequence of [0, 5, LAST]) {
      const { bytes, lock, condvar, mutex } = forged({ sequence });
      const guard = mutex.lock();
      const { sleeps, error } = withSleeps(
        () => condvar.wait(guard),
        (n, { index, value, ms }) => {
          expect([index, value]).toEqual([bytes.futexOf('sequence'), sequence | 0]);
          expect(ms).toBe(50);
          expect([bytes.read('waiters'), bytes.read('sequence'), lock.read('owner')]).toEqual([1, sequence, 0n]);
          if (n === 2) on(backend, () => Condvar.at(bytes.memory, bytes.at)).notify();
        },
      );
      expect([sleeps.length, error]).toEqual([3, undefined]);
      const after = (sequence + 1) >>> 0;
      expect(bytes.words()).toEqual({ ...(after === 0 ? {} : { sequence: after }), wakes: 1, taken: 1 });
      expect([lock.words(), guard.held, bytes.harmed().length]).toEqual([{ owner: X, token: 2 }, true, 4]);
    }
  });

  test('a moved sequence alone ends no wait, nor does a wake alone; both together do', () => {
    const { bytes, condvar, mutex } = forged({ sequence: 3, wakes: 2, taken: 2 });
    const guard = mutex.lock();
    const values: number[] = [];
    const { error } = withSleeps(
      () => condvar.wait(guard),
      (n, { value }) => {
        values.push(value);
        if (n === 0) bytes.plant({ sequence: 4 });
        if (n === 1) bytes.plant({ sequence: 3, wakes: 3 });
        if (n === 2) bytes.plant({ sequence: 6 });
      },
    );
    expect(error).toBeUndefined();
    expect([values, bytes.words()]).toEqual([[3, 4, 3], { sequence: 6, wakes: 3, taken: 3 }]);
  });

  test('one that is woken for a notification before its time wakes one other', () => {
    const { bytes, condvar, mutex } = forged({ sequence: 3, waiters: 1, wakes: 1 });
    const guard = mutex.lock();
    const { error } = withSleeps(
      () => condvar.wait(guard, { timeout: 60 }),
      (n) => {
        if (n === 0) bytes.sleepers('sequence', 3);
        return n < 2 ? 'woken' : 'slept';
      },
    );
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    // Woken twice, and then not: one wake, once in a wait.
    expect([bytes.words(), bytes.asleep('sequence')]).toEqual([{ sequence: 3, waiters: 1, wakes: 1 }, 2]);
  });

  test.each(['wait', 'waitFor'])('%s: time and signal take the mutex again and leave no trace', async (method) => {
    const words = { sequence: 8, waiters: 2, wakes: 5, taken: 5 };
    const { bytes, lock, condvar, mutex } = forged(words);
    const guard = mutex.lock();
    const never = (): boolean => false;
    const wait = (options: object): void =>
      method === 'wait' ? condvar.wait(guard, options) : condvar.waitFor(guard, never, options);
    const waitAsync = (options: object): Promise<void> =>
      method === 'wait' ? condvar.waitAsync(guard, options) : condvar.waitForAsync(guard, never, options);
    failure('COEXIST_EABORTED', () => wait({ signal: AbortSignal.abort() }));
    await rejection('COEXIST_EABORTED', waitAsync({ signal: AbortSignal.abort() }));
    failure('COEXIST_EINVAL', () => wait({ timeout: -1 }));
    await rejection('COEXIST_EINVAL', waitAsync({ timeout: Number.NaN }));
    expect([bytes.words(), lock.words()]).toEqual([words, { owner: X, token: 1 }]);
    for (const timeout of [0, 5, 60]) failure('COEXIST_ETIMEDOUT', () => wait({ timeout }));
    expect([bytes.words(), guard.held]).toEqual([words, true]);
    for (const timeout of [0, 60]) await rejection('COEXIST_ETIMEDOUT', waitAsync({ timeout }));
    const controller = new AbortController();
    const waiting = waitAsync({ signal: controller.signal });
    expect([bytes.read('waiters'), lock.read('owner')]).toEqual([3, 0n]);
    controller.abort();
    await rejection('COEXIST_EABORTED', waiting);
    expect([bytes.words(), lock.read('owner'), guard.held]).toEqual([words, X, true]);
  });

  test('a guard that is not held: COEXIST_ENOTOWNER, nothing changed', async () => {
    const words = { sequence: 8, waiters: 2 };
    const { bytes, lock, condvar, mutex } = forged(words);
    const guard = mutex.lock();
    guard.unlock();
    failure('COEXIST_ENOTOWNER', () => condvar.wait(guard));
    failure('COEXIST_ENOTOWNER', () => condvar.waitFor(guard, () => false));
    await rejection('COEXIST_ENOTOWNER', condvar.waitAsync(guard));
    await rejection(
      'COEXIST_ENOTOWNER',
      condvar.waitForAsync(guard, () => false),
    );
    expect([bytes.words(), lock.words()]).toEqual([words, { token: 1 }]);
  });

  test('a mutex that cannot be taken again: COEXIST_ENOTRECOVERABLE, waiters as before', () => {
    const { bytes, lock, condvar, mutex } = forged();
    const guard = mutex.lock();
    const { error } = withSleeps(
      () => condvar.wait(guard, { timeout: 20 }),
      () => lock.plant({ owner: D }),
    );
    expect(error).toMatchObject({ code: 'COEXIST_ENOTRECOVERABLE' });
    expect([bytes.words(), lock.words(), guard.held]).toEqual([{}, { owner: D, token: 1 }, false]);
  });

  test('the mutex is taken again without limit, whoever holds it meanwhile, and tells of a dead owner', () => {
    const { lock, condvar, mutex } = forged();
    const guard = mutex.lock();
    const dead = (1n << 22n) | 0n;
    const { sleeps, error } = withSleeps(
      () => condvar.wait(guard, { timeout: 20 }),
      (n) => {
        if (n === 0) lock.plant({ owner: UNKNOWABLE });
        if (n === 9) lock.plant({ owner: dead });
      },
    );
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect([sleeps.length, guard.held, guard.ownerDied]).toEqual([10, true, true]);
  });

  test('waitFor looks before it waits, after each notification, and at the end of each sleep', () => {
    const { bytes, lock, condvar, mutex } = forged();
    const guard = mutex.lock();
    const looks: (number | bigint)[] = [];
    condvar.waitFor(guard, () => true);
    expect([bytes.words(), lock.words()]).toEqual([{}, { owner: X, token: 1 }]);
    const { sleeps, error } = withSleeps(
      () => condvar.waitFor(guard, () => looks.push(lock.read('owner')) === 4),
      (n) => n === 1 && on(backend, () => Condvar.at(bytes.memory, bytes.at)).notifyAll(),
    );
    expect([sleeps.length, error, looks]).toEqual([3, undefined, [X, X, X, X]]);
    expect(bytes.words()).toEqual({ sequence: 1, wakes: 1, taken: 1 });
    const expected = new Error('expected');
    const throwing = (): boolean => {
      throw expected;
    };
    expect(() => condvar.waitFor(guard, throwing)).toThrow(expected);
    expect([guard.held, bytes.read('waiters')]).toEqual([true, 0]);
  });

  test('flows of one thread: one notify, one return; notifyAll returns the rest', async () => {
    const { bytes, lock, condvar, mutex } = forged();
    const returned: number[] = [];
    const flows: Promise<void>[] = [];
    const enter = async (k: number): Promise<void> => {
      const guard = await mutex.lockAsync(soon);
      // Counted before the mutex is released, so that who locks it next sees a waiter.
      flows.push(
        condvar.waitAsync(guard, soon).then(() => {
          returned.push(k);
          guard.unlock();
        }),
      );
    };
    for (let k = 0; k < 4; k++) {
      await enter(k);
      expect([bytes.read('waiters'), lock.read('owner')]).toEqual([k + 1, 0n]);
    }
    condvar.notify();
    expect(bytes.words()).toEqual({ sequence: 1, waiters: 4, wakes: 1 });
    await Promise.race(flows);
    expect([returned.length, bytes.words()]).toEqual([1, { sequence: 1, waiters: 3, wakes: 1, taken: 1 }]);
    // Who begins now has no part in what was notified before.
    await enter(4);
    condvar.notifyAll();
    condvar.notifyAll();
    await Promise.all(flows);
    expect(returned.sort()).toEqual([0, 1, 2, 3, 4]);
    expect(bytes.words()).toEqual({ sequence: 3, wakes: 5, taken: 5 });
    expect((lock.read('token') as number) >= GUARDED).toBe(true);
  });

  test('threads: a wake for one who waited; a dead waiter’s place costs nothing but its count', async () => {
    const { bytes, lock, condvar, mutex } = forged();
    const actors = await Promise.all([startActor('wasm'), startActor('twin')]);
    const wait = (k: 0 | 1): Promise<boolean> =>
      actors[k].run(
        async ({ load }, { url, memory, at, lockAt }) => {
          const { Condvar, Mutex } = await load(url);
          const guard = Mutex.at(memory, lockAt).lock();
          Condvar.at(memory, at).wait(guard, { timeout: 15_000 });
          const { held } = guard;
          guard.unlock();
          return held;
        },
        { url: copyUrl(k === 0 ? 'a' : 'b', 'core.js'), memory: bytes.memory, at: bytes.at, lockAt: lock.at },
      );
    const runs = [wait(0), wait(1)];
    runs[0]?.catch(() => {});
    await untilAsleep(bytes, 'sequence', 2);
    expect(bytes.words()).toEqual({ waiters: 2 });
    // Blocked as it is, it runs no handler; who notifies does not care whether it is gone already.
    await actors[0].terminate();
    const guard: MutexGuard = mutex.lock();
    condvar.notify();
    // The one that lives may have taken it by now.
    expect([bytes.read('sequence'), bytes.read('wakes')]).toEqual([1, 1]);
    guard.unlock();
    expect(await runs[1]).toBe(true);
    expect(bytes.words()).toEqual({ sequence: 1, waiters: 1, wakes: 1, taken: 1 });
    expect(lock.read('owner')).toBe(0n);
    await expect(runs[0]).rejects.toThrow();
    await actors[1].terminate();
  });
});
