// Clause 42: the owner word and the token, every row of the table, on a mutex whose state is written by hand.

import { Mutex, type MutexGuard } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { D, forgottenThread, GUARDED, heldBy, type LockBytes, lockMemory, W } from '../support/lock-memory.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
/** Lives, as far as anybody can tell. */
const Y = UNKNOWABLE;
const dead = await forgottenThread();

const BUSY = heldBy('Y', Y);
const OWN = heldBy('X', X);
const LEFT: [string, bigint][] = [
  ...heldBy('dead', dead),
  ['a thread that there is not', NO_SUCH_THREAD],
  ['an earlier thread with the own id', EARLIER_NAMESAKE],
];

const METHODS = ['lock', 'lockAsync', 'tryLock'] as const;
type Method = (typeof METHODS)[number];

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (owner: bigint, token = 0): { bytes: LockBytes; mutex: Mutex } => {
    const bytes = lockMemory(backend, 'mutex', { owner, token });
    return { bytes, mutex: on(backend, () => Mutex.at(bytes.memory, bytes.at)) };
  };
  const take = async (mutex: Mutex, method: Method): Promise<MutexGuard> => {
    const guard = method === 'tryLock' ? mutex.tryLock() : await mutex[method]({ timeout: 0 });
    if (guard === undefined) throw new Error('not taken');
    return guard;
  };
  /** Takes the lock, and then makes its word another. */
  const held = (owner: bigint): { bytes: LockBytes; mutex: Mutex; guard: MutexGuard } => {
    const { bytes, mutex } = forged(0n, 6);
    const guard = mutex.lock();
    bytes.plant({ owner });
    return { bytes, mutex, guard };
  };

  describe.each(METHODS)('%s', (method) => {
    test('0: CAS 0 → X', async () => {
      const { bytes, mutex } = forged(0n);
      const guard = await take(mutex, method);
      expect(bytes.words()).toEqual({ owner: X, token: method === 'lockAsync' ? GUARDED + 1 : 1 });
      expect([guard.ownerDied, guard.held, guard.mutex]).toEqual([false, true, mutex]);
      expect(bytes.harmed()).toEqual([]);
    });

    test.each([...BUSY, ...OWN])('%s: not taken, nothing changed', async (_, owner) => {
      const { bytes, mutex } = forged(owner, 3);
      const own = OWN.some(([, word]) => word === owner);
      if (method === 'tryLock') expect(mutex.tryLock()).toBeUndefined();
      else if (method === 'lockAsync') await rejection('COEXIST_ETIMEDOUT', mutex.lockAsync({ timeout: 0 }));
      else {
        const { found, expected } = failure(own ? 'COEXIST_EDEADLK' : 'COEXIST_ETIMEDOUT', () =>
          mutex.lock({ timeout: 0 }),
        );
        expect([found, expected]).toEqual(own ? [X, 'another owner'] : [0, 'to have it in time']);
      }
      expect(bytes.words()).toEqual({ owner, token: 3 });
    });

    test.each(LEFT)('%s: CAS → D|Y|W', async (_, owner) => {
      const { bytes, mutex } = forged(owner, 3);
      const guard = await take(mutex, method);
      expect(bytes.words()).toEqual({ owner: D | X | W, token: method === 'lockAsync' ? GUARDED + 4 : 4 });
      expect([guard.ownerDied, guard.held]).toEqual([true, true]);
      expect(bytes.harmed()).toEqual([]);
    });

    test('D: not recoverable, for ever', async () => {
      const { bytes, mutex } = forged(D, 3);
      for (let n = 0; n < 3; n++) await rejection('COEXIST_ENOTRECOVERABLE', take(mutex, method));
      expect(bytes.words()).toEqual({ owner: D, token: 3 });
    });

    test.each([
      [0, 1],
      [1, 2],
      [0x7ffffffe, 0x7fffffff],
      [0x7fffffff, 1],
      [0x80000000, 1],
      [0x80000007, 8],
      [0xffffffff, 1],
    ])('token %i is followed by %i, and by that with bit 31 for a guard', async (before, after) => {
      for (const owner of [0n, dead]) {
        const { bytes, mutex } = forged(owner, before);
        const guard = await take(mutex, method);
        expect(bytes.read('token')).toBe(method === 'lockAsync' ? (after | GUARDED) >>> 0 : after);
        if (owner === dead) guard.markConsistent();
        guard.unlock();
        expect(bytes.read('owner')).toBe(0n);
      }
    });
  });

  const releases: [string, (mutex: Mutex, guard: MutexGuard) => void][] = [
    ['guard.unlock()', (_, guard) => guard.unlock()],
    ['guard-free unlock()', (mutex) => mutex.unlock()],
  ];
  describe.each(releases)('%s', (_, release) => {
    test.each([
      ['X', X, 0n, 2],
      ['X|W', X | W, 0n, 1],
      ['D|X', D | X, D, 0],
      ['D|X|W', D | X | W, D, 0],
    ])('%s', (_, owner, after, asleep) => {
      const { bytes, mutex, guard } = held(owner);
      bytes.sleepers('owner', 2);
      release(mutex, guard);
      expect(bytes.words()).toEqual(after === 0n ? { token: 7 } : { owner: after, token: 7 });
      expect(bytes.asleep('owner')).toBe(asleep);
      expect(bytes.harmed()).toEqual([]);
    });

    test.each([['0', 0n] as [string, bigint], ['D', D] as [string, bigint], ...BUSY, ...LEFT])(
      'by a thread that is not the owner, %s: COEXIST_ENOTOWNER, nothing changed',
      (_, owner) => {
        const { bytes, mutex, guard } = held(owner);
        const before = bytes.words();
        const { found, expected } = failure('COEXIST_ENOTOWNER', () => release(mutex, guard));
        expect([found, expected]).toEqual([owner & (W - 1n), X]);
        expect(bytes.words()).toEqual(before);
        expect(guard.held).toBe(true);
      },
    );

    test.each([GUARDED + 7, 8 + GUARDED])('under token %i: COEXIST_ENOTOWNER, nothing changed', (token) => {
      const { bytes, mutex, guard } = held(X | W);
      bytes.plant({ token });
      expect(failure('COEXIST_ENOTOWNER', () => release(mutex, guard)).message).toContain('under another guard');
      expect(bytes.words()).toEqual({ owner: X | W, token });
    });
  });

  test.each([
    ['D|X', D | X, X],
    ['D|X|W', D | X | W, X | W],
  ])('markConsistent, %s: CAS, clearing D', (_, owner, after) => {
    const { bytes, mutex } = forged(dead, 1);
    const guard = mutex.lock();
    bytes.plant({ owner });
    guard.markConsistent();
    expect([bytes.words(), guard.ownerDied]).toEqual([{ owner: after, token: 2 }, false]);
    failure('COEXIST_EINVAL', () => guard.markConsistent());
    expect(bytes.words()).toEqual({ owner: after, token: 2 });
    guard.unlock();
    expect(bytes.words()).toEqual({ token: 2 });
    failure('COEXIST_ENOTOWNER', () => guard.markConsistent());
  });

  test.each([['X', X, 'COEXIST_EINVAL'] as const, ['X|W', X | W, 'COEXIST_EINVAL'] as const])(
    'markConsistent, %s: nothing to declare, nothing changed',
    (_, owner, code) => {
      const { bytes, guard } = held(owner);
      failure(code, () => guard.markConsistent());
      expect(bytes.words()).toEqual({ owner, token: 7 });
    },
  );

  test.each([...BUSY, ...LEFT])('markConsistent, %s: not the owner, nothing changed', (_, owner) => {
    const { bytes, guard } = held(owner);
    failure('COEXIST_ENOTOWNER', () => guard.markConsistent());
    expect(bytes.words()).toEqual({ owner, token: 7 });
  });

  test.each([
    ['Y', Y],
    ['D|Y', D | Y],
  ])('%s: a waiter sets W before it sleeps, and clears it when it gives up', (_, owner) => {
    const { bytes, mutex } = forged(owner, 3);
    const seen: (number | bigint)[] = [];
    const { error } = withSleeps(
      () => mutex.lock({ timeout: 60 }),
      () => seen.push(bytes.read('owner')),
    );
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect(seen).toEqual([owner | W, owner | W]);
    expect(bytes.words()).toEqual({ owner, token: 3 });
  });

  test('0, by a thread that has waited: CAS 0 → X|W', () => {
    const { bytes, mutex } = forged(Y, 3);
    const { result } = withSleeps(
      () => mutex.lock(),
      () => bytes.plant({ owner: 0n }),
    );
    expect(bytes.words()).toEqual({ owner: X | W, token: 4 });
    expect(result?.ownerDied).toBe(false);
  });

  test('D, found by a thread that has waited: COEXIST_ENOTRECOVERABLE', () => {
    const { bytes, mutex } = forged(D | Y, 3);
    const { error } = withSleeps(
      () => mutex.lock(),
      () => bytes.plant({ owner: D }),
    );
    expect(error).toMatchObject({ code: 'COEXIST_ENOTRECOVERABLE' });
    expect(bytes.words()).toEqual({ owner: D, token: 3 });
  });

  test('an asynchronous lock of the owner waits for its turn; a blocking one is COEXIST_EDEADLK', async () => {
    const { bytes, mutex } = forged(0n);
    const guard = mutex.lock();
    const flow = mutex.lockAsync({ timeout: 20_000 });
    failure('COEXIST_EDEADLK', () => mutex.lock());
    expect(mutex.tryLock()).toBeUndefined();
    expect(bytes.words()).toEqual({ owner: X | W, token: 1 });
    guard.unlock();
    const second = await flow;
    expect(bytes.words()).toEqual({ owner: X | W, token: GUARDED + 2 });
    failure('COEXIST_EDEADLK', () => mutex.lock());
    failure('COEXIST_ENOTOWNER', () => mutex.unlock());
    failure('COEXIST_ENOTOWNER', () => guard.unlock());
    expect(bytes.words()).toEqual({ owner: X | W, token: GUARDED + 2 });
    second.unlock();
    expect(bytes.words()).toEqual({ token: GUARDED + 2 });
  });

  test('a guard that was overtaken releases nothing', () => {
    const { bytes, mutex } = forged(0n);
    const first = mutex.lock();
    mutex.unlock();
    failure('COEXIST_ENOTOWNER', () => first.unlock());
    const second = mutex.lock();
    failure('COEXIST_ENOTOWNER', () => first.unlock());
    failure('COEXIST_ENOTOWNER', () => first.markConsistent());
    expect(bytes.words()).toEqual({ owner: X, token: 2 });
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    expect([bytes.words(), second.held]).toEqual([{ token: 2 }, false]);
    failure('COEXIST_ENOTOWNER', () => second.unlock());
    failure('COEXIST_ENOTOWNER', () => mutex.unlock());
    expect(bytes.words()).toEqual({ token: 2 });
  });
});
