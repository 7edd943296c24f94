// Clause 57: whoever takes a pool's lock over from a dead thread, or finds it held by itself, makes the list and the counts from the states
// of the items, clears D, and goes on. What the other had not finished is planted; ../percpu-cuts.test.ts cuts real threads.

import { Pool } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { D, forgottenThread, heldBy } from '../support/lock-memory.js';
import { INDEXES, type Index, perCpuArea } from '../support/per-cpu.js';
import { poolBytes } from '../support/pool-bytes.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const dead = await forgottenThread();

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(INDEXES)('by %s', (index: Index) => {
    /** Items 0 and 2 are allocated, 1 is free, 3 set aside, 4 was never; the list and the counts say nonsense. */
    const rig = (owner: bigint, nonsense = 99) => {
      const area = perCpuArea(backend);
      const pool = on(backend, () => new Pool('a pool', { item: 8, items: 5, index, area }));
      const bytes = poolBytes(area, 'a pool', index);
      for (const [k, state] of [1, 2, 1, 3, 0].entries()) bytes.setRow(k, 'state', state);
      for (const word of ['free', 'fresh', 'allocated'] as const) bytes.set(word, nonsense);
      bytes.setRow(1, 'next', nonsense);
      bytes.lock.plant({ owner, token: 7 });
      return { pool, bytes, area };
    };
    const LEFT: [string, bigint][] = [
      ...heldBy('dead', dead),
      ...heldBy('X', X),
      ['a thread that there is not', NO_SUCH_THREAD],
      ['an earlier thread with the own id', EARLIER_NAMESAKE],
    ];

    test.each(LEFT)('%s: alloc() gives the free item, then the fresh one, and no other', (_, owner) => {
      const { pool, bytes } = rig(owner);
      const { result, sleeps } = withSleeps(() => pool.alloc());
      expect(result).toBe(bytes.itemAt(1));
      expect(sleeps.length).toBeLessThanOrEqual(1);
      expect(bytes.head()).toMatchObject({ free: 0, fresh: 4, allocated: 3 });
      expect(bytes.lock.words()['owner']).toBeUndefined();
      expect(pool.alloc()).toBe(bytes.itemAt(4));
      failure('COEXIST_ENOSPC', () => pool.alloc());
      expect(bytes.states()).toEqual([1, 1, 1, 3, 1]);
    });

    test.each(LEFT)('%s: free(), check(), repair() and destroy() go on as well', (_, owner) => {
      for (const step of ['free', 'check', 'repair', 'destroy'] as const) {
        const { pool, bytes } = rig(owner);
        if (step === 'destroy') for (const k of [0, 2]) bytes.setRow(k, 'state', 2);
        const { error } = withSleeps(() => (step === 'free' ? pool.free(bytes.itemAt(0)) : pool[step]()));
        expect([step, error]).toEqual([step, undefined]);
        const list = { free: [0, 1], check: [1], repair: [1], destroy: [0, 1, 2] }[step];
        expect([step, bytes.freeList().sort()]).toEqual([step, list]);
        expect(bytes.head()).toMatchObject({ fresh: 4, allocated: 5 - list.length - 2 });
        expect(bytes.lock.read('owner')).toBe(0n);
      }
    });

    test('the lock of a dead thread is taken over only when it is asked for', () => {
      const { pool, bytes } = rig(dead);
      failure('COEXIST_EINVAL', () => pool.free(bytes.itemAt(1)));
      expect([bytes.lock.read('owner'), bytes.lock.read('token')]).toEqual([dead, 7]);
      expect(pool.allocated().map(({ item }) => item)).toEqual([0, 2].map((k) => bytes.itemAt(k)));
    });

    test('held by a live thread, it is waited for', () => {
      const { pool, bytes } = rig(UNKNOWABLE);
      bytes.set('free', 2);
      bytes.setRow(1, 'next', 0);
      bytes.set('fresh', 4);
      bytes.set('allocated', 2);
      const { result, sleeps } = withSleeps(
        () => pool.alloc(),
        (n) => n === 4 && bytes.lock.plant({ owner: 0n }),
      );
      expect([result, sleeps.length]).toEqual([bytes.itemAt(1), 5]);
      for (const { ms } of sleeps) expect(ms).toBeLessThanOrEqual(50);
      // It was no death: nothing was made anew.
      expect(bytes.head()).toMatchObject({ free: 0, fresh: 4, allocated: 3 });
    });

    test('a lock in D alone: told, nothing given', () => {
      const { pool, bytes, area } = rig(D);
      const before = bytesOf(area).snapshot();
      failure('COEXIST_ENOTRECOVERABLE', () => pool.alloc());
      expect(bytesOf(area).changed(before)).toEqual([]);
      expect(bytes.states()).toEqual([1, 2, 1, 3, 0]);
    });
  });
});
