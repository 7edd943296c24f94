// Clause 45: the mutex: 16 bytes, one owner at a time across threads and flows, guards that end once, and deaths of its owner.

import { Mutex } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure, rejection } from '../support/failures.js';
import { callIn, takeIn } from '../support/lock-actors.js';
import { D, GUARDED, type LockBytes, lockMemory, untilAsleep, W, type Words } from '../support/lock-memory.js';
import { identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();

/** Takes the mutex in an actor, where its guard stays; says whether an owner had died. */
const lockIn = async (actor: Actor, bytes: LockBytes, method = 'lock'): Promise<boolean | undefined> =>
  (await takeIn(actor, bytes, { kind: 'Mutex', method })).ownerDied;
const unlockIn = (actor: Actor): Promise<void> => callIn(actor, 'unlock');

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (words: Words = {}): { bytes: LockBytes; mutex: Mutex } => {
    const bytes = lockMemory(backend, 'mutex', words);
    return { bytes, mutex: on(backend, () => Mutex.at(bytes.memory, bytes.at)) };
  };

  test('the reserved word is left alone', async () => {
    const { bytes, mutex } = forged({ reserved: 0xdeadbeef });
    mutex.lock().unlock();
    (await mutex.lockAsync()).unlock();
    mutex.tryLock()?.unlock();
    expect([bytes.words(), bytes.harmed()]).toEqual([{ token: 3, reserved: 0xdeadbeef }, []]);
  });

  test('a guard is held until it is released, by itself, by its disposal, or without it', () => {
    const { bytes, mutex } = forged();
    const guard = mutex.lock();
    expect([guard.held, guard.ownerDied]).toEqual([true, false]);
    guard.unlock();
    expect(guard.held).toBe(false);
    guard[Symbol.dispose]();
    mutex.lock()[Symbol.dispose]();
    mutex.lock();
    mutex.unlock();
    mutex.tryLock();
    mutex.unlock();
    expect(bytes.words()).toEqual({ token: 4 });
    for (const release of [() => mutex.unlock(), () => guard.unlock(), () => guard.markConsistent()]) {
      expect(failure('COEXIST_ENOTOWNER', release).found).toBe(0n);
    }
    expect(bytes.words()).toEqual({ token: 4 });
  });

  test('a guard can take its lock again', async () => {
    const { bytes, mutex } = forged();
    const guard = mutex.lock();
    guard.unlock();
    guard.relock();
    expect([bytes.words(), guard.held]).toEqual([{ owner: X, token: 2 }, true]);
    failure('COEXIST_EDEADLK', () => guard.relock());
    await rejection('COEXIST_ETIMEDOUT', guard.relockAsync({ timeout: 0 }));
    expect([bytes.words(), guard.held]).toEqual([{ owner: X, token: 2 }, true]);
    guard.unlock();
    await guard.relockAsync();
    expect([bytes.words(), guard.held]).toEqual([{ owner: X, token: GUARDED + 3 }, true]);
    guard.unlock();
    bytes.plant({ owner: UNKNOWABLE });
    failure('COEXIST_ETIMEDOUT', () => guard.relock({ timeout: 1 }));
    expect([bytes.words(), guard.held]).toEqual([{ owner: UNKNOWABLE, token: GUARDED + 3 }, false]);
  });

  test('flows of one thread take turns, and none can release another’s', async () => {
    const { bytes, mutex } = forged();
    const order: string[] = [];
    let inside = 0;
    const flow = async (name: string): Promise<void> => {
      const guard = await mutex.lockAsync({ timeout: 20_000 });
      expect(++inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      failure('COEXIST_ENOTOWNER', () => mutex.unlock());
      order.push(name);
      inside--;
      guard.unlock();
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(flow));
    expect(order.sort()).toEqual(['a', 'b', 'c', 'd']);
    // One that has waited leaves W to whoever may still wait; the last unlock stores 0.
    expect(bytes.words()).toEqual({ token: GUARDED + 4 });
  });

  test('a thread cannot release what another holds', async () => {
    const { bytes, mutex } = forged();
    const actor = await startActor(backend);
    const stale = mutex.lock();
    stale.unlock();
    bytes.plant({ token: 0 });
    await lockIn(actor, bytes);
    const owner = await identityOf(actor);
    // Under the same token, too.
    expect(bytes.words()).toEqual({ owner, token: 1 });
    expect(failure('COEXIST_ENOTOWNER', () => stale.unlock()).found).toBe(owner);
    expect(failure('COEXIST_ENOTOWNER', () => mutex.unlock()).found).toBe(owner);
    failure('COEXIST_ENOTOWNER', () => stale.markConsistent());
    expect(mutex.tryLock()).toBeUndefined();
    failure('COEXIST_ETIMEDOUT', () => mutex.lock({ timeout: 1 }));
    expect(bytes.words()).toEqual({ owner, token: 1 });
    await unlockIn(actor);
    expect(bytes.words()).toEqual({ token: 1 });
    await actor.terminate();
  });

  test.each(['lock', 'lockAsync'] as const)(
    '%s: who waits in other threads gets it, one after the other',
    async (method) => {
      const { bytes, mutex } = forged();
      const actors = await Promise.all([startActor('wasm'), startActor('twin')]);
      const guard = mutex.lock();
      const got: number[] = [];
      const runs = actors.map((actor, k) => lockIn(actor, bytes, method).then(() => got.push(k)));
      await untilAsleep(bytes, 'owner', 2);
      expect([bytes.words(), got]).toEqual([{ owner: X | W, token: 1 }, []]);
      guard.unlock();
      await Promise.race(runs);
      expect(got).toHaveLength(1);
      const first = actors[got[0] as number] as Actor;
      expect(bytes.read('owner')).toBe((await identityOf(first)) | W);
      await unlockIn(first);
      await Promise.all(runs);
      const second = actors[got[1] as number] as Actor;
      expect(bytes.read('owner')).toBe((await identityOf(second)) | W);
      await unlockIn(second);
      expect(bytes.words()).toEqual({ token: method === 'lock' ? 3 : GUARDED + 3 });
      await Promise.all(actors.map((actor) => actor.terminate()));
    },
  );

  test('no update is lost between threads of both backends', async () => {
    const bytes = lockMemory('wasm', 'mutex');
    const shared = new Int32Array(new SharedArrayBuffer(12));
    const actors = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
    const runs = actors.map((actor, k) =>
      actor.run(
        async ({ load }, { url, memory, at, shared, k }) => {
          const { Mutex } = await load(url);
          const mutex = Mutex.at(memory, at);
          Atomics.add(shared, 1, 1);
          Atomics.wait(shared, 0, 0, 10_000);
          for (let n = 0; n < 500; n++) {
            const guard = (n + k) % 5 === 0 ? await mutex.lockAsync() : mutex.lock();
            // Not atomic: the lock makes it so.
            shared[2] = (shared[2] as number) + 1;
            guard.unlock();
          }
        },
        { url: copyUrl(k === 0 ? 'b' : 'a', 'core.js'), memory: bytes.memory, at: bytes.at, shared, k },
      ),
    );
    await until('all actors wait at the gate', () => Atomics.load(shared, 1) === 3);
    Atomics.store(shared, 0, 1);
    Atomics.notify(shared, 0);
    await Promise.all(runs);
    expect(shared[2]).toBe(1500);
    expect([bytes.read('owner'), bytes.harmed()]).toEqual([0n, []]);
    await Promise.all(actors.map((actor) => actor.terminate()));
  });

  test('an owner dies: the next is told; declared consistent, the lock goes on', async () => {
    const { bytes, mutex } = forged();
    const [victim, other] = await Promise.all([startActor(backend), startActor(backend)]);
    await lockIn(victim, bytes);
    const waiting = lockIn(other, bytes);
    await untilAsleep(bytes, 'owner');
    const dead = await kill(victim);
    expect(await waiting).toBe(true);
    expect(bytes.words()).toEqual({ owner: D | (await identityOf(other)) | W, token: 2 });
    expect(dead).not.toBe(await identityOf(other));
    await other.run(({ state }) => {
      const guard = state['guard'] as { markConsistent(): void; unlock(): void };
      guard.markConsistent();
      guard.unlock();
    });
    expect(bytes.words()).toEqual({ token: 2 });
    expect(mutex.lock().ownerDied).toBe(false);
    await other.terminate();
  });

  test('who took it over dies too: the next takes it over in its turn', async () => {
    const { bytes, mutex } = forged();
    for (const token of [1, 2]) {
      const victim = await startActor(backend);
      expect(await lockIn(victim, bytes)).toBe(token === 2);
      const dead = await kill(victim);
      expect(bytes.words()).toEqual({ owner: token === 1 ? dead : D | dead | W, token });
    }
    const guard = mutex.tryLock();
    expect([guard?.ownerDied, bytes.words()]).toEqual([true, { owner: D | X | W, token: 3 }]);
    guard?.markConsistent();
    guard?.unlock();
    expect(bytes.words()).toEqual({ token: 3 });
  });

  test('not declared consistent, it is out of use for everyone, waiters included', async () => {
    const { bytes, mutex } = forged();
    const [victim, waiter] = await Promise.all([startActor(backend), startActor(backend)]);
    await lockIn(victim, bytes);
    await kill(victim);
    const guard = mutex.lock();
    const waiting = lockIn(waiter, bytes);
    waiting.catch(() => {});
    await untilAsleep(bytes, 'owner');
    guard.unlock();
    await expect(waiting).rejects.toMatchObject({ code: 'COEXIST_ENOTRECOVERABLE' });
    expect([bytes.words(), guard.held]).toEqual([{ owner: D, token: 2 }, false]);
    failure('COEXIST_ENOTRECOVERABLE', () => mutex.lock());
    failure('COEXIST_ENOTRECOVERABLE', () => mutex.tryLock());
    failure('COEXIST_ENOTRECOVERABLE', () => guard.relock());
    await rejection('COEXIST_ENOTRECOVERABLE', mutex.lockAsync());
    failure('COEXIST_ENOTOWNER', () => guard.unlock());
    failure('COEXIST_ENOTOWNER', () => mutex.unlock());
    expect([bytes.words(), bytes.harmed()]).toEqual([{ owner: D, token: 2 }, []]);
    await waiter.terminate();
  });
});
