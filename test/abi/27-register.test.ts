// Clause 27: register, in every state that the thread's slot can be in.

import '../support/slot-index.js';
import { register } from 'coexist';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openIn, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { lines, writesOf } from '../support/writes.js';

describe.each(BACKENDS)('%s', (backend) => {
  const registered = (slot: Record<'cpu_id' | 'refcount', number>) => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area });
    bytes.setSlot(0, 'cpu_id', slot.cpu_id);
    bytes.setSlot(0, 'refcount', slot.refcount);
    return { area, bytes, before: bytes.snapshot() };
  };

  test.each([0, 1, 5, 0xffffffff])('cpu_id -2, refcount %i: COEXIST_EFAILED, unchanged', (refcount) => {
    const { area, bytes, before } = registered({ cpu_id: -2, refcount });
    for (const permanent of [false, true]) {
      expect(failure('COEXIST_EFAILED', () => register({ area, permanent }))).toMatchObject({ found: -2 });
    }
    expect(bytes.changed(before)).toEqual([]);
  });

  test.each([0, 3, 0x7fffffff])('cpu_id %i and refcount 0, a permanent owner: success, not counted', (cpu_id) => {
    const { area, bytes, before } = registered({ cpu_id, refcount: 0 });
    const registration = register({ area });
    expect(registration).toMatchObject({ slot: 0, generation: 1, permanent: true });
    registration.unregister();
    expect(bytes.changed(before)).toEqual([]);
  });

  test('refcount 0xFFFFFFFF: COEXIST_EOVERFLOW, unchanged', () => {
    const { area, bytes, before } = registered({ cpu_id: 0, refcount: 0xffffffff });
    expect(failure('COEXIST_EOVERFLOW', () => register({ area }))).toMatchObject({ found: 0xffffffff });
    expect(bytes.changed(before)).toEqual([]);
  });

  test.each([1, 2, 0x7fffffff, 0x80000000, 0xfffffffe])('refcount %i counts one up', (refcount) => {
    const { area, bytes, before } = registered({ cpu_id: 0, refcount });
    const registration = register({ area });
    expect(registration.permanent).toBe(false);
    expect(bytes.slot(0, 'refcount')).toBe(refcount + 1);
    expect(bytes.changed(before)).toEqual(['slot[0].refcount', 'slot[0].registered_total']);
    registration.unregister();
    expect(bytes.slot(0, 'refcount')).toBe(refcount);
  });

  test('cpu_id -1 in the own slot: registered there, under the same claim, whatever count was left', () => {
    for (const refcount of [0, 1, 6]) {
      const { area, bytes } = registered({ cpu_id: -1, refcount });
      expect(register({ area })).toMatchObject({ slot: 0, generation: 1 });
      expect([bytes.slot(0, 'refcount'), bytes.cpuId(0), bytes.slot(0, 'cpu_id_start')]).toEqual([1, 0, 0]);
    }
  });

  test('no slot: claimed and registered with one', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const actor = await startActor(backend);
    for (const copy of ['a', 'b', 'a', 'b'] as const) await registerIn(actor, area, {}, copy);
    expect(register({ area })).toMatchObject({ slot: 1, generation: 1, permanent: false });
    expect([bytes.slot(0, 'refcount'), bytes.slot(1, 'refcount')]).toEqual([4, 1]);
    await actor.terminate();
  });

  test('copies count on one word, each for itself', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const [a, b] = [await openIn('a', backend, area), await openIn('b', backend === 'wasm' ? 'twin' : 'wasm', area)];
    const held = [a, b, a, b, b].map(({ lib, area }) => lib.register({ area }));
    expect(held.map(({ slot, generation }) => [slot, generation])).toEqual(Array(5).fill([0, 1]));
    expect(bytes.slot(0, 'refcount')).toBe(5);
    for (const k of [3, 0, 4, 1]) held[k]?.unregister();
    expect([bytes.slot(0, 'refcount'), bytes.cpuId(0)]).toEqual([1, 0]);
    held[2]?.unregister();
    expect([bytes.owner(0), bytes.cpuId(0)]).toEqual([0n, -1]);
  });
});

test('refcount and cpu_id_start before cpu_id, which a CAS publishes last', () => {
  const area = smallArea('twin');
  const steps = lines(writesOf(area, () => register({ area }))).filter((step) => step.startsWith('slot[0].'));
  expect(steps.slice(-3)).toEqual(['slot[0].refcount = 1', 'slot[0].cpu_id_start = 0', 'slot[0].cpu_id = 0']);
});

test('where that CAS fails, the counted path', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area });
  bytes.setSlot(0, 'cpu_id', -1);
  const exchange = Atomics.compareExchange as (array: unknown, ...values: unknown[]) => unknown;
  const spy = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(((array: Int32Array, ...values: number[]) => {
    bytes.setSlot(0, 'cpu_id', 2);
    return exchange.call(Atomics, array, ...values);
  }) as never);
  register({ area });
  spy.mockRestore();
  expect([bytes.cpuId(0), bytes.slot(0, 'refcount')]).toEqual([2, 2]);
});
