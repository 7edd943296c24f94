// Clause 49: the reader-writer lock: readers count in their rows and look at the owner word, a writer takes the word and then
// waits for the rows. States are written by hand; what others do is done at the sleeps.

import { RwLock, type RwLockGuard } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import type { Actor } from '../support/actor.js';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { callIn, takeIn } from '../support/lock-actors.js';
import {
  D,
  forgottenThread,
  GUARDED,
  HOLDERS,
  heldBy,
  type LockBytes,
  lockMemory,
  row,
  untilAsleep,
  W,
  type Words,
} from '../support/lock-memory.js';
import { outOfTime, withSleeps } from '../support/sleeps.js';
import { identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const holders = HOLDERS;

/** A table with a row of this thread, first. */
const own = (count = 0): Words => ({ holders, holders_used: 1, ...row(0, X, count) });

const BUSY = heldBy('Y', Y);
const LEFT = heldBy('dead', dead);

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (words: Words): { bytes: LockBytes; lock: RwLock; other: RwLock } => {
    const bytes = lockMemory(backend, 'rwlock', words);
    const view = (): RwLock => on(backend, () => RwLock.at(bytes.memory, bytes.at, { holders }));
    return { bytes, lock: view(), other: view() };
  };
  const held = (guard?: RwLockGuard): unknown[] => [guard?.mode, guard?.ownerDied, guard?.readersDied, guard?.held];
  const now = { timeout: 0 };

  test('read, none held: count = 1 in the own row; again: + 1; unlock: - 1, and the row is kept', async () => {
    const { bytes, lock, other } = forged({});
    const guards = [lock.read(), other.read(now), lock.tryRead(), await other.readAsync(now)];
    for (const guard of guards) expect(held(guard)).toEqual(['read', false, 0, true]);
    expect(bytes.words()).toEqual(own(4));
    guards.forEach((guard, k) => {
      guard?.unlock();
      expect([bytes.words(), guard?.held]).toEqual([own(3 - k), false]);
    });
    for (const guard of guards) {
      failure('COEXIST_ENOTOWNER', () => guard?.unlock());
      failure('COEXIST_ENOTOWNER', () => guard?.markConsistent());
      guard?.[Symbol.dispose]();
    }
    expect([bytes.words(), bytes.harmed()]).toEqual([own(), []]);
  });

  test('a read guard has nothing to declare; with the count gone it is not the owner', () => {
    const { bytes, lock } = forged({});
    const guard = lock.read();
    failure('COEXIST_EINVAL', () => guard.markConsistent());
    bytes.plant({ 'row0.count': 0 });
    failure('COEXIST_ENOTOWNER', () => guard.unlock());
    expect(bytes.words()).toEqual(own());
  });

  test.each(BUSY)('read, owner %s: with count > 0 only a synchronous one, count + 1', async (_, owner) => {
    const words = { ...own(2), owner };
    const { bytes, lock } = forged(words);
    const guards = [lock.read(now), lock.tryRead()];
    expect([guards.map((guard) => guard?.mode), bytes.words()]).toEqual([['read', 'read'], { ...own(4), owner }]);
    await rejection('COEXIST_ETIMEDOUT', lock.readAsync(now));
    await rejection(
      'COEXIST_ETIMEDOUT',
      outOfTime((options) => lock.readAsync(options)),
    );
    expect(bytes.words()).toEqual({ ...own(4), owner: owner & ~W });
    for (const guard of guards) guard?.unlock();
    expect(bytes.words()).toEqual({ ...own(2), owner: owner & ~W });
  });

  test.each(BUSY)('read, owner %s, none held: count goes back to 0, who waits for it is woken', async (_, owner) => {
    const { bytes, lock } = forged({ ...own(), owner });
    bytes.sleepers('row0.count', 2);
    failure('COEXIST_ETIMEDOUT', () => lock.read(now));
    expect([bytes.words(), bytes.asleep('row0.count')]).toEqual([{ ...own(), owner }, 0]);
    expect(lock.tryRead()).toBeUndefined();
    await rejection('COEXIST_ETIMEDOUT', lock.readAsync(now));
    expect(bytes.words()).toEqual({ ...own(), owner });
    const { sleeps, result } = withSleeps(
      () => lock.read(),
      (_, { index, value }) => {
        expect([index, value]).toEqual([bytes.futexOf('owner'), Number(BigInt.asIntN(32, (owner | W) >> 32n))]);
        expect(bytes.words()).toEqual({ ...own(), owner: owner | W });
        bytes.plant({ owner: 0n });
      },
    );
    expect([sleeps.length, held(result)]).toEqual([1, ['read', false, 0, true]]);
    expect(bytes.words()).toEqual(own(1));
  });

  test('read unlock to 0 wakes who waits for the count, where there is an owner; not before, nor without one', () => {
    const { bytes, lock } = forged({});
    const guards = [lock.read(), lock.read(), lock.read()];
    bytes.plant({ owner: Y });
    for (const [k, asleep] of [2, 2, 0].entries()) {
      bytes.sleepers('row0.count', 2);
      guards[k]?.unlock();
      expect(bytes.asleep('row0.count')).toBe(asleep);
    }
    bytes.plant({ owner: 0n });
    const guard = lock.read();
    bytes.sleepers('row0.count', 1);
    guard.unlock();
    expect(bytes.asleep('row0.count')).toBe(1);
  });

  test('write: the owner word as in clause 42, and no row', async () => {
    const { bytes, lock } = forged({});
    const methods = [() => lock.write(), () => lock.write(now), () => lock.tryWrite(), () => lock.writeAsync()];
    for (const [k, take] of methods.entries()) {
      const guard = await take();
      expect(held(guard)).toEqual(['write', false, 0, true]);
      expect([bytes.read('owner'), (bytes.read('token') as number) % GUARDED]).toEqual([X, k + 1]);
      failure('COEXIST_EDEADLK', () => lock.write());
      failure('COEXIST_EINVAL', () => guard?.markConsistent());
      expect(lock.tryWrite()).toBeUndefined();
      expect(bytes.read('owner')).toBe(X);
      guard?.unlock();
      expect(bytes.read('owner')).toBe(0n);
      failure('COEXIST_ENOTOWNER', () => guard?.unlock());
    }
    expect(bytes.read('holders_used')).toBe(0);
  });

  test('a thread that writes cannot read: COEXIST_EDEADLK, or its turn when the writer is done', async () => {
    const { bytes, lock } = forged({});
    const writer = lock.write();
    failure('COEXIST_EDEADLK', () => lock.read());
    expect(lock.tryRead()).toBeUndefined();
    expect(bytes.words()).toEqual({ ...own(), owner: X, token: 1 });
    const reading = lock.readAsync({ timeout: 20_000 });
    expect(bytes.read('owner')).toBe(X | W);
    writer.unlock();
    (await reading).unlock();
    expect(bytes.words()).toEqual({ ...own(), token: 1 });
  });

  test('a thread that reads cannot write: COEXIST_EDEADLK, nothing held; an asynchronous writer waits for it', async () => {
    const { bytes, lock } = forged({});
    const reader = lock.read();
    expect(failure('COEXIST_EDEADLK', () => lock.write()).found).toBe(X);
    expect(lock.tryWrite()).toBeUndefined();
    expect(bytes.words()).toEqual({ ...own(1), token: 2 });
    const writing = lock.writeAsync({ timeout: 20_000 });
    expect(bytes.read('owner')).toBe(X);
    // Its flow waits; this one may go on reading, others queue behind the writer.
    const again = lock.read();
    await rejection('COEXIST_ETIMEDOUT', lock.readAsync({ timeout: 1 }));
    again.unlock();
    reader.unlock();
    const guard = await writing;
    expect(held(guard)).toEqual(['write', false, 0, true]);
    guard.unlock();
    expect(bytes.read('owner')).toBe(0n);
  });

  test('write: waits on the counts of others, row by row, with the word taken', () => {
    const { bytes, lock } = forged({
      holders,
      holders_used: 3,
      ...row(0, Y, 2),
      ...row(1, Y + 1n),
      ...row(2, Y + 2n, 1),
    });
    const waited: [number, number][] = [];
    const { result } = withSleeps(
      () => lock.write(),
      (n, { index, value, ms }) => {
        waited.push([index, value]);
        expect([bytes.read('owner'), ms <= 50]).toEqual([X, true]);
        if (n === 0) bytes.plant({ 'row0.count': 1 });
        if (n === 1) bytes.plant({ 'row0.count': 0 });
        if (n === 2) bytes.plant({ 'row2.count': 0 });
      },
    );
    const [first, third] = [bytes.futexOf('row0.count'), bytes.futexOf('row2.count')];
    expect([waited, held(result)]).toEqual([
      [
        [first, 2],
        [first, 1],
        [third, 1],
      ],
      ['write', false, 0, true],
    ]);
  });

  test('write: free rows and rows beyond the bound count nothing, whatever they say', () => {
    const words = { holders, holders_used: 2, 'row0.count': 7, ...row(1, Y), ...row(2, Y, 3) };
    const { bytes, lock } = forged(words);
    const guard = lock.write(now);
    expect(held(guard)).toEqual(['write', false, 0, true]);
    guard.unlock();
    expect(bytes.words()).toEqual({ ...words, token: 1 });
  });

  test.each(['write', 'tryWrite', 'writeAsync'] as const)(
    '%s: rows of dead readers count nothing and are freed',
    async (method) => {
      const words = { holders, holders_used: 3, ...row(0, dead, 2), ...row(1, Y), ...row(2, dead, 1) };
      const { bytes, lock } = forged(words);
      const guard = method === 'tryWrite' ? lock.tryWrite() : await lock[method](now);
      expect(held(guard)).toEqual(['write', false, 2, true]);
      expect(bytes.read('owner')).toBe(X);
      guard?.unlock();
      expect([bytes.read('row0.identity'), bytes.read('row1.identity'), bytes.read('row2.identity')]).toEqual([
        0n,
        Y,
        0n,
      ]);
      expect(bytes.read('owner')).toBe(0n);
      // Who takes such a row finds nothing of its last holder.
      lock.read().unlock();
      expect([bytes.read('row0.identity'), bytes.read('row0.count')]).toEqual([X, 0]);
    },
  );

  test('a writer that gives up releases the word and wakes all its waiters', async () => {
    const words = { holders, holders_used: 1, ...row(0, Y, 1) };
    const { bytes, lock } = forged(words);
    failure('COEXIST_ETIMEDOUT', () => lock.write(now));
    expect(lock.tryWrite()).toBeUndefined();
    await rejection('COEXIST_ETIMEDOUT', lock.writeAsync({ timeout: 1 }));
    expect(bytes.read('owner')).toBe(0n);
    const { error } = withSleeps(
      () => lock.write({ timeout: 20 }),
      () => {
        bytes.plant({ owner: X | W });
        bytes.sleepers('owner', 3);
      },
    );
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect([bytes.read('owner'), bytes.asleep('owner')]).toEqual([0n, 0]);
    const controller = new AbortController();
    const writing = lock.writeAsync({ signal: controller.signal });
    expect(bytes.read('owner')).toBe(X);
    controller.abort();
    await rejection('COEXIST_EABORTED', writing);
    await rejection('COEXIST_EABORTED', lock.writeAsync({ signal: controller.signal }));
    failure('COEXIST_EABORTED', () => lock.write({ signal: controller.signal }));
    failure('COEXIST_EINVAL', () => lock.write({ timeout: -1 }));
    const { token: _, ...rest } = bytes.words();
    expect([rest, bytes.harmed()]).toEqual([words, []]);
  });

  test.each(BUSY)('write, owner %s: waits for it, and leaves it as it was', async (_, owner) => {
    const { bytes, lock } = forged({ owner, token: 5 });
    failure('COEXIST_ETIMEDOUT', () => lock.write(now));
    expect(lock.tryWrite()).toBeUndefined();
    expect(bytes.words()).toEqual({ holders, owner, token: 5 });
    const { error } = withSleeps(
      () => lock.write({ timeout: 60 }),
      () => expect(bytes.words()).toEqual({ holders, owner: owner | W, token: 5 }),
    );
    expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    await rejection(
      'COEXIST_ETIMEDOUT',
      outOfTime((options) => lock.writeAsync(options)),
    );
    expect(bytes.words()).toEqual({ holders, owner: owner & ~W, token: 5 });
  });

  describe.each(['read', 'write', 'tryRead', 'tryWrite', 'readAsync', 'writeAsync'] as const)('%s', (method) => {
    const reads = method.toLowerCase().includes('read');
    const table = reads ? own() : { holders };
    const take = async (lock: RwLock): Promise<RwLockGuard | undefined> =>
      method.startsWith('try') ? lock[method as 'tryRead']() : lock[method as 'readAsync'](now);

    test.each(LEFT)('%s: the word is taken over, to write', async (_, owner) => {
      const { bytes, lock } = forged({ ...table, owner, token: 5 });
      const guard = await take(lock);
      expect(held(guard)).toEqual(['write', true, 0, true]);
      const token = method.endsWith('Async') ? GUARDED + 6 : 6;
      expect(bytes.words()).toEqual({ ...table, owner: D | X | W, token });
      guard?.markConsistent();
      expect([bytes.read('owner'), guard?.ownerDied]).toEqual([X | W, false]);
      failure('COEXIST_EINVAL', () => guard?.markConsistent());
      guard?.unlock();
      expect(bytes.read('owner')).toBe(0n);
    });

    test('taken over and never declared consistent: COEXIST_ENOTRECOVERABLE, all woken', async () => {
      const { bytes, lock } = forged({ ...table, owner: dead });
      const guard = await take(lock);
      bytes.sleepers('owner', 3);
      guard?.unlock();
      expect([bytes.read('owner'), bytes.asleep('owner')]).toEqual([D, 0]);
      await rejection('COEXIST_ENOTRECOVERABLE', take(lock));
      expect(bytes.read('owner')).toBe(D);
    });

    test.each(LEFT)('%s, and a reader that lives: given back as D|dead|W, all woken', async (_, owner) => {
      const { bytes, lock, other } = forged({ ...table, holders_used: 2, ...row(1, Y, 1), owner, token: 5 });
      bytes.sleepers('row1.count', 1);
      if (method.startsWith('try')) expect(await take(lock)).toBeUndefined();
      else await rejection('COEXIST_ETIMEDOUT', take(lock));
      expect(bytes.read('owner')).toBe(D | dead | W);
      expect([bytes.read('row1.identity'), bytes.read('row1.count'), bytes.asleep('row1.count')]).toEqual([Y, 1, 1]);
      bytes.plant({ 'row1.count': 0 });
      // Another view: the last one has just asked.
      const guard = await take(other);
      expect(held(guard)).toEqual(['write', true, 0, true]);
    });
  });

  test('threads: readers together, a writer alone, a waiting writer keeps new readers out', async () => {
    const { bytes, lock } = forged({});
    const [reader, writer, late] = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
    const take = (actor: Actor, method: 'read' | 'write', copy: 'a' | 'b') =>
      takeIn(actor, bytes, { kind: 'RwLock', method, copy, options: { holders } });
    const mine = lock.read();
    expect(await take(reader, 'read', 'a')).toEqual({ mode: 'read', ownerDied: false, readersDied: 0 });
    const writing = take(writer, 'write', 'b');
    await untilAsleep(bytes, 'row0.count');
    const reading = take(late, 'read', 'a');
    await untilAsleep(bytes, 'owner');
    const again = lock.tryRead();
    expect(again?.mode).toBe('read');
    expect(bytes.words()).toMatchObject({ holders_used: 3, 'row0.count': 2, 'row1.count': 1 });
    again?.unlock();
    mine.unlock();
    await untilAsleep(bytes, 'row1.count');
    // The reader dies holding: the writer is told how many did.
    await kill(reader);
    expect(await writing).toEqual({ mode: 'write', ownerDied: false, readersDied: 1 });
    expect(bytes.read('owner')).toBe((await identityOf(writer)) | W);
    // The writer dies holding: whoever comes first writes, and is told.
    await kill(writer);
    expect(await reading).toEqual({ mode: 'write', ownerDied: true, readersDied: 0 });
    expect(bytes.read('owner')).toBe(D | (await identityOf(late)) | W);
    await callIn(late, 'unlock');
    failure('COEXIST_ENOTRECOVERABLE', () => lock.read());
    await late.terminate();
  });
});
