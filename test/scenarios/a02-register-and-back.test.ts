// A2, register gives an id >= 0 equal to id_start, unregister gives the values of A1 back.
// Restated: the last unregister puts back cpu_id, cpu_id_start, refcount and owner. The other fields mean nothing in a free
// slot (clause 19); they are back at their unregistered values before the next claim can be seen.

import { attach, register } from 'coexist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Actor } from '../support/actor.js';
import { headerOf, rawSlot } from '../support/slot.js';
import { modeEnv, modes, registerIn, unregisterIn } from '../support/steps.js';

test('register publishes one id in three fields, unregister takes it back', () => {
  const area = attach();
  const registration = register({ name: 'a02' });
  const { slot } = registration;
  const live = rawSlot(area, slot);
  expect(live.cpu_id).toBeGreaterThanOrEqual(0);
  expect(live).toMatchObject({ cpu_id_start: live.cpu_id, mm_cid: slot, refcount: 1, flags: 0, rseq_cs: 0n });
  expect(live.owner).toBeGreaterThan(0n);
  expect(registration.cpuId()).toBeGreaterThanOrEqual(0);
  expect(area.inspect().slots).toMatchObject([{ slot, refcount: 1, holders: ['a02'], threadId: 0, alive: true }]);

  registration.unregister();
  expect(registration.cpuId()).toBe(-1);
  expect(rawSlot(area, slot)).toMatchObject({
    cpu_id: -1,
    cpu_id_start: 0,
    refcount: 0,
    owner: 0n,
    mm_cid: slot,
    generation: live.generation,
    registered_total: live.registered_total,
  });
  expect(area.inspect().slots).toEqual([]);
});

describe.each(modes)('%s', (mode) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = await Actor.start({ env: modeEnv(mode) });
  });
  afterAll(() => actor.terminate());

  test('each new registration is a new claim: same slot, next generation, nothing of the last one', async () => {
    const area = attach();
    const first = await registerIn(actor, 'ab', 'a02-first');
    expect(first.row).toMatchObject({ refcount: 2, cpuIdStart: first.row.cpuId });
    expect(first.row.cpuId).toBeGreaterThanOrEqual(0);
    await unregisterIn(actor);
    const free = rawSlot(area, first.slot);
    expect(free).toMatchObject({ owner: 0n, cpu_id: -1, cpu_id_start: 0, refcount: 0 });

    const second = await registerIn(actor, 'a');
    expect(second).toMatchObject({ slot: first.slot, generation: first.generation + 1 });
    expect(rawSlot(area, second.slot)).toMatchObject({
      holders: 0n,
      flags: 0,
      rseq_cs: 0n,
      node_id: 0,
      reserved: 0,
      registered_total: free.registered_total + 1,
      thread_id: actor.worker.threadId,
    });
    await unregisterIn(actor);
    expect(headerOf(area, 'slot_high_water')).toBe(1);
  });
});
