// Clause 40: a key that must start clean carries the generation it was cleared under; content under any other stamp is zero to
// its readers.

import { register } from 'coexist';
import { PerThread } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, openIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { kill } from '../support/threads.js';

const options = { type: 'u32', length: 4, fresh: true } as const;

describe.each(BACKENDS)('%s', (backend) => {
  test('whatever lies there is cleared, then stamped with the slot’s generation', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.u8.fill(0xdd, bytes.blockAt(0), bytes.blockAt(0) + 64);
    bytes.setSlot(0, 'generation', 40);
    const block = new PerThread('fresh', { ...options, area });
    const words = [...bytes.u32.slice(bytes.blockAt(0) / 4, bytes.blockAt(0) / 4 + 7)];
    // Stamp, the rest of its 8 bytes, content, and what lies behind the key's size.
    expect(words).toEqual([41, 0xdddddddd, 0, 0, 0, 0, 0xdddddddd]);
    expect(block.at(0)).toMatchObject({ slot: 0, generation: 41 });
  });

  test('under the same claim the content stays, for accessors and copies that come later', async () => {
    const area = smallArea(backend);
    const first = new PerThread('fresh', { ...options, area });
    first.own[2] = 9;
    const second = new PerThread('fresh', { ...options, area });
    const { lib, area: same } = await openIn('b', backend, area);
    const third = new lib.PerThread('fresh', { ...options, area: same });
    expect([second.own[2], third.own[2]]).toEqual([9, 9]);
  });

  test('under a new claim it starts at zero', () => {
    const area = smallArea(backend);
    const first = new PerThread('fresh', { ...options, area });
    first.own.fill(7);
    first.dispose();
    const second = new PerThread('fresh', { ...options, area });
    expect([[...second.own], second.at(0)?.generation]).toEqual([[0, 0, 0, 0], 2]);
  });

  test('cut between clearing and stamping, it is cleared again', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new PerThread('fresh', { ...options, area }).own.fill(7);
    bytes.u32[bytes.blockAt(0) / 4] = 77;
    expect([...new PerThread('fresh', { ...options, area }).own]).toEqual([0, 0, 0, 0]);
    expect(bytes.u32[bytes.blockAt(0) / 4]).toBe(1);
  });

  test('readers take another stamp for nothing: the dead’s content while its claim stands, none under the next', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const mine = new PerThread('fresh', { ...options, area });
    mine.own.fill(1);
    const actor = await startActor(backend);
    await actor.run(
      async ({ load }, { url, memory, options }) => {
        const { openArea, PerThread } = await load(url);
        new PerThread('fresh', { ...options, area: openArea(memory) }).own.fill(2);
      },
      { url: copyUrl('a', 'core.js'), memory: memoryOf(area), options },
    );
    const seen = (): number[][] =>
      [...mine.blocks()].map(({ slot, generation, view }) => [slot, generation, view[0] as number]);
    expect(seen()).toEqual([
      [0, 1, 1],
      [1, 1, 2],
    ]);
    await kill(actor);
    expect(area.reclaim()).toBe(1);
    expect(seen()).toEqual([
      [0, 1, 1],
      [1, 1, 2],
    ]);
    // The next claim of slot 1, by a thread that does not use the key.
    bytes.plant(1, { owner: 1n << 61n, generation: 2 });
    expect(seen()).toEqual([[0, 1, 1]]);
    expect(mine.at(1)).toBeUndefined();
    expect(mine.at(3), 'never claimed').toBeUndefined();
  });

  test('a key without a stamp is read as it is', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const block = new PerThread('plain', { type: 'u32', length: 1, area });
    bytes.u32[bytes.blockAt(2) / 4] = 5;
    expect(block.at(2)).toMatchObject({ slot: 2, generation: 0 });
    expect(block.at(2)?.view[0]).toBe(5);
  });
});

test('the stamp is stored after the content was cleared', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area });
  bytes.u8.fill(0xdd, bytes.blockAt(0), bytes.blockAt(0) + 64);
  const stamp = bytes.blockAt(0) / 4;
  const store = Atomics.store as (array: Uint32Array, index: number, value: number) => number;
  const seen: [number, number[]][] = [];
  const spy = vi.spyOn(Atomics, 'store').mockImplementation(((array: Uint32Array, index: number, value: number) => {
    if (array.buffer === area.buffer && index === stamp) seen.push([value, [...bytes.u32.slice(stamp + 2, stamp + 6)]]);
    return store.call(Atomics, array, index, value);
  }) as never);
  new PerThread('fresh', { ...options, area });
  spy.mockRestore();
  expect(seen).toEqual([[1, [0, 0, 0, 0]]]);
});
