// Clause 25: the hint may be wrong in any way and costs time only; who frees lowers it, who raises it looks again at what it
// skipped.

import { register } from 'coexist';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, registerIn, smallArea, startActor, unregisterIn } from '../support/backends.js';
import { NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';
import { writesOf } from '../support/writes.js';

describe.each(BACKENDS)('%s', (backend) => {
  test.each([0, 1, 2, 3, 4, 5, 1000, 0x7fffffff, 0x80000000, 0xffffffff])(
    '%i is only a hint: the last free slot is found',
    (hint) => {
      for (const free of [0, 1, 2, 3]) {
        const area = smallArea(backend);
        const bytes = bytesOf(area);
        for (const i of [0, 1, 2, 3]) if (i !== free) bytes.plant(i, { owner: UNKNOWABLE });
        bytes.setHeader('slot_hint', hint);
        const registration = register({ area });
        expect(registration.slot).toBe(free);
        const raised = bytes.header('slot_hint');
        expect([hint, free + 1]).toContain(raised);
        registration.unregister();
        expect(bytes.header('slot_hint')).toBeLessThanOrEqual(free);
      }
    },
  );

  test('each claim leaves a hint that no free slot is below', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const sound = (): boolean => {
      const free = [0, 1, 2, 3].find((i) => bytes.owner(i) === 0n) ?? 4;
      return bytes.header('slot_hint') <= free;
    };
    const actors = [await startActor(backend), await startActor(backend), await startActor(backend)];
    const states: boolean[] = [];
    for (const actor of actors) {
      await registerIn(actor, area);
      states.push(sound());
    }
    expect(bytes.header('slot_hint')).toBe(3);
    for (const actor of [actors[1], actors[0], actors[2]]) {
      await unregisterIn(actor!);
      states.push(sound());
      await registerIn(actor!, area);
      states.push(sound());
      await unregisterIn(actor!);
      states.push(sound());
    }
    expect(states).toEqual(Array(12).fill(true));
    for (const actor of actors) await actor.terminate();
  });

  test('a reclaimer lowers it to the lowest slot it freed, and never raises it', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    bytes.plant(1, { owner: NO_SUCH_THREAD });
    bytes.plant(3, { owner: NO_SUCH_THREAD });
    bytes.setHeader('slot_hint', 4);
    expect(area.reclaim()).toBe(2);
    expect(bytes.header('slot_hint')).toBe(1);
    bytes.plant(2, { owner: NO_SUCH_THREAD });
    bytes.setHeader('slot_hint', 0);
    expect(area.reclaim()).toBe(1);
    expect(bytes.header('slot_hint')).toBe(0);
  });
});

test('raised by CAS from the value read, behind the claim; who raised it looks again at what it skipped', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area }).unregister();
  bytes.plant(0, { owner: UNKNOWABLE });
  bytes.plant(1, { owner: UNKNOWABLE });
  bytes.setHeader('slot_hint', 0);
  // Slot 1 is freed after the claim looked at it and before the hint is raised; its freer found the hint at 0.
  const exchange = Atomics.compareExchange as (array: unknown, ...values: unknown[]) => unknown;
  const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementation(((array: Int32Array, ...values: number[]) => {
    if (bytes.owner(2) === ownIdentity() && bytes.header('slot_hint') === 0) bytes.setOwner(1, 0n);
    return exchange.call(Atomics, array, ...values);
  }) as never);
  const { slot } = register({ area });
  spy.mockRestore();
  expect(slot).toBe(2);
  expect(bytes.owner(1)).toBe(0n);
  expect(bytes.header('slot_hint')).toBe(1);
});

test('a hint that changed meanwhile is left alone', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area }).unregister();
  bytes.plant(0, { owner: UNKNOWABLE });
  bytes.setHeader('slot_hint', 1);
  const exchange = Atomics.compareExchange as (array: unknown, ...values: unknown[]) => unknown;
  const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementation(((array: Int32Array, ...values: number[]) => {
    if (bytes.owner(1) === ownIdentity() && bytes.header('slot_hint') === 1) bytes.setHeader('slot_hint', 0);
    return exchange.call(Atomics, array, ...values);
  }) as never);
  expect(register({ area }).slot).toBe(1);
  spy.mockRestore();
  expect(bytes.header('slot_hint')).toBe(0);
});

test('who unregisters lowers it last', () => {
  const area = smallArea('twin');
  const registration = register({ area });
  const writes = writesOf(area, () => registration.unregister());
  expect(writes.at(-1)).toMatchObject({ field: 'header.slot_hint', value: 0 });
  expect(writes.at(-2)).toMatchObject({ field: 'slot[0].owner', value: 0n });
});
