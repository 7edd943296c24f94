// Clause 23: a claim, step by step. The twin's steps are taken down in order, with the thread anchor at each; on both backends
// the outcome is compared, and threads race for slots.

import '../support/slot-index.js';
import { register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { ownIdentity, threadAnchor, UNKNOWABLE } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

const id = ownIdentity();

test('high water, owner -id, reset, generation, thread id, owner id; busy throughout', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area }).unregister();
  bytes.plant(0, { owner: UNKNOWABLE });
  bytes.setSlot(1, 'generation', 8);
  const writes = writesOf(area, () => register({ area }));
  const steps = lines(writes);
  const taken = steps.indexOf(`slot[1].owner = ${-id}`);
  const given = steps.indexOf(`slot[1].owner = ${id}`);
  expect(steps.slice(0, taken)).toEqual(['header.slot_high_water = 2']);
  expect(given).toBeGreaterThan(taken);
  const between = steps.slice(taken + 1, given);
  expect(between.every((step) => step.startsWith('slot[1].'))).toBe(true);
  expect(between.slice(-2)).toEqual(['slot[1].generation = 9', 'slot[1].thread_id = 0']);
  expect(between.slice(0, -2)).toEqual(
    expect.arrayContaining(['slot[1].cpu_id = -1', 'slot[1].mm_cid = 1', 'slot[1].refcount = 0']),
  );
  for (const { anchor } of writes.slice(0, given + 1)) expect(anchor).toEqual([-1, 1]);
  expect([...(threadAnchor(area) ?? [])].slice(0, 2)).toEqual([1, 0]);
});

describe.each(BACKENDS)('%s', (backend) => {
  test.each([
    // taken slots, hint, the slot claimed, high water after
    [[], 0, 0, 1],
    [[0], 0, 1, 2],
    [[0, 1, 2], 0, 3, 4],
    [[], 2, 2, 3],
    [[2, 3], 2, 0, 4],
    [[0, 2, 3], 2, 1, 4],
    [[0, 1, 3], 3, 2, 4],
  ])('with slots %j taken and hint %i it takes slot %i', (taken, hint, slot, water) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    for (const i of taken) bytes.plant(i, { owner: UNKNOWABLE });
    bytes.setHeader('slot_hint', hint);
    const others = bytes.snapshot();
    expect(register({ area }).slot).toBe(slot);
    expect(bytes.header('slot_high_water')).toBe(water);
    expect(bytes.owner(slot)).toBe(id);
    expect(bytes.changed(others).every((name) => name.startsWith('header.') || name.startsWith(`slot[${slot}].`))).toBe(
      true,
    );
  });

  test('the claimer resets: what a freed slot holds does not matter', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.u8.fill(0x77, bytes.slotAt(0), bytes.slotAt(0) + 64);
    bytes.setOwner(0, 0n);
    const registration = register({ area });
    expect(registration).toMatchObject({ slot: 0, generation: 0x77777778, permanent: false });
    expect([bytes.cpuId(0), bytes.slot(0, 'refcount'), bytes.slot(0, 'mm_cid')]).toEqual([0, 1, 0]);
    registration.unregister();
    expect(bytes.owner(0)).toBe(0n);
  });

  test('threads that claim at once get different slots, and no claim is lost', async () => {
    // Room to spare: a scan is no snapshot, so owners that move about may make a table look full that is not.
    const area = smallArea(backend, { slots: 8 });
    const bytes = bytesOf(area);
    const actors = await Promise.all([
      startActor(backend),
      startActor(backend),
      startActor(backend),
      startActor(backend),
    ]);
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const url = copyUrl('a', 'core.js');
    const claims = actors.map((actor) =>
      actor.run(
        async ({ load }, { url, memory, gate }) => {
          const lib = await load(url);
          const area = lib.openArea(memory);
          const slots: number[] = [];
          Atomics.add(gate, 1, 1);
          Atomics.wait(gate, 0, 0, 10_000);
          for (let round = 0; round < 300; round++) {
            const registration = lib.register({ area });
            slots.push(registration.slot);
            if (round < 299) registration.unregister();
          }
          return { last: slots.at(-1) as number, bad: slots.filter((slot) => !(slot >= 0 && slot < 8)).length };
        },
        { url, memory: memoryOf(area), gate },
      ),
    );
    await until('all actors wait at the gate', () => Atomics.load(gate, 1) === 4);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    const outcomes = await Promise.all(claims);
    const last = outcomes.map((outcome) => outcome.last);
    expect(new Set(last).size).toBe(4);
    expect(outcomes.every(({ bad }) => bad === 0)).toBe(true);
    const generations = Array.from({ length: 8 }, (_, i) => bytes.slot(i, 'generation'));
    expect(generations.reduce((sum, generation) => sum + generation)).toBe(1200);
    expect(last.map((i) => bytes.slot(i, 'refcount'))).toEqual([1, 1, 1, 1]);
    for (const actor of actors) await actor.terminate();
  });
});
