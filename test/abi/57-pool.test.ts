// Clause 57: a pool's items in every shard at once: where they lie, what is in them, and what its words say. Misuse: 57-pool-misuse.test.ts;
// locks of threads that died or were cut: 57-pool-repair.test.ts, and ../percpu-cuts.test.ts.

import { type Area, register } from 'coexist';
import { Pool, type PoolOptions } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, openIn, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { entryOf, INDEXES, type Index, objectOf, perCpuArea } from '../support/per-cpu.js';
import { poolBytes } from '../support/pool-bytes.js';
import { identityOf, ownIdentity } from '../support/threads.js';

const X = ownIdentity();

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(INDEXES)('by %s', (index: Index) => {
    const SHARDS = index === 'cpu' ? 3 : 4;
    const rig = (options: Partial<PoolOptions> = {}) => {
      const area = perCpuArea(backend, { cpus: 3 });
      const pool = on(backend, () => new Pool('a pool', { item: 12, items: 3, index, area, ...options }));
      return { area, pool, bytes: poolBytes(area, 'a pool', index) };
    };
    const everywhere = (read: (shard: number) => number[]): number[][] =>
      Array.from({ length: SHARDS }, (_, shard) => read(shard));

    test('its head, its rows and the items’ shards, and where an item is', () => {
      const { area, pool, bytes } = rig();
      expect(objectOf(area, 'a pool')).toMatchObject({ kind: 12, version: 1, size: 64 + 3 * 32, flags: 0 });
      const items = objectOf(area, 'a pool:items');
      const stride = index === 'cpu' ? 64 : 4096;
      expect(items).toMatchObject(
        index === 'cpu' ? { kind: 11, version: 65540, size: 64 + 3 * 64 } : { kind: 2, version: 65540, size: 48 },
      );
      expect(bytes.head()).toEqual({
        items: 3,
        item_bytes: 16,
        poison: 1,
        free: 0,
        fresh: 0,
        allocated: 0,
        destroyed: 0,
      });
      expect([pool.itemBytes, pool.items, pool.shards, pool.stride, pool.robust]).toEqual([
        16,
        3,
        SHARDS,
        stride,
        false,
      ]);
      const [a, b] = [pool.alloc(), pool.alloc()];
      expect([a, b]).toEqual([bytes.itemAt(0), bytes.itemAt(1)]);
      for (let shard = 0; shard < SHARDS; shard++) expect(pool.at(b, shard)).toBe(bytes.itemAt(1, shard));
      expect(pool.start()).toBe(0);
      for (const shard of [-1, SHARDS, 0.5]) failure('COEXIST_EINVAL', () => pool.at(a, shard));
    });

    test('the words that allocating and freeing leave', () => {
      const { pool, bytes } = rig();
      const [a, b] = [pool.alloc(), pool.alloc()];
      expect(bytes.head()).toMatchObject({ free: 0, fresh: 2, allocated: 2 });
      expect([bytes.states(), bytes.thread(0, 'allocated_by'), bytes.thread(0, 'freed_by')]).toEqual([
        [1, 1, 0],
        X,
        0n,
      ]);
      pool.free(a);
      expect(bytes.head()).toMatchObject({ free: 1, fresh: 2, allocated: 1 });
      expect([bytes.states(), bytes.thread(0, 'freed_by'), bytes.row(0, 'next')]).toEqual([[2, 1, 0], X, 0]);
      pool.free(b);
      expect(bytes.head()).toMatchObject({ free: 2, fresh: 2, allocated: 0 });
      expect([bytes.states(), bytes.freeList()]).toEqual([
        [2, 2, 0],
        [1, 0],
      ]);
      // The first free one, and only then what was never allocated.
      expect([pool.alloc(), pool.alloc(), pool.alloc()]).toEqual([b, a, bytes.itemAt(2)]);
      expect(bytes.head()).toMatchObject({ free: 0, fresh: 3, allocated: 3 });
      expect(bytes.lock.read('owner')).toBe(0n);
      expect([0, 1, 2].map((k) => bytes.row(k, 'reserved'))).toEqual([0, 0, 0]);
    });

    test('as many items as it has, each once; all freed, all again', () => {
      const { area, pool, bytes } = rig({ item: 8, items: 37 });
      for (let round = 0; round < 3; round++) {
        const items = Array.from({ length: 37 }, () => pool.alloc());
        expect(new Set(items).size).toBe(37);
        const before = bytesOf(area).snapshot();
        expect(failure('COEXIST_ENOSPC', () => pool.alloc())).toMatchObject({ found: 37 });
        bytes.lock.plant({ token: new Uint32Array(before.buffer)[(bytes.at + 8) / 4] as number });
        expect(bytesOf(area).changed(before)).toEqual([]);
        expect(pool.allocated().map(({ item }) => item)).toEqual([...items].sort((a, b) => a - b));
        for (const item of round === 1 ? items.reverse() : items) pool.free(item);
        expect([bytes.get('allocated'), pool.allocated()]).toEqual([0, []]);
        pool.check();
      }
      pool.destroy();
    });

    describe.each([false, true])('robust: %s', (robust) => {
      test('zero in every shard, whatever was written there', () => {
        const { area, pool, bytes } = rig({ robust });
        const { u8 } = bytesOf(area);
        // What others were in when the item was in use.
        bytesOf(area).setHeader('slot_high_water', 3);
        const used = index === 'cpu' ? SHARDS : 3;
        for (let round = 0; round < 3; round++) {
          const item = pool.alloc();
          expect(everywhere((shard) => bytes.content(0, shard))).toEqual(Array(SHARDS).fill(Array(16).fill(0)));
          for (let shard = 0; shard < used; shard++) u8.fill(0xaa, pool.at(item, shard), pool.at(item, shard) + 16);
          pool.free(item);
        }
        // No item beside it was touched.
        expect(everywhere((shard) => [...bytes.content(1, shard), ...bytes.content(2, shard)])).toEqual(
          Array(SHARDS).fill(Array(32).fill(0)),
        );
      });

      test('a first value in every shard, the rest of the item zero', () => {
        const { area, pool, bytes } = rig({ robust });
        const init = new Uint8Array([1, 2, 3, 4, 5]);
        for (let round = 0; round < 3; round++) {
          const item = pool.alloc(init);
          expect(everywhere((shard) => bytes.content(0, shard))).toEqual(
            Array(SHARDS).fill([1, 2, 3, 4, 5, ...Array(11).fill(0)]),
          );
          expect(bytes.row(0, 'dirty')).toBe(SHARDS);
          bytesOf(area).u8.fill(9, item, item + 16);
          pool.free(item);
        }
        expect(pool.alloc(new Uint8Array(16).fill(255))).toBe(bytes.itemAt(0));
        expect(everywhere((shard) => bytes.content(0, shard))).toEqual(Array(SHARDS).fill(Array(16).fill(255)));
        const before = bytesOf(area).snapshot();
        failure('COEXIST_EINVAL', () => pool.alloc(new Uint8Array(17)));
        for (const init of [new BigUint64Array(1), new Float64Array(1), [1], 'ab', null, new ArrayBuffer(8)]) {
          failure('COEXIST_EINVAL', () => pool.alloc(init as unknown as Uint8Array));
        }
        expect(bytesOf(area).changed(before)).toEqual([]);
      });
    });

    test('dirty says how far an item may have been written: all shards by CPU, those below high water by slot', () => {
      const { area, pool, bytes } = rig();
      const item = pool.alloc();
      expect(bytes.row(0, 'dirty')).toBe(0);
      pool.free(item);
      const first = index === 'cpu' ? SHARDS : 1;
      expect(bytes.row(0, 'dirty')).toBe(first);
      bytesOf(area).setHeader('slot_high_water', 3);
      pool.alloc();
      expect(bytes.row(0, 'dirty')).toBe(first);
      pool.free(item);
      expect(bytes.row(0, 'dirty')).toBe(index === 'cpu' ? SHARDS : 3);
      bytesOf(area).setHeader('slot_high_water', 1);
      pool.alloc();
      pool.free(item);
      expect(bytes.row(0, 'dirty')).toBe(index === 'cpu' ? SHARDS : 3);
    });

    test.each([
      [undefined, 0xdd5d5d5d],
      [0, 0x80000000],
      [0x7fffffff, 0xffffffff],
    ])('free items are filled with the poison %s in each dirty shard', (poison, pattern) => {
      const { area, pool, bytes } = rig({ robust: true, poison });
      bytesOf(area).setHeader('slot_high_water', 2);
      expect(bytes.get('poison')).toBe(pattern);
      const item = pool.alloc();
      pool.free(item);
      const filled = Array(16 / 4)
        .fill([0, 8, 16, 24].map((shift) => (pattern >>> shift) & 255))
        .flat();
      const dirty = index === 'cpu' ? SHARDS : 2;
      for (let shard = 0; shard < SHARDS; shard++) {
        expect(bytes.content(0, shard)).toEqual(shard < dirty ? filled : Array(16).fill(0));
        expect(bytes.content(1, shard)).toEqual(Array(16).fill(0));
      }
      pool.check();
    });

    test('one pool for all copies and threads; any thread may free, and is told of', async () => {
      const { area, pool, bytes } = rig();
      const { lib, area: same } = await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area);
      const theirs = new lib.Pool('a pool', { item: 16, items: 3, index, area: same });
      const [a, b] = [pool.alloc(), theirs.alloc()];
      expect(b).toBe(bytes.itemAt(1));
      theirs.free(a);
      const actor = await startActor(backend);
      const c = await actor.run(
        async ({ load, state }, { url, memory, index, b }) => {
          const lib = await load(url);
          const pool = new lib.Pool('a pool', { item: 12, items: 3, index, area: lib.openArea(memory) });
          state['kept'] = pool;
          pool.free(b);
          return pool.alloc();
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(area), index, b },
      );
      const identity = await identityOf(actor);
      expect([c, bytes.thread(1, 'freed_by'), bytes.thread(1, 'allocated_by')]).toEqual([b, identity, identity]);
      expect(pool.allocated()).toEqual([{ item: b, owner: identity, alive: 'alive' }]);
      pool.free(b);
      await actor.terminate();
      pool.check();
    });

    test('destroyed: nothing is given out or taken back any more, for anyone', async () => {
      const { area, pool, bytes } = rig();
      const item = pool.alloc();
      pool.free(item);
      pool.destroy();
      expect(bytes.get('destroyed')).toBe(1);
      const { lib, area: same } = await openIn('b', backend, area);
      const theirs = new lib.Pool('a pool', { item: 12, items: 3, index, area: same });
      const before = bytesOf(area).snapshot();
      for (const one of [pool, theirs]) {
        failure('COEXIST_EGONE', () => one.alloc());
        failure('COEXIST_EGONE', () => one.destroy());
        expect(() => one.free(item)).toThrow(expect.objectContaining({ code: expect.stringMatching(/EGONE|EINVAL/) }));
      }
      bytes.lock.plant({ token: new Uint32Array(before.buffer)[(bytes.at + 8) / 4] as number });
      expect(bytesOf(area).changed(before)).toEqual([]);
    });

    test('a write after free is found beyond 2 GiB, too', () => {
      const blocks = index === 'slot' ? { slots: 33, blockBytes: 2 ** 26 } : { heapBytes: 2 ** 31 };
      const area = perCpuArea(backend, blocks);
      // By CPU, what comes before the pool in the heap takes as much.
      if (index === 'cpu') bytesOf(area).setHeader('heap_used', 2 ** 31 - 2 ** 16);
      const pool = on(backend, () => new Pool('a pool', { item: 8, items: 1, index, area, robust: true }));
      if (index === 'slot') bytesOf(area).setHeader('slot_high_water', 33);
      const item = pool.alloc();
      pool.free(item);
      const at = pool.at(item, pool.shards - 1);
      expect(at).toBeGreaterThan(2 ** 31);
      new Uint32Array(area.buffer)[at / 4] = 1;
      expect(failure('COEXIST_EBROKEN', () => pool.check()).found).toMatchObject({ address: at, value: 1 });
      expect(failure('COEXIST_EBROKEN', () => pool.alloc()).found).toMatchObject({ address: at, value: 1 });
    });

    test('making it registers the thread, disposing of it ends that; items stay', () => {
      const { area, pool, bytes } = rig();
      const item = pool.alloc();
      const other = register({ area });
      pool.dispose();
      pool[Symbol.dispose]();
      expect(bytesOf(area).slot(0, 'refcount')).toBe(1);
      const uses = [() => pool.alloc(), () => pool.free(item), () => pool.freeDead(), () => pool.repair()];
      for (const use of [...uses, () => pool.destroy()]) failure('COEXIST_EUNREGISTERED', use);
      expect(bytes.get('destroyed')).toBe(0);
      expect([pool.start(), bytes.states()]).toEqual([-1, [1, 0, 0]]);
      other.unregister();
    });

    test.each([
      { item: 0 },
      { item: -8 },
      { item: 0.5 },
      { item: Number.NaN },
      { items: 0 },
      { items: 0.5 },
      { items: 2 ** 20 + 1 },
      { poison: -1 },
      { poison: 2 ** 31 },
      { index: 'node' },
      { stride: 63 },
    ])('no such pool: %j: COEXIST_EINVAL, nothing changed', (options) => {
      const area = perCpuArea(backend);
      const before = bytesOf(area).snapshot();
      failure('COEXIST_EINVAL', () => new Pool('a pool', { item: 8, items: 3, index, area, ...(options as object) }));
      expect(bytesOf(area).changed(before)).toEqual([]);
    });

    test('no room for the items, or for the rows: COEXIST_ENOSPC, and the thread is not registered', () => {
      const area: Area = perCpuArea(backend, { heapBytes: 320 });
      failure('COEXIST_ENOSPC', () => new Pool('a pool', { item: 4096, items: 4, index, area }));
      expect([entryOf(area, 'a pool'), bytesOf(area).owner(0)]).toEqual([undefined, 0n]);
      failure('COEXIST_ENOSPC', () => new Pool('b', { item: 8, items: index === 'cpu' ? 6 : 8, index, area }));
      expect([entryOf(area, 'b'), bytesOf(area).owner(0)]).toEqual([undefined, 0n]);
    });
  });
});
