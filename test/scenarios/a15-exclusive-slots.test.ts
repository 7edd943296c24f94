// A15, no two live threads hold the same slot, areas do not overlap, each is aligned. Restated: slots are 128 bytes, aligned to
// 128; blocks, keys, directory and heap lie apart. Exclusivity is looked for where it could break: six threads claim and give
// up slots as fast as they can, each writing its mark into its block and looking for anyone else's.

import { attach } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { copyUrl } from '../support/copies.js';
import { bytesOf, rawSlot, slotAt, takenSlots } from '../support/slot.js';
import { modeEnv, modes, registerIn, startActors, terminateAll, untilFree } from '../support/steps.js';

const THREADS = 6;
const ROUNDS = 1500;

describe.each(modes)('%s', (mode) => {
  test('threads that claim and leave without pause never meet in a slot', async () => {
    const area = attach();
    const actors = await startActors(THREADS, modeEnv(mode));
    const start = new Int32Array(new SharedArrayBuffer(8));
    const rounds = actors.map((actor, k) =>
      actor.run(
        async ({ load }, { url, k, start, threads, rounds }) => {
          const { attach, Counter, PerThread } = await load(url);
          const { buffer, geometry } = attach();
          const i64 = new BigInt64Array(buffer);
          const counter = new Counter(`a15/rounds`);
          counter.dispose();
          const met: string[] = [];
          const slots = new Set<number>();
          // All begin at once.
          if (Atomics.add(start, 0, 1) + 1 === threads) Atomics.notify(start, 0);
          else while (Atomics.load(start, 0) < threads) Atomics.wait(start, 0, Atomics.load(start, 0), 100);
          for (let round = 0; round < rounds; round++) {
            const mark = k * rounds + round + 1;
            const accessor = new PerThread('a15/mark', { type: 'i32', length: 16 });
            const counting = new Counter('a15/rounds');
            const owner = Atomics.load(i64, (geometry.slotOffset + accessor.slot * geometry.slotStride + 32) >>> 3);
            slots.add(accessor.slot);
            accessor.own.fill(mark);
            counting.add(1);
            for (let look = 0; look < 4; look++) {
              if (!accessor.own.every((value) => value === mark)) met.push(`round ${round}: another mark`);
              const now = Atomics.load(i64, (geometry.slotOffset + accessor.slot * geometry.slotStride + 32) >>> 3);
              if (now !== owner) met.push(`round ${round}: owner ${owner} became ${now}`);
            }
            counting.dispose();
            accessor.dispose();
          }
          return { met, slots: slots.size };
        },
        { url: copyUrl(k % 2 === 0 ? 'a' : 'b', 'core.js'), k, start, threads: THREADS, rounds: ROUNDS },
      ),
    );
    // Meanwhile, an observer reads rows that change under it: each is of one claim.
    let done = false;
    const all = Promise.all(rounds).finally(() => {
      done = true;
    });
    const generations = new Map<string, number>();
    while (!done) {
      for (const { slot, cpuId, cpuIdStart, generation, threadId } of area.inspect().slots) {
        expect(cpuId).toBeGreaterThanOrEqual(0);
        expect(cpuIdStart).toBe(cpuId);
        const claim = `${slot}/${generation}`;
        expect(generations.get(claim) ?? threadId, claim).toBe(threadId);
        generations.set(claim, threadId);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (const { met, slots } of await all) {
      expect(met).toEqual([]);
      expect(slots).toBeGreaterThan(0);
    }
    expect(takenSlots(area)).toEqual([]);
    await terminateAll(actors);

    // What each counted in whatever slot it had at the time is all there.
    const counter = new Counter('a15/rounds');
    expect(counter.sum()).toBe(BigInt((1 + modes.indexOf(mode)) * THREADS * ROUNDS));
    counter.dispose();
  });
});

test('the parts of an area do not overlap and are aligned', async () => {
  const area = attach();
  const { geometry: g } = area;
  const parts = [
    ['header', 0, 4096],
    ['slots', g.slotOffset, g.slotCapacity * g.slotStride],
    ['directory', g.directoryOffset, g.directoryCapacity * 128],
    ['heap', g.heapOffset, g.heapSize],
    ['blocks', g.blockOffset, g.slotCapacity * g.blockStride],
  ] as const;
  const sorted = [...parts].sort((a, b) => a[1] - b[1]);
  for (const [k, [name, start, size]] of sorted.entries()) {
    const end = sorted[k + 1]?.[1] ?? area.buffer.byteLength;
    expect(start + size, `${name} ends before the next part`).toBeLessThanOrEqual(end);
  }
  expect([g.slotOffset % 128, g.slotStride % 128, g.blockOffset % 4096, g.blockStride % 4096]).toEqual([0, 0, 0, 0]);
  expect([g.directoryOffset % 128, g.heapOffset % 64]).toEqual([0, 0]);
});

test('threads that live at once have slots and blocks of their own, keys within them too', async () => {
  const area = attach();
  const actors = await startActors(THREADS);
  const registered = await Promise.all(actors.map((actor) => registerIn(actor, 'ab')));
  const slots = registered.map(({ slot }) => slot);
  expect(new Set(slots).size).toBe(THREADS);
  expect(new Set(slots.map((slot) => rawSlot(area, slot).owner)).size).toBe(THREADS);

  const lengths = [1, 3, 64, 65];
  const keys = lengths.map((length, k) => new PerThread(`a15/key-${k}`, { type: 'u8', length, fresh: k % 2 === 1 }));
  const ranges = keys.flatMap((key, k) => {
    const stamp = k % 2 === 1 ? 8 : 0;
    return [...slots, key.slot].map((slot) => [key.indexOf(slot) - stamp, key.indexOf(slot) + key.length] as const);
  });
  ranges.sort((a, b) => a[0] - b[0]);
  for (const [k, [start]] of ranges.entries()) {
    expect(start % 64).toBe(0);
    if (k > 0) expect(start).toBeGreaterThanOrEqual(ranges[k - 1]![1]);
  }
  // A write to the whole of one's own range changes nothing in any slot struct or other block.
  const own = keys[0]!.slot;
  const { blockOffset, blockStride } = area.geometry;
  const neighbours = (): string =>
    slots
      .map((slot) => bytesOf(area, blockOffset + slot * blockStride, blockOffset + (slot + 1) * blockStride))
      .concat(bytesOf(area, slotAt(area, 0), slotAt(area, 16)))
      .map((bytes) => bytes.toString('base64'))
      .join();
  const before = neighbours();
  for (const key of keys) key.own.fill(0xff);
  expect(slots).not.toContain(own);
  expect(neighbours()).toBe(before);
  for (const key of keys) key.dispose();
  await terminateAll(actors);
  await untilFree(area, ...slots);
});
