// Clause 57: what misuse of a pool comes to: told with the address, the thread that did it and the remedy, and nothing else is changed. What
// other threads do meanwhile is planted at the moment it would happen.

import { Pool, type PoolOptions } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, openIn, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { forgottenThread } from '../support/lock-memory.js';
import { INDEXES, type Index, perCpuArea } from '../support/per-cpu.js';
import { type PoolBytes, poolBytes } from '../support/pool-bytes.js';
import { identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const hex = (at: number): string => `0x${at.toString(16)}`;

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(INDEXES)('by %s', (index: Index) => {
    const rig = (options: Partial<PoolOptions> = {}) => {
      const area = perCpuArea(backend, { cpus: 3 });
      const pool = on(backend, () => new Pool('a pool', { item: 16, items: 4, index, area, ...options }));
      bytesOf(area).setHeader('slot_high_water', 2);
      return { area, pool, bytes: poolBytes(area, 'a pool', index), all: bytesOf(area) };
    };
    type Rig = ReturnType<typeof rig>;
    /** Fails, tells, and leaves everything but the token of the pool's lock as it was. */
    const told = ({ all, bytes }: Rig, code: string, step: () => unknown) => {
      const before = all.snapshot();
      const token = bytes.lock.read('token');
      const result = failure(code, step);
      bytes.lock.plant({ token });
      expect(all.changed(before)).toEqual([]);
      return result;
    };

    test('a double free, by the thread itself', () => {
      const it = rig();
      const item = it.pool.alloc();
      it.pool.free(item);
      const { found, message } = told(it, 'COEXIST_EINVAL', () => it.pool.free(item));
      expect(found).toEqual({ item, freedBy: X });
      expect(message).toContain(hex(item));
      expect(message).toContain(String(X));
      const never = it.bytes.itemAt(2);
      expect(told(it, 'COEXIST_EINVAL', () => it.pool.free(never)).found).toEqual({ item: never, freedBy: 0n });
    });

    test('a double free, by another thread, which may have died since', async () => {
      const it = rig();
      const item = it.pool.alloc();
      const actor = await startActor(backend);
      const free = (): Promise<void> =>
        actor.run(
          async ({ load, state }, { url, memory, index, item }) => {
            const lib = await load(url);
            const pool = new lib.Pool('a pool', { item: 16, items: 4, index, area: lib.openArea(memory) });
            state['kept'] = pool;
            pool.free(item);
          },
          { url: copyUrl('b', 'core.js'), memory: memoryOf(it.area), index, item },
        );
      const identity = await identityOf(actor);
      await free();
      expect(told(it, 'COEXIST_EINVAL', () => it.pool.free(item)).found).toEqual({ item, freedBy: identity });
      await expect(free()).rejects.toMatchObject({ code: 'COEXIST_EINVAL' });
      await kill(actor);
      expect(told(it, 'COEXIST_EINVAL', () => it.pool.free(item)).found).toEqual({ item, freedBy: identity });
    });

    test('what is no item: outside, between two, in another shard, no number', () => {
      const it = rig();
      const item = it.pool.alloc();
      const wrong = [
        0,
        -16,
        item - 16,
        item + 4,
        item + 8,
        item + 64 * 1024,
        it.bytes.itemAt(4),
        item + 0.5,
        Number.NaN,
      ];
      for (const pointer of [...wrong, it.pool.at(item, 1)]) {
        expect(told(it, 'COEXIST_EINVAL', () => it.pool.free(pointer)).found).toBe(pointer);
        told(it, 'COEXIST_EINVAL', () => it.pool.at(pointer, 0));
      }
    });

    test('a leak, when it is destroyed: which items, by whom, and whether they live', async () => {
      const it = rig();
      const actor = await startActor(backend);
      const theirs = await actor.run(
        async ({ load, state }, { url, memory, index }) => {
          const lib = await load(url);
          const pool = new lib.Pool('a pool', { item: 16, items: 4, index, area: lib.openArea(memory) });
          state['kept'] = pool;
          return pool.alloc();
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(it.area), index },
      );
      const own = it.pool.alloc();
      const identity = await kill(actor);
      const { found, message } = told(it, 'COEXIST_EBUSY', () => it.pool.destroy());
      expect(found).toEqual([
        { item: theirs, owner: identity, alive: 'dead' },
        { item: own, owner: X, alive: 'alive' },
      ]);
      expect([message.includes(hex(theirs)), message.includes(String(identity))]).toEqual([true, true]);
      expect(it.pool.freeDead()).toBe(1);
      expect([it.bytes.states(), it.bytes.thread(0, 'freed_by')]).toEqual([[2, 1, 0, 0], X]);
      it.pool.free(own);
      it.pool.destroy();
    });

    test('items of the dead that were freed, or given out again, since they were found dead', async () => {
      const it = rig({ robust: true });
      const { lib, area: same } = await openIn('a', backend, it.area);
      const theirs = on(backend, () => new lib.Pool('a pool', { item: 16, items: 4, index, robust: true, area: same }));
      const items = [it.pool.alloc(), it.pool.alloc(), it.pool.alloc()] as [number, number, number];
      for (const k of [0, 1, 2]) it.bytes.setThread(k, 'allocated_by', dead);
      const liveness = lib.host.liveness;
      let asked = 0;
      lib.host.liveness = (identity, own) => {
        const answer = liveness(identity, own);
        // While it asks, another thread frees the first two, and a third is given the second.
        if (++asked === 3) {
          for (const item of [items[0], items[1]]) it.pool.free(item);
          expect(it.pool.alloc()).toBe(items[1]);
          it.bytes.setThread(1, 'allocated_by', Y);
          it.all.u32[items[1] / 4] = 4711;
        }
        return answer;
      };
      expect(theirs.freeDead()).toBe(1);
      lib.host.liveness = liveness;
      expect(it.bytes.states()).toEqual([2, 1, 2, 0]);
      expect([it.all.u32[items[1] / 4], it.bytes.get('allocated'), it.bytes.freeList()]).toEqual([4711, 1, [2, 0]]);
      it.pool.check();
    });

    describe('written after its free', () => {
      const written = (shard: number, byte = 5): Rig & { address: number; item: number } => {
        const it = rig({ robust: true });
        const items = [it.pool.alloc(), it.pool.alloc()] as [number, number];
        it.pool.free(items[0]);
        it.bytes.setThread(0, 'freed_by', Y);
        it.all.u8[it.bytes.itemAt(0, shard) + byte]! ^= 0x10;
        return { ...it, address: it.bytes.itemAt(0, shard) + (byte & ~3), item: items[0] };
      };
      const last = index === 'cpu' ? 2 : 1;

      test.each([
        [0, 0],
        [0, 15],
        [last, 7],
      ])('shard %i, byte %i: told by check() and destroy()', (shard, byte) => {
        const it = written(shard, byte);
        it.pool.free(it.bytes.itemAt(1));
        for (const look of [() => it.pool.check(), () => it.pool.destroy()]) {
          const { found, message } = told(it, 'COEXIST_EBROKEN', look);
          expect(found).toEqual({ item: it.item, address: it.address, value: it.all.u32[it.address / 4], freedBy: Y });
          for (const part of [hex(it.item), hex(it.address), String(Y)]) expect(message).toContain(part);
        }
      });

      test.each([
        [0, 0],
        [last, 15],
      ])('shard %i, byte %i: told by alloc(), which sets it aside; the next one gives another', (shard, byte) => {
        const it = written(shard, byte);
        const content = [0, last].map((k) => it.bytes.content(0, k));
        const { found } = failure('COEXIST_EBROKEN', () => it.pool.alloc());
        expect(found).toMatchObject({ item: it.item, address: it.address, freedBy: Y });
        expect([it.bytes.states(), it.bytes.freeList(), it.bytes.get('allocated')]).toEqual([[3, 1, 0, 0], [], 1]);
        // Evidence stays.
        expect([0, last].map((k) => it.bytes.content(0, k))).toEqual(content);
        expect([it.pool.alloc(), it.pool.alloc()]).toEqual([it.bytes.itemAt(2), it.bytes.itemAt(3)]);
        failure('COEXIST_ENOSPC', () => it.pool.alloc());
        told(it, 'COEXIST_EINVAL', () => it.pool.free(it.item));
        it.pool.check();
        it.pool.repair();
        failure('COEXIST_ENOSPC', () => it.pool.alloc());
        for (const k of [1, 2, 3]) it.pool.free(it.bytes.itemAt(k));
        it.pool.destroy();
      });

      test('nobody looks where items are not poisoned', () => {
        const it = rig();
        const item = it.pool.alloc();
        it.pool.free(item);
        it.all.u8[item + 3] = 1;
        it.pool.check();
        expect(it.pool.alloc()).toBe(item);
        expect(it.bytes.content(0, 0)).toEqual(Array(16).fill(0));
      });

      test('an item in use while check() looks, and free again behind that, is no misuse', () => {
        const it = rig({ robust: true });
        const item = it.pool.alloc();
        it.pool.free(item);
        const poisoned = it.bytes.content(0, 0);
        const original = Atomics.load;
        let looks = 0;
        const spy = vi.spyOn(Atomics, 'load').mockImplementation(((view: Uint32Array, k: number) => {
          if (k !== it.bytes.indexOf(0, 'state') || view.BYTES_PER_ELEMENT !== 4) return original(view, k);
          const seen = original(view, k);
          looks++;
          // The first looks are at the list. Then another thread allocates the item, writes, and frees it.
          if (looks === 3) it.all.u8.fill(1, item, item + 16);
          else it.all.u8.set(poisoned, item);
          return seen;
        }) as never);
        try {
          it.pool.check();
        } finally {
          spy.mockRestore();
        }
        expect(looks).toBeGreaterThan(3);
      });
    });

    describe('a corrupt free list', () => {
      /** Items 0 to 2 are free, and on the list in this order. */
      const listed = (): Rig => {
        const it = rig();
        const items = [it.pool.alloc(), it.pool.alloc(), it.pool.alloc(), it.pool.alloc()];
        for (const k of [2, 1, 0]) it.pool.free(items[k] as number);
        it.bytes.setThread(0, 'freed_by', Y);
        return it;
      };

      const faults: [string, (bytes: PoolBytes) => void, boolean][] = [
        ['the first is no item', (bytes) => bytes.set('free', 5), true],
        ['the first is no item by far', (bytes) => bytes.set('free', 0xffffffff), true],
        ['the first is allocated', (bytes) => bytes.set('free', 4), true],
        ['it ends early', (bytes) => bytes.setRow(1, 'next', 0), false],
        ['it is empty', (bytes) => bytes.set('free', 0), false],
        ['it goes round', (bytes) => bytes.setRow(2, 'next', 1), false],
        ['it leads to itself', (bytes) => bytes.setRow(0, 'next', 1), false],
        ['it leads to an allocated item', (bytes) => bytes.setRow(1, 'next', 4), false],
        ['it leads to no item', (bytes) => bytes.setRow(1, 'next', 77), false],
      ];
      test.each(faults)('%s: told, and made again by repair()', (_, spoil, first) => {
        const it = listed();
        it.pool.check();
        spoil(it.bytes);
        const looks = [() => it.pool.check(), ...(first ? [() => it.pool.alloc()] : [])];
        for (const look of looks) {
          const { found, message } = told(it, 'COEXIST_EBROKEN', look);
          expect(found).toMatchObject({ address: it.bytes.at + 24 });
          expect(message).toContain(hex(it.bytes.at + 24));
          expect(found).toHaveProperty('lastBy');
        }
        it.pool.repair();
        it.pool.check();
        expect([it.bytes.freeList(), it.bytes.get('allocated'), it.bytes.get('fresh')]).toEqual([[0, 1, 2], 1, 4]);
        expect([it.pool.alloc(), it.pool.alloc(), it.pool.alloc()]).toEqual([0, 1, 2].map((k) => it.bytes.itemAt(k)));
        failure('COEXIST_ENOSPC', () => it.pool.alloc());
      });

      test('whoever freed the first item last is named', () => {
        const it = listed();
        it.bytes.setRow(0, 'state', 1);
        expect(told(it, 'COEXIST_EBROKEN', () => it.pool.alloc()).found).toMatchObject({ lastBy: Y });
      });

      test('a later item that is not free is found by the one who comes to it', () => {
        const it = listed();
        it.bytes.setRow(0, 'next', 4);
        expect(it.pool.alloc()).toBe(it.bytes.itemAt(0));
        told(it, 'COEXIST_EBROKEN', () => it.pool.alloc());
        expect(it.bytes.states()).toEqual([1, 2, 2, 1]);
      });

      test('fresh leads to an item that is in use', () => {
        const it = rig();
        it.pool.alloc();
        it.bytes.set('fresh', 0);
        told(it, 'COEXIST_EBROKEN', () => it.pool.alloc());
        it.pool.repair();
        expect(it.pool.alloc()).toBe(it.bytes.itemAt(1));
      });
    });

    test.each([
      ['items', { items: 5 }],
      ['item', { item: 24 }],
      ['robust', { robust: true }],
      ['index', { index: index === 'cpu' ? 'slot' : 'cpu' }],
    ] as const)('other options under the same name, %s: COEXIST_EKIND', (_, options) => {
      const it = rig();
      const before = it.all.snapshot();
      failure('COEXIST_EKIND', () =>
        on(backend, () => new Pool('a pool', { item: 16, items: 4, index, area: it.area, ...options })),
      );
      expect(it.all.changed(before).filter((field) => field !== 'slot[0].registered_total')).toEqual([]);
      expect(it.all.slot(0, 'refcount')).toBe(1);
    });

    test('another size of an item, or poison, that rounds to the same: COEXIST_EKIND, naming both', () => {
      const area = perCpuArea(backend);
      const make = (options: Partial<PoolOptions>): Pool =>
        on(backend, () => new Pool('a pool', { item: 8, items: 1, robust: true, index, area, ...options }));
      make({});
      expect(failure('COEXIST_EKIND', () => make({ poison: 1 }))).toMatchObject({
        found: 0xdd5d5d5d,
        expected: 0x80000001,
      });
      if (index === 'cpu')
        expect(failure('COEXIST_EKIND', () => make({ item: 16 }))).toMatchObject({ found: 8, expected: 16 });
      expect(make({ item: 5 }).itemBytes).toBe(8);
    });

    test('another stride than there is: COEXIST_EINVAL; the one there is', () => {
      const it = rig();
      expect(() => rig({ stride: it.pool.stride })).not.toThrow();
      const { found, message } = failure('COEXIST_EINVAL', () => rig({ stride: it.pool.stride * 2 }));
      expect(found).toBe(it.pool.stride * 2);
      expect(message).toContain(String(it.pool.stride));
    });

    test('two that destroy it at once: one does, the other is told', () => {
      const it = rig();
      const original = Atomics.load;
      const spy = vi.spyOn(Atomics, 'load').mockImplementation(((view: Uint32Array, k: number) => {
        // While the free list is looked at, another thread finishes.
        if (k === (it.bytes.at + 24) / 4 && view.BYTES_PER_ELEMENT === 4) it.bytes.set('destroyed', 1);
        return original(view, k);
      }) as never);
      try {
        failure('COEXIST_EGONE', () => it.pool.destroy());
      } finally {
        spy.mockRestore();
      }
      expect(it.bytes.get('destroyed')).toBe(1);
    });
  });
});
