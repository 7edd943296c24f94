// A1, a fresh thread: cpu_id -1, cpu_id_start 0, refcount 0, flags 0, feature size 0 until the first success.
// Restated: a thread has no slot until its first registration, so there is nothing of it to read; importing attaches nothing,
// attaching claims nothing. feature_size belongs to the area and is there from its creation; what is 0 until the first
// success is slot_high_water.

import { attach, probe } from 'coexist';
import { expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { bytesOf, headerOf, takenSlots } from '../support/slot.js';

const anchors = (): symbol[] =>
  Object.getOwnPropertySymbols(process.getBuiltinModule('node:worker_threads')).filter((symbol) =>
    symbol.description?.startsWith('coexist.'),
  );

test('importing leaves no trace', () => {
  expect(anchors()).toEqual([]);
  expect(probe()).toMatchObject({ attached: false, via: 'create' });
});

test('attaching creates an area in which every slot is zero', () => {
  const area = attach();
  const { slotOffset, slotStride, slotCapacity, featureSize } = area.geometry;
  expect(featureSize).toBe(64);
  expect(headerOf(area, 'slot_high_water')).toBe(0);
  const slots = bytesOf(area, slotOffset, slotOffset + slotCapacity * slotStride);
  expect(slots.every((byte) => byte === 0)).toBe(true);
  expect(area.inspect()).toMatchObject({ highWater: 0, conflicted: false, slots: [] });
});

test('attaching in a worker claims nothing there: the thread anchor names no slot', async () => {
  const actor = await Actor.start();
  const seen = await actor.run(async ({ load }, url) => {
    const { attach, probe } = await load(url);
    const before = probe().attached;
    const area = attach();
    const { slots, areaId } = area.inspect();
    const workerThreads = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, unknown>;
    const anchored = (workerThreads[Symbol.for('coexist.thread.v1')] as Int32Array)[0];
    return { before, slots, areaId, anchored, after: probe().attached };
  }, copyUrl('b'));
  expect(seen).toEqual({ before: false, slots: [], areaId: attach().id, anchored: -1, after: true });
  expect(takenSlots(attach())).toEqual([]);
  await actor.terminate();
});
