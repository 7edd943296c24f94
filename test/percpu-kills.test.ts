// Threads that use one shard, by CPU, as fast as they can, and are killed at any moment, in wasm as in the twin: nothing is doubled, a killed
// thread takes along at most what it had in hand, the others are never stuck, and the pool gives everything out again.

import type { Area } from 'coexist';
import { fence, type ops as Ops, PerCpu, PerCpuBuffer, PerCpuCounter, PerCpuList, Pool } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { Actor, until } from './support/actor.js';
import { bytesOf } from './support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on } from './support/backends.js';
import { copyUrl } from './support/copies.js';
import { cpuWordOf, perCpuArea, wordsIn } from './support/per-cpu.js';

const THREADS = 3;
const KILLS = 8;
const NODES = 24;
const ENTRIES = 24;
const ITEMS = THREADS + KILLS;
const SEED = 20_181;

/** Numbers below n, the same in every run. */
function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const objects = (backend: Backend, area: Area) =>
  on(backend, () => ({
    words: new PerCpu('words', { bytes: 64, area }),
    list: new PerCpuList('a list', { area }),
    buffer: new PerCpuBuffer('a buffer', { capacity: ENTRIES, area }),
    counter: new PerCpuCounter('counted', { area }),
    pool: new Pool('a pool', { item: 8, items: ITEMS, robust: true, area }),
  }));

/** Starts a thread that goes on until it is killed, or until told[0]; it counts its rounds in told[1 + index]. */
async function started(backend: Backend, area: Area, told: Int32Array, index: number): Promise<Actor> {
  const actor = await Actor.start({ env: { ...process.env, COEXIST_NO_WASM: backend === 'twin' ? '1' : '0' } });
  await actor.run(
    async ({ load, state }, { url, memory, entries, items }) => {
      const lib = await load(url);
      const area = lib.openArea(memory);
      state['all'] = {
        ops: lib.ops,
        words: new lib.PerCpu('words', { bytes: 64, area }),
        list: new lib.PerCpuList('a list', { area }),
        buffer: new lib.PerCpuBuffer('a buffer', { capacity: entries, area }),
        counter: new lib.PerCpuCounter('counted', { area }),
        pool: new lib.Pool('a pool', { item: 8, items, robust: true, area }),
      };
    },
    { url: copyUrl(index % 2 === 0 ? 'a' : 'b', 'core.js'), memory: memoryOf(area), entries: ENTRIES, items: ITEMS },
  );
  actor.post(
    ({ state }, { told, index, memory }) => {
      type All = ReturnType<typeof objects> & { ops: typeof Ops };
      const { ops, words, list, buffer, counter, pool } = state['all'] as All;
      const u32 = new Uint32Array((memory as WebAssembly.Memory).buffer ?? memory);
      const at = words.at(0) / 4;
      while (Atomics.load(told, 0) === 0) {
        const node = list.pop();
        if (node !== 0) list.push(node);
        const entry = buffer.pop();
        if (entry !== undefined) buffer.push(entry);
        const old = Atomics.load(u32, at);
        ops.load_cbne_store_store(words, 4 * at, old, 4 * at + 4, old + 1, old + 1, words.start());
        counter.add(1);
        const item = pool.alloc();
        u32[item / 4] = index + 1;
        pool.free(item);
        Atomics.add(told, 1 + index, 1);
      }
      Atomics.store(told, 1 + index, -1);
    },
    { told, index, memory: memoryOf(area) },
  );
  return actor;
}

describe.each(BACKENDS)('%s', (backend) => {
  test(`${KILLS} threads killed among ${THREADS}, seed ${SEED}`, async () => {
    const area = perCpuArea(backend, { cpus: 1, heapBytes: 16384, slots: 16 });
    const { words, list, buffer, counter, pool } = objects(backend, area);
    const nodes = Array.from({ length: NODES }, (_, k) => bytesOf(area).header('heap_offset') + 12_288 + 16 * k);
    for (const node of nodes) list.push(node);
    for (let entry = 1; entry <= ENTRIES; entry++) buffer.push(entry);
    const told = new Int32Array(new SharedArrayBuffer(4 * (1 + THREADS)));
    const random = randomFrom(SEED);
    const actors = await Promise.all([0, 1, 2].map((index) => started(backend, area, told, index)));
    let confirmed = 0;
    for (let kills = 0; kills < KILLS; kills++) {
      const victim = random(THREADS);
      const before = Atomics.load(told, 1 + victim);
      await until('it goes on', () => Atomics.load(told, 1 + victim) > before);
      await new Promise((resolve) => setTimeout(resolve, random(20)));
      await (actors[victim] as Actor).terminate();
      confirmed += Atomics.exchange(told, 1 + victim, 0);
      // Whatever it held, the others are not stuck, and a fence ends.
      fence({ area, timeout: 15_000 });
      for (const index of [0, 1, 2].filter((index) => index !== victim)) {
        const now = Atomics.load(told, 1 + index);
        await until(`thread ${index} goes on`, () => Atomics.load(told, 1 + index) > now);
      }
      area.reclaim();
      actors[victim] = await started(backend, area, told, victim);
    }
    for (let index = 0; index < THREADS; index++) confirmed += Atomics.load(told, 1 + index);
    Atomics.store(told, 0, 1);
    await until('all have stopped', () => [1, 2, 3].every((k) => Atomics.load(told, k) === -1));

    const left = [...list.nodes(0)];
    expect(new Set(left).size).toBe(left.length);
    expect(left.filter((node) => !nodes.includes(node))).toEqual([]);
    expect(left.length).toBeGreaterThanOrEqual(NODES - KILLS);
    const entries = buffer.entries(0);
    expect(new Set(entries).size).toBe(entries.length);
    expect(entries.filter((entry) => entry < 1 || entry > ENTRIES)).toEqual([]);
    expect(entries.length).toBeGreaterThanOrEqual(ENTRIES - KILLS);
    // Each addition, and each commit of two words, was done whole or not at all.
    expect(counter.sum()).toBeGreaterThanOrEqual(BigInt(confirmed));
    const [v, v2] = wordsIn(area).list(words.at(0), 2) as [number, number];
    expect([v, v + 1]).toContain(v2);
    const held = pool.allocated();
    expect(held.length).toBeLessThanOrEqual(KILLS);
    expect(held.filter(({ alive }) => alive !== 'dead')).toEqual([]);
    expect(pool.freeDead()).toBe(held.length);
    pool.check();
    expect(new Set(Array.from({ length: ITEMS }, () => pool.alloc())).size).toBe(ITEMS);
    for (const name of ['words', 'a list', 'a buffer']) expect(cpuWordOf(area, name, 0).read('owner')).toBe(0n);
    for (const actor of actors) await actor.terminate();
  });
});
