// The library and an implementation written from docs/ABI.md alone share per-CPU data: operations, lists, buffers, pools and the fence, in
// one thread, in several at once, and after the death of either.

import { readFileSync } from 'node:fs';
import type { Area } from 'coexist';
import { describe, expect, test } from 'vitest';
import { Actor, until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import {
  announce,
  contentAt,
  cpuWordOf,
  INDEXES,
  type Index,
  objectOf,
  perCpuArea,
  sectionOf,
  wordsIn,
} from '../support/per-cpu.js';
import { livesInProc } from '../support/threads.js';
import type * as parties from './per-cpu-parties.js';
import { type Party, type PartyName, type PartyPlace, partyOf } from './per-cpu-parties.js';

const here = (file: string): string => new URL(file, import.meta.url).href;
const urls = { library: copyUrl('a', 'core.js'), perCpu: here('per-cpu.js'), pool: here('pool.js') };
const PARTIES: readonly PartyName[] = ['library', 'independent'];
const PAIRS = PARTIES.flatMap((first) => PARTIES.map((second) => [first, second] as const));
const POOL_ITEMS = 6;

const areaFor = (backend: Backend): Area => perCpuArea(backend, { cpus: 1, heapBytes: 8192 });
const place = (area: Area, index: Index): PartyPlace => ({ urls, memory: memoryOf(area), index });
const made = (backend: Backend, name: PartyName, area: Area, index: Index): Promise<Party> =>
  on(backend, () => partyOf(name, place(area, index)));
const nodesIn = (area: Area): number[] => [0, 1, 2, 3].map((k) => bytesOf(area).header('heap_offset') + 7168 + 32 * k);

/** What useAll() finds: pointers for operation 4, and, where all threads are at one shard, nodes on the list and entries in the buffer. */
function plant(area: Area, index: Index, shard: number, { list, buffer }: Party): void {
  const at = contentAt(area, 'words', index, shard);
  // [6] leads to [7]; the word behind it, to [5].
  wordsIn(area).set(at + 4 * 6, at + 4 * 7, 0, at + 4 * 5);
  if (index === 'slot') return;
  for (const node of nodesIn(area)) list.push(node);
  for (const entry of [11, 12, 13]) buffer.push(entry);
}

/** Where the pool's own words are. */
const poolAt = (area: Area): number => objectOf(area, 'a pool').offset;

describe.each(BACKENDS)('%s', (backend) => {
  describe.each(INDEXES)('by %s', (index) => {
    test.each(PAIRS)('in one thread: what %s does, %s sees', async (first, second) => {
      const area = areaFor(backend);
      const [a, b] = [await made(backend, first, area, index), await made(backend, second, area, index)];
      const at = a.words.at(a.words.start());
      expect([b.words.at(b.words.start()), b.words.start()]).toEqual([at, a.words.start()]);
      expect(a.ops.load_cbne_store(at, 0, 7, 0)).toBe(0);
      expect(b.ops.load_cbne_store(at, 0, 8, 0)).toBe(1);
      expect(b.ops.load_cbne_store_store(at, 7, at + 4, 5, 9, 0)).toBe(0);
      expect(a.ops.load_cbne_load_cbne_store(at, 9, at + 4, 5, 10, 0)).toBe(0);
      expect(b.ops.load_cbne_memcpy_store(at, 10, at + 8, at + 4, 4, 11, 0)).toBe(0);
      expect(wordsIn(area).list(at, 3)).toEqual([11, 5, 5]);
      const [one, two] = nodesIn(area) as [number, number];
      a.list.push(one);
      b.list.push(two);
      expect([[...a.list.nodes(0)], [...b.list.nodes(0)]]).toEqual([
        [two, one],
        [two, one],
      ]);
      expect([a.list.pop(), b.list.pop(), a.list.pop(), b.list.pop()]).toEqual([two, one, 0, 0]);
      expect([a.buffer.push(1), b.buffer.push(0xfffffff0), a.buffer.pop(), b.buffer.pop(), a.buffer.pop()]).toEqual([
        true,
        true,
        0xfffffff0,
        1,
        undefined,
      ]);
      const [item, other] = [a.pool.alloc(), b.pool.alloc(new Uint8Array([5]))];
      expect(other).toBe(item + 16);
      expect(wordsIn(area).get(other)).toBe(5);
      b.pool.free(item);
      expect(() => a.pool.free(item)).toThrow(expect.objectContaining({ code: 'COEXIST_EINVAL' }));
      a.pool.free(other);
      expect([b.pool.alloc(), a.pool.alloc(), wordsIn(area).get(other)]).toEqual([other, item, 0]);
      expect(a.pool.allocated().map(({ item }) => item)).toEqual(b.pool.allocated().map(({ item }) => item));
      expect(sectionOf(area, 0)).toBe(0n);
    });

    test.each(PAIRS)('in two threads, %s and %s: nothing is lost, nothing is doubled', async (first, second) => {
      const area = areaFor(backend);
      const TIMES = 400;
      const actors = await Promise.all([first, second].map(() => Actor.start({ env: { ...process.env } })));
      // By slot each has shards of its own, so that only the pool is shared.
      for (const [k, actor] of actors.entries()) {
        await actor.run(
          async ({ load, state }, { url, name, place }) => {
            const { partyOf } = await load<typeof parties>(url);
            state['party'] = await partyOf(name, place);
          },
          { url: here('per-cpu-parties.js'), name: [first, second][k] as PartyName, place: place(area, index) },
        );
      }
      const main = await made(backend, 'library', area, index);
      const shards = index === 'cpu' ? [0] : [0, 1];
      for (const shard of shards) plant(area, index, shard, main);
      const seen = await Promise.all(
        actors.map((actor) =>
          actor.run(
            async ({ load, state }, { url, memory, times }) => {
              const { useAll } = await load<typeof parties>(url);
              const buffer = memory instanceof SharedArrayBuffer ? memory : (memory as WebAssembly.Memory).buffer;
              return useAll(state['party'] as Party, buffer as SharedArrayBuffer, times);
            },
            { url: here('per-cpu-parties.js'), memory: memoryOf(area), times: TIMES },
          ),
        ),
      );
      const each = index === 'cpu' ? 2 * TIMES : TIMES;
      for (const shard of shards) {
        const words = wordsIn(area).list(contentAt(area, 'words', index, shard), 11);
        expect(words.slice(0, 6)).toEqual([3 * each, each, each, 2 * each, 0, 5 * each]);
        expect(words[9]).toBe(each);
        expect([...main.list.nodes(shard)].sort()).toEqual(index === 'cpu' ? nodesIn(area) : []);
        expect(main.buffer.entries(shard).sort()).toEqual(index === 'cpu' ? [11, 12, 13] : []);
      }
      expect(seen.map(({ items }) => items)).toEqual([TIMES, TIMES]);
      main.pool.check?.();
      const items = Array.from({ length: POOL_ITEMS }, () => main.pool.alloc());
      expect(new Set(items).size).toBe(POOL_ITEMS);
      if (index === 'cpu') expect(cpuWordOf(area, 'words', 0).read('owner')).toBe(0n);
      for (const actor of actors) await actor.terminate();
    });
  });

  test.each(PARTIES)('%s waits out a section that the other has announced, and not its own', async (name) => {
    const area = areaFor(backend);
    const party = await made(backend, name, area, 'cpu');
    announce(area, 0, 0x4203n);
    party.fence();
    const bytes = bytesOf(area);
    bytes.plant(1, { owner: (1n << 61n) | 99n });
    announce(area, 1, 0x4204n);
    expect(() => party.fence({ timeout: 80 })).toThrow(expect.objectContaining({ code: 'COEXIST_ETIMEDOUT' }));
    announce(area, 1, 0n);
    party.fence({ timeout: 1000 });
  });

  test.each(PAIRS)('%s dies with the CPU’s word and the pool’s lock: %s goes on', async (first, second) => {
    const area = areaFor(backend);
    const actor = await Actor.start();
    const identity = await actor.run(
      async ({ load, state }, { url, name, place }) => {
        const { partyOf } = await load<typeof parties>(url);
        const party = await partyOf(name, place);
        state['party'] = party;
        party.pool.alloc();
        party.buffer.push(1);
        return party.pool.allocated()[0]?.owner as bigint;
      },
      { url: here('per-cpu-parties.js'), name: first, place: place(area, 'cpu') },
    );
    const next = await made(backend, second, area, 'cpu');
    // Where a thread stops that was killed inside: the word held, the lock held, and the list not what the states say.
    const { i64, u32 } = bytesOf(area);
    cpuWordOf(area, 'words', 0).plant({ owner: identity });
    cpuWordOf(area, 'a buffer', 0).plant({ owner: identity | (1n << 62n) });
    const pool = next.pool.allocated()[0] as { item: number };
    const at = poolAt(area);
    i64[at / 8] = identity;
    u32[(at + 24) / 4] = 77;
    u32[(at + 28) / 4] = 0;
    u32[(at + 32) / 4] = 3;
    await actor.terminate();
    await until('the death is visible', () => !livesInProc(identity));
    const v = next.words.at(0);
    expect(next.ops.load_cbne_store_store(v, 0, v + 4, 1, 2, next.words.start())).toBe(0);
    expect([next.buffer.pop(), next.buffer.pop()]).toEqual([1, undefined]);
    expect(next.pool.freeDead()).toBe(1);
    const items = Array.from({ length: POOL_ITEMS }, () => next.pool.alloc());
    expect([new Set(items).size, items.includes(pool.item)]).toEqual([POOL_ITEMS, true]);
    expect(() => next.pool.alloc()).toThrow(expect.objectContaining({ code: 'COEXIST_ENOSPC' }));
    expect([cpuWordOf(area, 'words', 0).read('owner'), i64[at / 8]]).toEqual([0n, 0n]);
  });
});

test('it imports nothing of the library', () => {
  for (const file of ['per-cpu.js', 'pool.js']) {
    const source = readFileSync(new URL(file, import.meta.url), 'utf8');
    expect(source).not.toMatch(/from ['"](?!node:|\.\/(implementation|owner-words|per-cpu)\.js)/);
    expect(source).not.toMatch(/\b(import|require)\(/);
  }
});
