// Clause 50: the semaphore: permits derived from what the rows say, every change one store under the inner lock.

import { Semaphore, type SemaphoreGuard } from 'coexist/sync';
import { describe, expect, test, vi } from 'vitest';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { callIn, takeIn } from '../support/lock-actors.js';
import {
  D,
  forgottenThread,
  GUARDED,
  HOLDERS,
  type LockBytes,
  lockMemory,
  row,
  untilAsleep,
  W,
  type Words,
} from '../support/lock-memory.js';
import { outOfTime, withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const holders = HOLDERS;
const now = { timeout: 0 };

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (permits: number, words: Words = {}): { bytes: LockBytes; semaphore: Semaphore } => {
    const bytes = lockMemory(backend, 'semaphore', words);
    return { bytes, semaphore: on(backend, () => Semaphore.at(bytes.memory, bytes.at, { permits, holders })) };
  };
  const made = (permits: number): Words => ({ holders, permits: permits + 1 });
  /** All words but the inner lock's token, which counts every use. */
  const state = (bytes: LockBytes): Words => {
    const { token: _, ...rest } = bytes.words();
    return rest;
  };

  test('available: permits - 1 + released - the counts of all rows', () => {
    for (const [permits, released, counts, expected] of [
      [0, 0, [], 0],
      [5, 0, [1, 2], 2],
      [5, 3, [1, 2], 5],
      [5, -2, [1], 2],
      [0, 4, [4], 0],
    ] as const) {
      const rows = Object.assign({}, ...counts.map((count, k) => row(k, Y + BigInt(k), count)));
      const { bytes, semaphore } = forged(permits, { ...(released ? { released } : {}), ...rows, holders_used: 4 });
      const before = bytes.words();
      expect(semaphore.available()).toBe(expected);
      expect(bytes.words()).toEqual(before);
    }
  });

  test('acquire: count + n in the own row; release: count - n, and the row is free where that is 0', async () => {
    const { bytes, semaphore } = forged(9, { holders_used: 1, ...row(0, Y, 1) });
    const before = state(bytes);
    const guards = [
      semaphore.acquire(),
      semaphore.acquire({ permits: 2 }),
      semaphore.tryAcquire(),
      await semaphore.acquireAsync({ permits: 3, timeout: 0 }),
    ] as SemaphoreGuard[];
    expect(guards.map(({ permits, held, ownerDied }) => [permits, held, ownerDied])).toEqual(
      [1, 2, 1, 3].map((permits) => [permits, true, false]),
    );
    expect([state(bytes), semaphore.available()]).toEqual([{ ...before, holders_used: 2, ...row(1, X, 7) }, 1]);
    expect(semaphore.tryAcquire(2)).toBeUndefined();
    for (const [k, left] of [6, 4, 3].entries()) {
      guards[k]?.release();
      expect(state(bytes)).toEqual({ ...before, holders_used: 2, ...row(1, X, left) });
    }
    guards[3]?.[Symbol.dispose]();
    guards[3]?.[Symbol.dispose]();
    for (const guard of guards) {
      expect(guard.held).toBe(false);
      failure('COEXIST_ENOTOWNER', () => guard.release());
      failure('COEXIST_ENOTOWNER', () => guard.forget());
    }
    expect([state(bytes), bytes.harmed()]).toEqual([{ ...before, holders_used: 2 }, []]);
  });

  test('forget: released - n, then count - n: the permits are gone for good', () => {
    const { bytes, semaphore } = forged(3);
    const [first, second] = [semaphore.acquire({ permits: 2 }), semaphore.acquire()];
    const stored: unknown[] = [];
    for (const method of ['sub', 'store', 'add'] as const) {
      const original = Atomics[method] as (view: Int32Array, index: number, value: number) => number;
      vi.spyOn(Atomics, method as 'store').mockImplementation(((view: Int32Array, index: number, value: number) => {
        const result = original.call(Atomics, view, index, value);
        const name = ['released', 'row0.count'].find(
          (word) => bytes.futexOf(word) === index && view.BYTES_PER_ELEMENT === 4,
        );
        if (name !== undefined) stored.push([name, bytes.read(name)]);
        return result;
      }) as never);
    }
    first.forget();
    vi.restoreAllMocks();
    expect(stored).toEqual([
      ['released', -2],
      ['row0.count', 1],
    ]);
    expect([state(bytes), semaphore.available()]).toEqual([
      { ...made(3), holders_used: 1, released: -2, ...row(0, X, 1) },
      0,
    ]);
    second.forget();
    expect(state(bytes)).toEqual({ ...made(3), holders_used: 1, released: -3 });
    semaphore.release(3);
    expect([state(bytes), semaphore.available()]).toEqual([{ ...made(3), holders_used: 1 }, 3]);
  });

  test('release without a guard: released + n, up to 2147483646 permits in all, else COEXIST_EOVERFLOW', () => {
    const { bytes, semaphore } = forged(1);
    semaphore.release();
    semaphore.release(4);
    expect([state(bytes), semaphore.available()]).toEqual([{ ...made(1), released: 5 }, 6]);
    semaphore.release(2 ** 31 - 8);
    expect([semaphore.available(), bytes.read('released')]).toEqual([2 ** 31 - 2, 2 ** 31 - 3]);
    const before = state(bytes);
    for (const more of [1, 2 ** 31 - 2]) {
      expect(failure('COEXIST_EOVERFLOW', () => semaphore.release(more)).found).toBe(2 ** 31 - 2 + more);
    }
    expect([state(bytes), bytes.read('owner')]).toEqual([before, 0n]);
  });

  test.each([0, -1, 0.5, Number.NaN, 2 ** 31 - 1, '1'])(
    '%j permits: COEXIST_EINVAL, nothing changed',
    async (wrong) => {
      const { bytes, semaphore } = forged(3);
      const permits = wrong as number;
      expect(failure('COEXIST_EINVAL', () => semaphore.acquire({ permits })).found).toBe(wrong);
      failure('COEXIST_EINVAL', () => semaphore.tryAcquire(permits));
      failure('COEXIST_EINVAL', () => semaphore.release(permits));
      await rejection('COEXIST_EINVAL', semaphore.acquireAsync({ permits }));
      expect(bytes.words()).toEqual(made(3));
    },
  );

  test('a guard whose row says less is not the owner', () => {
    const { bytes, semaphore } = forged(9);
    const guards = [semaphore.acquire({ permits: 2 }), semaphore.acquire({ permits: 2 })];
    bytes.plant({ 'row0.count': 1 });
    failure('COEXIST_ENOTOWNER', () => guards[0]?.release());
    expect(state(bytes)).toEqual({ ...made(9), holders_used: 1, ...row(0, X, 1) });
    bytes.plant({ 'row0.identity': Y });
    failure('COEXIST_ENOTOWNER', () => guards[1]?.release());
    expect(state(bytes)).toEqual({ ...made(9), holders_used: 1, ...row(0, Y, 1) });
  });

  test('a wait: waiters = 1, the inner lock left, asleep on turn, 50 ms at most', () => {
    const { bytes, semaphore } = forged(1, { turn: 6, holders_used: 1, ...row(0, Y, 1) });
    const { sleeps, result } = withSleeps(
      () => semaphore.acquire(),
      (n, { index, value, ms }) => {
        expect([index, value, ms]).toEqual([bytes.futexOf('turn'), 6 + n, 50]);
        expect([bytes.read('waiters'), bytes.read('owner')]).toEqual([1, 0n]);
        bytes.plant(n === 0 ? { turn: 7, waiters: 0 } : { 'row0.count': 0 });
      },
    );
    expect([sleeps.length, result?.ownerDied]).toEqual([2, false]);
    expect(state(bytes)).toEqual({ ...made(1), turn: 7, waiters: 1, holders_used: 2, ...row(0, Y), ...row(1, X, 1) });
  });

  test('release, forget and release without a guard: turn + 1, waiters = 0, all woken, where waiters is 1', () => {
    for (const waiters of [0, 1]) {
      const { bytes, semaphore } = forged(4, { turn: 0xffffffff });
      const [first, second] = [semaphore.acquire(), semaphore.acquire()];
      const ways = [() => first.release(), () => second.forget(), () => semaphore.release()];
      for (const [k, change] of ways.entries()) {
        bytes.plant({ waiters });
        bytes.sleepers('turn', 2);
        change();
        expect([bytes.read('turn'), bytes.read('waiters')]).toEqual([waiters === 1 ? k : 0xffffffff, 0]);
        expect(bytes.asleep('turn')).toBe(waiters === 1 ? 0 : 2);
      }
    }
  });

  test('one that gives up clears waiters, moves turn and wakes all; else it leaves no trace', async () => {
    const words = { turn: 6, holders_used: 1, ...row(0, Y, 1) };
    const { bytes, semaphore } = forged(1, words);
    const { error } = withSleeps(
      () => semaphore.acquire({ timeout: 60 }),
      (n) => n === 1 && bytes.sleepers('turn', 2),
    );
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect([state(bytes), bytes.asleep('turn')]).toEqual([{ ...made(1), ...words, turn: 7 }, 0]);
    await rejection(
      'COEXIST_ETIMEDOUT',
      outOfTime((options) => semaphore.acquireAsync(options)),
    );
    expect(state(bytes)).toEqual({ ...made(1), ...words, turn: 8 });
    const controller = new AbortController();
    const waiting = semaphore.acquireAsync({ signal: controller.signal });
    expect(state(bytes)).toEqual({ ...made(1), ...words, turn: 8, waiters: 1 });
    controller.abort();
    await rejection('COEXIST_EABORTED', waiting);
    expect(state(bytes)).toEqual({ ...made(1), ...words, turn: 9 });
  });

  test('one that never waited leaves those who do alone', async () => {
    const words = { turn: 6, waiters: 1, holders_used: 1, ...row(0, Y, 1) };
    const { bytes, semaphore } = forged(1, words);
    bytes.sleepers('turn', 2);
    failure('COEXIST_ETIMEDOUT', () => semaphore.acquire(now));
    expect(semaphore.tryAcquire()).toBeUndefined();
    await rejection('COEXIST_ETIMEDOUT', semaphore.acquireAsync(now));
    expect([state(bytes), bytes.asleep('turn')]).toEqual([{ ...made(1), ...words }, 2]);
    const token = bytes.read('token');
    const signal = AbortSignal.abort();
    failure('COEXIST_EABORTED', () => semaphore.acquire({ signal }));
    await rejection('COEXIST_EABORTED', semaphore.acquireAsync({ signal }));
    failure('COEXIST_EINVAL', () => semaphore.acquire({ timeout: -1 }));
    expect([state(bytes), bytes.read('token')]).toEqual([{ ...made(1), ...words }, token]);
  });

  test('before it gives up, rows of dead threads are emptied, and whoever gets their permits is told', async () => {
    const rows = { ...row(0, dead, 2), ...row(1, Y, 1), ...row(2, EARLIER_NAMESAKE, 1) };
    const takes = [
      (semaphore: Semaphore) => semaphore.acquire(now),
      (semaphore: Semaphore) => semaphore.tryAcquire(),
      (semaphore: Semaphore) => semaphore.acquireAsync({ timeout: 1 }),
    ];
    for (const take of takes) {
      const { bytes, semaphore } = forged(4, { holders_used: 3, ...rows });
      expect((await take(semaphore))?.ownerDied).toBe(true);
      expect(state(bytes)).toMatchObject({ ...row(0, X, 1), ...row(1, Y, 1) });
      expect([bytes.read('row2.identity'), bytes.read('row2.count'), semaphore.available()]).toEqual([0n, 0, 2]);
      expect(semaphore.acquire().ownerDied).toBe(false);
    }
    const { bytes, semaphore } = forged(4, { holders_used: 3, ...rows });
    failure('COEXIST_ETIMEDOUT', () => semaphore.acquire({ permits: 4, timeout: 0 }));
    expect(state(bytes)).toEqual({ ...made(4), holders_used: 3, ...row(1, Y, 1) });
  });

  test('and after each sleep', () => {
    const { bytes, semaphore } = forged(1, { holders_used: 1, ...row(0, Y, 1) });
    const { sleeps, result } = withSleeps(
      () => semaphore.acquire(),
      (n) => n === 2 && bytes.plant({ 'row0.identity': dead }),
    );
    expect([sleeps.length, result?.ownerDied]).toEqual([3, true]);
    expect(state(bytes)).toEqual({ ...made(1), waiters: 1, holders_used: 1, ...row(0, X, 1) });
  });

  test.each([
    ['of a dead thread', dead],
    ['of a dead thread, with waiters', dead | W],
    ['that was taken over before', D | dead | W],
    ['of this thread, which was cut inside', X],
    ['of this thread, cut with waiters', X | W],
    ['of this thread, cut after a takeover', D | X | W],
  ])('the inner lock %s is taken over, and D is cleared', async (_, owner) => {
    const uses: ((semaphore: Semaphore) => unknown)[] = [
      (semaphore) => semaphore.acquire(),
      (semaphore) => semaphore.release(),
      (semaphore) => semaphore.acquireAsync(),
    ];
    for (const use of uses) {
      const { bytes, semaphore } = forged(3, { owner, token: 4 });
      const { result, error } = withSleeps(() => use(semaphore));
      await result;
      expect([error, bytes.read('owner'), (bytes.read('token') as number) % GUARDED]).toEqual([undefined, 0n, 5]);
      expect(semaphore.available()).not.toBe(3);
    }
  });

  test('who holds the inner lock is waited for, not counted against the time', () => {
    const { bytes, semaphore } = forged(1, { owner: Y });
    const { sleeps, result } = withSleeps(
      () => semaphore.acquire(now),
      (n) => n === 3 && bytes.plant({ owner: 0n }),
    );
    expect([sleeps.length, result?.permits, bytes.read('owner')]).toEqual([4, 1, 0n]);
  });

  test('threads: permits go round, those of the dead come back', async () => {
    const { bytes, semaphore } = forged(2);
    const [first, second] = await Promise.all([startActor('wasm'), startActor('twin')]);
    const options = { permits: 2, holders };
    const take = (actor: typeof first, permits: number) =>
      takeIn(actor, bytes, { kind: 'Semaphore', method: 'acquire', options, more: { permits } });
    expect(await take(first, 2)).toEqual({ ownerDied: false });
    const waiting = take(second, 1);
    await untilAsleep(bytes, 'turn');
    expect([semaphore.available(), bytes.read('waiters')]).toEqual([0, 1]);
    await callIn(first, 'release');
    expect(await waiting).toEqual({ ownerDied: false });
    await callIn(second, 'release');
    await take(first, 2);
    const again = take(second, 2);
    await untilAsleep(bytes, 'turn');
    await kill(first);
    expect(await again).toEqual({ ownerDied: true });
    expect(state(bytes)).toMatchObject({ ...made(2), [`row0.count`]: 2, 'row0.identity': await identityOf(second) });
    await callIn(second, 'forget');
    await kill(second);
    expect([semaphore.tryAcquire(), semaphore.available(), bytes.harmed()]).toEqual([undefined, 0, []]);
  });
});
