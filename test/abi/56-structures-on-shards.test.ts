// Clause 56: lock, list and buffer on shards: what lies where, in which order it is written, and what their users see. The words are
// read and planted by hand. The counter: 56-counter-on-shards.test.ts.

import type { Area } from 'coexist';
import { PerCpuBuffer, PerCpuList, PerCpuLock } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, openIn, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { D, forgottenThread, lockBytes, W } from '../support/lock-memory.js';
import {
  announce,
  contentAt,
  cpuWordOf,
  INDEXES,
  type Index,
  injectedIn,
  objectOf,
  perCpuArea,
  sectionOf,
  wordsIn,
} from '../support/per-cpu.js';
import { withSleeps } from '../support/sleeps.js';
import { kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const dead = await forgottenThread();

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(INDEXES)('by %s', (index: Index) => {
    const rig = (cpus = 2) => {
      const area = perCpuArea(backend, { cpus });
      const at = (name: string, shard = 0): number => contentAt(area, name, index, shard);
      return { area, at, words: wordsIn(area), bytes: bytesOf(area) };
    };
    const kindAndVersion = (area: Area, name: string): unknown => {
      const { kind, version, size } = objectOf(area, name);
      return { kind, version, ...(index === 'slot' && { size }) };
    };
    const entry = (version: number, size: number) => ({
      kind: index === 'cpu' ? 11 : 2,
      version,
      ...(index === 'slot' && { size }),
    });

    describe('lock, 65536', () => {
      const made = (area: Area): PerCpuLock => on(backend, () => new PerCpuLock('a lock', { index, area }));
      const wordAt = (area: Area, at: number) => lockBytes(memoryOf(area) as SharedArrayBuffer, 'mutex', at);

      test('a mutex in each shard: the own one is taken, the others are free', () => {
        const { area, at } = rig();
        const lock = made(area);
        expect(kindAndVersion(area, 'a lock')).toEqual(entry(65536, 16));
        const { shard, guard } = lock.lock();
        expect([shard, lock.shards]).toEqual([0, index === 'cpu' ? 2 : 4]);
        const [own, other] = [wordAt(area, at('a lock')), wordAt(area, at('a lock', 1))];
        expect([own.words(), other.words()]).toEqual([{ owner: X, token: 1 }, {}]);
        failure('COEXIST_EDEADLK', () => lock.lock());
        failure('COEXIST_EDEADLK', () => lock.of(0).lock());
        lock.of(1).lock().unlock();
        guard.unlock();
        expect([own.words(), other.words()]).toEqual([{ token: 1 }, { token: 1 }]);
        for (const shard of [-1, 4, 0.5]) failure('COEXIST_EINVAL', () => lock.of(shard));
      });

      test('held by another: it waits as long as it may; by a dead one: it is told', () => {
        const { area, at } = rig();
        const lock = made(area);
        const word = wordAt(area, at('a lock'));
        word.plant({ owner: UNKNOWABLE });
        expect(withSleeps(() => lock.lock({ timeout: 120 })).error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
        expect(word.words()).toEqual({ owner: UNKNOWABLE });
        word.plant({ owner: dead });
        const { result } = withSleeps(() => lock.lock());
        expect(result?.guard.ownerDied).toBe(true);
        expect(word.read('owner')).toBe(D | X | W);
        result?.guard.markConsistent();
        result?.guard.unlock();
        expect(word.read('owner')).toBe(0n);
      });

      test('disposed of: COEXIST_EUNREGISTERED, and what is held stays held', () => {
        const { area, at } = rig();
        const lock = made(area);
        const { guard } = lock.lock();
        lock.dispose();
        lock[Symbol.dispose]();
        failure('COEXIST_EUNREGISTERED', () => lock.lock());
        expect(wordAt(area, at('a lock')).read('owner')).toBe(X);
        guard.unlock();
        expect(wordAt(area, at('a lock')).read('owner')).toBe(0n);
      });
    });

    describe('list, 65538', () => {
      const made = (area: Area, next = 0): PerCpuList =>
        on(backend, () => new PerCpuList('a list', { index, next, area }));
      const nodesIn = (area: Area): number[] => {
        const base = bytesOf(area).header('heap_offset') + 2048;
        return [0, 64, 128, 192].map((at) => base + at);
      };

      test.each([0, 4, 60])('the last one in is the first one out; the next one at offset %i of each', (next) => {
        const { area, at, words } = rig();
        const list = made(area, next);
        expect(kindAndVersion(area, 'a list')).toEqual(entry(65538, 4));
        const [a, b, c] = nodesIn(area) as [number, number, number];
        expect([list.pop(), words.get(at('a list'))]).toEqual([0, 0]);
        for (const node of [a, b, c]) list.push(node);
        expect(words.get(at('a list'))).toBe(c);
        expect([a, b, c].map((node) => words.get(node + next))).toEqual([0, a, b]);
        expect([[...list.nodes(0)], [...list.nodes(1)]]).toEqual([[c, b, a], []]);
        expect([list.pop(), list.pop()]).toEqual([c, b]);
        list.push(c);
        expect([list.pop(), list.pop(), list.pop(), words.get(at('a list'))]).toEqual([c, a, 0, 0]);
        expect(sectionOf(area, 0)).toBe(0n);
      });

      test('a list that others have made is taken up, in another copy too', async () => {
        const { area, at, words } = rig();
        const list = made(area);
        const [a, b] = nodesIn(area) as [number, number];
        words.set(at('a list'), b);
        words.set(b, a);
        expect([...list.nodes(0)]).toEqual([b, a]);
        const { lib, area: same } = await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area);
        const theirs = new lib.PerCpuList('a list', { index, area: same });
        expect([list.pop(), theirs.pop(), list.pop(), theirs.pop()]).toEqual([b, a, 0, 0]);
      });

      test('push stores the old first in the node, then does operation 1; pop is operation 3', async () => {
        const { area, at, words } = rig();
        const { lib, area: same, at: atPoint } = await injectedIn(backend, area);
        const list = on(backend, () => new lib.PerCpuList('a list', { index, area: same }));
        const [a, b] = nodesIn(area) as [number, number];
        list.push(a);
        // A push is no section; a section that was cut stays announced.
        announce(area, 0, 0x7703n);
        const seen: number[] = [];
        const store = vi.spyOn(Atomics, index === 'cpu' ? 'compareExchange' : 'store').mockImplementation(((
          view: Int32Array,
          k: number,
          ...values: number[]
        ) => {
          const head = at('a list') / 4;
          if (k === head && view.BYTES_PER_ELEMENT === 4) {
            seen.push(words.get(b));
            view[k] = values.at(-1) as number;
          }
          return a;
        }) as never);
        list.push(b);
        store.mockRestore();
        expect(sectionOf(area, 0)).toBe(0x7703n);
        expect([words.get(at('a list')), words.get(b)]).toEqual([b, a]);
        if (index === 'slot' || backend === 'twin') expect(seen).toEqual([a]);
        const operations: bigint[] = [];
        atPoint((point) => point === 5 && operations.push(sectionOf(area, 0) & 255n));
        expect(list.pop()).toBe(b);
        atPoint(undefined);
        expect(operations).toEqual([3n]);
      });

      test('what is no node: COEXIST_EINVAL, nothing changed', () => {
        const { area, bytes } = rig();
        const list = made(area, 8);
        const before = bytes.snapshot();
        const [node] = nodesIn(area) as [number];
        // The next one's pointer would lie in the heap of the last, or the node itself.
        const edges = [bytes.header('heap_offset') - 8, bytes.header('heap_offset') + 4096 - 8];
        for (const wrong of [0, -8, 2, 64, ...edges, node + 1, 0.5, Number.NaN, area.buffer.byteLength, 2 ** 32]) {
          expect(failure('COEXIST_EINVAL', () => list.push(wrong)).found).toBe(wrong);
        }
        expect(bytes.changed(before)).toEqual([]);
        for (const next of [-4, 2, 0.5, Number.NaN, 65536]) failure('COEXIST_EINVAL', () => made(area, next));
        failure('COEXIST_EINVAL', () => [...list.nodes(7)]);
        list.dispose();
        failure('COEXIST_EUNREGISTERED', () => list.push(node));
        failure('COEXIST_EUNREGISTERED', () => list.pop());
      });

      test('a first node that leads nowhere: COEXIST_EINVAL, and the list stays as it is', () => {
        const { area, at, words } = rig();
        const list = made(area);
        words.set(at('a list'), area.buffer.byteLength);
        failure('COEXIST_EINVAL', () => list.pop());
        expect(words.get(at('a list'))).toBe(area.buffer.byteLength);
        expect(sectionOf(area, 0)).toBe(0n);
      });
    });

    describe('buffer, 65539', () => {
      const made = (area: Area, capacity = 3): PerCpuBuffer =>
        on(backend, () => new PerCpuBuffer('a buffer', { index, capacity, area }));

      test('used, capacity, entries: the last one in is the first one out, up to the capacity', () => {
        const { area, at, words } = rig();
        const buffer = made(area);
        expect(kindAndVersion(area, 'a buffer')).toEqual(entry(65539, 20));
        expect([buffer.pop(), words.list(at('a buffer'), 5)]).toEqual([undefined, [0, 3, 0, 0, 0]]);
        expect([0, -1, 0xfffffffe].map((value) => buffer.push(value))).toEqual([true, true, true]);
        expect(words.list(at('a buffer'), 5)).toEqual([3, 3, 0, 0xffffffff, 0xfffffffe]);
        expect([buffer.push(5), words.list(at('a buffer'), 5)]).toEqual([false, [3, 3, 0, 0xffffffff, 0xfffffffe]]);
        expect([buffer.entries(0), buffer.entries(1)]).toEqual([[0, 0xffffffff, 0xfffffffe], []]);
        expect([buffer.pop(), buffer.pop(), buffer.push(9), buffer.pop(), buffer.pop(), buffer.pop()]).toEqual([
          0xfffffffe,
          0xffffffff,
          true,
          9,
          0,
          undefined,
        ]);
        expect(words.list(at('a buffer'), 2)).toEqual([0, 3]);
      });

      test('push is operation 5, whose first store is the entry; pop is operation 6 with it', async () => {
        const { area, at, words } = rig();
        const { lib, area: same, at: atPoint } = await injectedIn(backend, area);
        const buffer = on(backend, () => new lib.PerCpuBuffer('a buffer', { index, capacity: 3, area: same }));
        const seen: unknown[] = [];
        atPoint((point) => point === 5 && seen.push([sectionOf(area, 0) & 255n, ...words.list(at('a buffer'), 3)]));
        expect([buffer.push(7), buffer.pop()]).toEqual([true, 7]);
        atPoint(undefined);
        expect(seen).toEqual([
          [5n, 0, 3, 7],
          [6n, 1, 3, 7],
        ]);
      });

      test.each([1, 2, 9])('another capacity, %i, is COEXIST_EKIND: the constant stands', (capacity) => {
        const { area, at, words, bytes } = rig();
        made(area).push(1);
        const before = bytes.snapshot();
        failure('COEXIST_EKIND', () => made(area, capacity));
        // By slot, the size says so before the thread registers once more.
        expect(bytes.changed(before)).toEqual(index === 'cpu' ? ['slot[0].registered_total'] : []);
        expect(words.list(at('a buffer'), 2)).toEqual([1, 3]);
      });

      test('entries are 32-bit integers, capacities positive', () => {
        const { area, bytes } = rig();
        const buffer = made(area);
        const before = bytes.snapshot();
        for (const entry of [0.5, 2 ** 32, -(2 ** 31) - 1, Number.NaN])
          failure('COEXIST_EINVAL', () => buffer.push(entry));
        for (const capacity of [0, -1, 0.5, 2 ** 20 + 1]) failure('COEXIST_EINVAL', () => made(area, capacity));
        failure('COEXIST_EINVAL', () => buffer.entries(-1));
        expect(bytes.changed(before)).toEqual([]);
        buffer.dispose();
        failure('COEXIST_EUNREGISTERED', () => buffer.push(1));
        failure('COEXIST_EUNREGISTERED', () => buffer.pop());
      });
    });

    test('taken out of a list or a buffer by a thread that dies, it is lost with it, and nothing else', async () => {
      const { area, at, words } = rig(1);
      const nodes = [2048, 2112].map((k) => bytesOf(area).header('heap_offset') + k) as [number, number];
      const shard = index === 'cpu' ? 0 : 1;
      const lists = on(backend, () => new PerCpuList('a list', { index, area }));
      on(backend, () => new PerCpuBuffer('a buffer', { index, capacity: 2, area }));
      const actor = await startActor(backend);
      const took = await actor.run(
        async ({ load, state }, { url, memory, index, nodes }) => {
          const lib = await load(url);
          const area = lib.openArea(memory);
          const list = new lib.PerCpuList('a list', { index, area });
          const buffer = new lib.PerCpuBuffer('a buffer', { index, capacity: 2, area });
          state['kept'] = [list, buffer];
          for (const node of nodes) list.push(node);
          buffer.push(1);
          buffer.push(2);
          return [list.pop(), buffer.pop()];
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(area), index, nodes },
      );
      expect(took).toEqual([nodes[1], 2]);
      await kill(actor);
      expect([...lists.nodes(shard)]).toEqual([nodes[0]]);
      expect(words.list(at('a buffer', shard), 3)).toEqual([1, 2, 1]);
    });
  });

  test('a list and a buffer whose CPU’s word is kept by a live thread go on when it is given back', () => {
    const area = perCpuArea(backend);
    const [list, buffer] = on(
      backend,
      () => [new PerCpuList('a list', { area }), new PerCpuBuffer('a buffer', { capacity: 2, area })] as const,
    );
    const node = bytesOf(area).header('heap_offset') + 2048;
    list.push(node);
    for (const [name, run, result] of [
      ['a list', () => list.pop(), node],
      ['a buffer', () => buffer.push(3), true],
      ['a buffer', () => buffer.pop(), 3],
    ] as const) {
      const word = cpuWordOf(area, name, 0);
      word.plant({ owner: UNKNOWABLE });
      const { sleeps, result: got } = withSleeps<unknown>(run, (n) => n === 5 && word.plant({ owner: 0n }));
      expect([sleeps.length, got, word.read('owner')]).toEqual([6, result, 0n]);
    }
  });
});
