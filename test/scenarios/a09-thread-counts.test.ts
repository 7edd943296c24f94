// A9, thread counts 1, 2, 6, 5, 4, 3, 50, in this order: growing, shrinking and growing again. Restated: threads are workers,
// all alive at once; each is registered by two copies, has a slot of its own, and sees itself and all others.

import { attach } from 'coexist';
import { expect, test } from 'vitest';
import { headerOf, rawSlot, takenSlots } from '../support/slot.js';
import { registerIn, startActors, terminateAll, unregisterIn, untilFree } from '../support/steps.js';

let most = 0;

test.each([1, 2, 6, 5, 4, 3, 50])('%i workers', async (count) => {
  const area = attach();
  expect(takenSlots(area)).toEqual([]);
  const actors = await startActors(count);
  const registered = await Promise.all(actors.map((actor) => registerIn(actor, 'ab', 'a09')));

  // Dense: the first so many slots, each once.
  const slots = registered.map(({ slot }) => slot).sort((a, b) => a - b);
  expect(slots).toEqual(Array.from({ length: count }, (_, slot) => slot));
  most = Math.max(most, count);
  expect(headerOf(area, 'slot_high_water')).toBe(most);
  const { slots: rows } = area.inspect();
  expect(rows.map(({ threadId }) => threadId).sort((a, b) => a - b)).toEqual(
    actors.map(({ worker }) => worker.threadId).sort((a, b) => a - b),
  );
  for (const row of rows) {
    expect(row).toMatchObject({ refcount: 2, cpuIdStart: row.cpuId, alive: true, holders: ['a09'] });
    expect(row.cpuId).toBeGreaterThanOrEqual(0);
  }
  expect(new Set(rows.map(({ osTid }) => osTid)).size).toBe(count);

  // Half of them leave properly, the others do not.
  const leaving = actors.filter((_, k) => k % 2 === 0);
  await Promise.all(leaving.map(unregisterIn));
  expect(takenSlots(area)).toHaveLength(count - leaving.length);
  await terminateAll(actors);
  await untilFree(area, ...slots);
  expect(area.inspect().slots).toEqual([]);
  expect(slots.every((slot) => rawSlot(area, slot).owner === 0n)).toBe(true);
});
