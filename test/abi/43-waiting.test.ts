// Clause 43: where waiters sleep, for how long, what they ask before they give up, and what they leave behind.

import { Mutex, RwLock } from 'coexist/sync';
import { describe, expect, test, vi } from 'vitest';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { failure, rejection } from '../support/failures.js';
import {
  D,
  forgottenThread,
  GUARDED,
  type LockBytes,
  lockMemory,
  untilAsleep,
  W,
  type Words,
} from '../support/lock-memory.js';
import { outOfTime, withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, identityOf, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const OTHER = UNKNOWABLE + 1n;
const dead = await forgottenThread();
const highOf = (word: bigint): number => Number(BigInt.asIntN(32, word >> 32n));

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (words: Words): { bytes: LockBytes; mutex: Mutex } => {
    const bytes = lockMemory(backend, 'mutex', words);
    return { bytes, mutex: on(backend, () => Mutex.at(bytes.memory, bytes.at)) };
  };

  test.each([Y, Y | W, D | Y, D | Y | W])('owner %i: sleeps on the high half with W, 50 ms at most', async (owner) => {
    const { bytes, mutex } = forged({ owner });
    const { sleeps, error } = withSleeps(() => mutex.lock({ timeout: 130 }));
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT', found: 130 });
    expect(sleeps.map(({ index, value }) => [index, value])).toEqual(
      Array(3).fill([bytes.futexOf('owner'), highOf(owner | W)]),
    );
    for (const { ms } of sleeps) expect(ms).toBeLessThanOrEqual(50);
    // A waiter without a deadline sleeps no longer than others.
    const endless = withSleeps(
      () => mutex.lock(),
      (n) => n === 4 && bytes.plant({ owner: 0n }),
    );
    expect(endless.sleeps.map(({ ms }) => ms)).toEqual(Array(5).fill(50));

    bytes.plant({ owner });
    const waitAsync = vi.spyOn(Atomics, 'waitAsync');
    await rejection(
      'COEXIST_ETIMEDOUT',
      outOfTime((options) => mutex.lockAsync(options)),
    );
    const calls = waitAsync.mock.calls as unknown as [Int32Array, number, number, number][];
    waitAsync.mockRestore();
    expect(calls.length).toBeGreaterThan(0);
    for (const [view, index, value, ms] of calls) {
      expect([view.buffer, index, value]).toEqual([bytes.buffer, bytes.futexOf('owner'), highOf(owner | W)]);
      expect(ms).toBeLessThanOrEqual(50);
    }
    expect(bytes.words()['owner']).toBe(owner & ~W);
  });

  test.each([
    [X, 3],
    [X | W, 2],
  ])('an unlock of %i wakes one waiter of a mutex where W is set, an rwlock’s wakes all', (owner, asleep) => {
    const { bytes, mutex } = forged({});
    const guard = mutex.lock();
    bytes.plant({ owner });
    bytes.sleepers('owner', 3);
    guard.unlock();
    expect(bytes.asleep('owner')).toBe(asleep);

    const other = lockMemory(backend, 'rwlock');
    const writer = on(backend, () => RwLock.at(other.memory, other.at, { holders: 4 })).write();
    other.plant({ owner });
    other.sleepers('owner', 3);
    writer.unlock();
    expect(other.asleep('owner')).toBe(owner === X ? 3 : 0);
  });

  test('a waiter in another thread sleeps there, starts again when woken, and gets the lock when it is free', async () => {
    const { bytes, mutex } = forged({});
    const guard = mutex.lock();
    const actor = await startActor(backend);
    const got = actor.run(
      async ({ load, state }, { url, memory, at }) => {
        const { Mutex } = await load(url);
        state['guard'] = Mutex.at(memory, at).lock({ timeout: 15_000 });
      },
      { url: copyUrl('a', 'core.js'), memory: bytes.memory, at: bytes.at },
    );
    await untilAsleep(bytes, 'owner');
    expect(bytes.words()).toEqual({ owner: X | W, token: 1 });
    await untilAsleep(bytes, 'owner');
    guard.unlock();
    await got;
    expect(bytes.words()).toEqual({ owner: (await identityOf(actor)) | W, token: 2 });
    await actor.terminate();
  });

  test('a waiter finds a dead owner after its first sleep', () => {
    for (const owner of [dead, dead | W, D | dead, EARLIER_NAMESAKE]) {
      const { bytes, mutex } = forged({ owner: Y, token: 1 });
      const { sleeps, result } = withSleeps(
        () => mutex.lock(),
        () => bytes.plant({ owner }),
      );
      expect([sleeps.length, result?.ownerDied]).toEqual([1, true]);
      expect(bytes.words()).toEqual({ owner: D | X | W, token: 2 });
    }
  });

  test.each([0, 1, 10])('and before it gives up for its time, %i ms', (timeout) => {
    const { bytes, mutex } = forged({ owner: dead, token: 1 });
    const { result } = withSleeps(() => mutex.lock({ timeout }));
    expect(result?.ownerDied).toBe(true);
    expect(bytes.words()).toEqual({ owner: D | X | W, token: 2 });
  });

  test('and before it gives up for its signal', async () => {
    const { bytes, mutex } = forged({ owner: Y });
    const controller = new AbortController();
    const flow = mutex.lockAsync({ signal: controller.signal });
    expect(bytes.words()).toEqual({ owner: Y | W });
    bytes.plant({ owner: dead | W });
    controller.abort();
    expect((await flow).ownerDied).toBe(true);
    expect(bytes.words()).toEqual({ owner: D | X | W, token: GUARDED + 1 });
  });

  test('where death cannot be proven the lock is not taken over, nor is it from oneself', async () => {
    for (const owner of [UNKNOWABLE, (1n << 62n) - 1n]) {
      const { bytes, mutex } = forged({ owner });
      const { error, sleeps } = withSleeps(() => mutex.lock({ timeout: 1000 }));
      expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      expect(sleeps.length).toBeGreaterThanOrEqual(19);
      expect(bytes.words()).toEqual({ owner });
    }
    const { bytes, mutex } = forged({ owner: X });
    await rejection(
      'COEXIST_ETIMEDOUT',
      outOfTime((options) => mutex.lockAsync(options)),
    );
    expect(bytes.words()).toEqual({ owner: X });
  });

  test('the takeover is a CAS of the word that was judged: who came first has it', () => {
    const { bytes, mutex } = forged({ owner: dead });
    const original = Atomics.compareExchange as (view: BigInt64Array, ...rest: [number, bigint, bigint]) => bigint;
    let judged = 0;
    const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementation(((
      view: BigInt64Array,
      index: number,
      expected: bigint,
      next: bigint,
    ) => {
      if (view.buffer === bytes.buffer && next === (D | X | W)) {
        judged++;
        bytes.plant({ owner: D | OTHER | W });
      }
      return original.call(Atomics, view, index, expected, next);
    }) as never);
    const { error } = withSleeps(() => mutex.lock({ timeout: 0 }));
    spy.mockRestore();
    expect([judged, error]).toEqual([1, expect.objectContaining({ code: 'COEXIST_ETIMEDOUT' })]);
    expect(bytes.words()).toEqual({ owner: D | OTHER | W });
  });

  test('one that gives up clears W, and wakes all in any case', () => {
    const { bytes, mutex } = forged({ owner: Y | W, token: 9 });
    bytes.sleepers('owner', 3);
    const { error } = withSleeps(() => mutex.lock({ timeout: 5 }));
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect([bytes.words(), bytes.asleep('owner')]).toEqual([{ owner: Y, token: 9 }, 0]);

    // Another that gave up has cleared it in the last moment.
    const late = withSleeps(
      () => mutex.lock({ timeout: 5 }),
      () => {
        bytes.plant({ owner: D });
        bytes.sleepers('owner', 2);
      },
    );
    expect(late.error).toMatchObject({ code: 'COEXIST_ENOTRECOVERABLE' });
    expect([bytes.words(), bytes.asleep('owner')]).toEqual([{ owner: D, token: 9 }, 0]);
  });

  test('one that never slept leaves W to those who set it, and wakes nobody', async () => {
    const { bytes, mutex } = forged({ owner: Y | W });
    bytes.sleepers('owner', 2);
    failure('COEXIST_ETIMEDOUT', () => mutex.lock({ timeout: 0 }));
    await rejection('COEXIST_ETIMEDOUT', mutex.lockAsync({ timeout: 0 }));
    expect(mutex.tryLock()).toBeUndefined();
    expect([bytes.words(), bytes.asleep('owner')]).toEqual([{ owner: Y | W }, 2]);
  });

  test('an abort: before the wait nothing happens, during it nothing is left', async () => {
    const reason = new Error('no longer wanted');
    const { bytes, mutex } = forged({});
    const signal = AbortSignal.abort(reason);
    for (const owner of [0n, Y, dead]) {
      bytes.plant({ owner });
      const before = bytes.words();
      expect(failure('COEXIST_EABORTED', () => mutex.lock({ signal })).found).toBe(reason);
      expect((await rejection('COEXIST_EABORTED', mutex.lockAsync({ signal }))).message).toContain('no longer wanted');
      expect(bytes.words()).toEqual(before);
    }
    bytes.plant({ owner: Y });
    const controller = new AbortController();
    const flow = mutex.lockAsync({ signal: controller.signal, timeout: 20_000 });
    expect(bytes.words()).toEqual({ owner: Y | W });
    controller.abort(reason);
    await expect(flow).rejects.toMatchObject({ code: 'COEXIST_EABORTED', cause: reason });
    expect(bytes.words()).toEqual({ owner: Y });
  });

  test.each(['before', 'after'])(
    'a wake-up and an abort at once, the abort %s it: the next gets the lock',
    async (order) => {
      const { bytes, mutex } = forged({});
      const guard = mutex.lock();
      const controller = new AbortController();
      const first = mutex.lockAsync({ signal: controller.signal, timeout: 20_000 });
      const second = mutex.lockAsync({ timeout: 20_000 });
      if (order === 'before') controller.abort();
      guard.unlock();
      if (order === 'after') controller.abort();
      // The first may have got it all the same; if not, it leaves nothing behind.
      const outcome = await first.then(
        (got) => got.unlock(),
        (error: { code: string }) => error.code,
      );
      expect([undefined, 'COEXIST_EABORTED']).toContain(outcome);
      (await second).unlock();
      expect(bytes.read('owner')).toBe(0n);
    },
  );

  test.each([
    ['timeout', -1],
    ['timeout', Number.NaN],
    ['timeout', '5'],
    ['timeout', null],
    ['signal', {}],
    ['signal', null],
  ])('%s %j: COEXIST_EINVAL, nothing changed', async (name, value) => {
    const { bytes, mutex } = forged({});
    const options = { [name]: value } as never;
    expect(failure('COEXIST_EINVAL', () => mutex.lock(options)).found).toBe(value);
    expect((await rejection('COEXIST_EINVAL', mutex.lockAsync(options))).found).toBe(value);
    expect(bytes.words()).toEqual({});
  });
});

test('the event loop is kept alive by an asynchronous wait, and by nothing once that is over', async () => {
  const { code, result, reports } = await inChild(
    async ({ load, report }, { url, stranger }) => {
      const { Mutex, RwLock, Once, Condvar, Semaphore, Barrier } = await load(url);
      const buffer = new SharedArrayBuffer(16384);
      const owners = new BigInt64Array(buffer);
      for (const at of [0, 64, 2048]) owners[at / 8] = BigInt(stranger);
      const guard = Mutex.at(buffer, 128).lock();
      const waits: [string, (options: { timeout?: number; signal?: AbortSignal }) => Promise<unknown>][] = [
        ['mutex', (options) => Mutex.at(buffer, 0).lockAsync(options)],
        ['once', (options) => Once.at(buffer, 64).callAsync(() => {}, options)],
        ['condvar', (options) => Condvar.at(buffer, 256).waitAsync(guard, options)],
        ['reader', (options) => RwLock.at(buffer, 2048).readAsync(options)],
        ['writer', (options) => RwLock.at(buffer, 2048).writeAsync(options)],
        ['semaphore', (options) => Semaphore.at(buffer, 4096, { permits: 0 }).acquireAsync(options)],
        ['barrier', (options) => Barrier.at(buffer, 8192, { parties: 2 }).waitAsync(options)],
      ];
      const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
      for (const [name, wait] of waits) {
        const controller = new AbortController();
        const aborted = wait({ signal: controller.signal }).catch((error) => error.code);
        const during = timers();
        controller.abort();
        const codes = [await aborted];
        const after = timers();
        // Nothing else is left that could keep this process alive: without a timer it would end here.
        codes.push(await wait({ timeout: 120 }).catch((error) => error.code));
        report([name, during, after, timers(), ...codes]);
      }
      return 'end';
    },
    { url: copyUrl('a', 'core.js'), stranger: String(UNKNOWABLE) },
  );
  expect([code, result]).toEqual([0, 'end']);
  expect(reports.slice(0, -1)).toEqual(
    ['mutex', 'once', 'condvar', 'reader', 'writer', 'semaphore', 'barrier'].map((name) => [
      name,
      1,
      0,
      0,
      'COEXIST_EABORTED',
      'COEXIST_ETIMEDOUT',
    ]),
  );
});
