// register({ permanent: true }): a registration without a count, until the thread ends (docs/ABI.md, clauses 27 to 29).

import { createArea, register } from 'coexist';
import { describe, expect, test } from 'vitest';
import { rawSlot, stateOf } from './support/slot.js';

/** Some CPU number. */
const registered = { cpu_id: expect.toSatisfy((cpu: number) => cpu >= 0) } as const;

const area = () => createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });

describe('the first registration is permanent', () => {
  test('cpu_id >= 0, refcount 0, counted once in registered_total', () => {
    const own = area();
    const handle = register({ area: own, permanent: true, name: 'owner' });
    expect(handle).toMatchObject({ permanent: true, slot: 0, generation: 1, name: 'owner' });
    expect(rawSlot(own, 0)).toMatchObject({ ...registered, refcount: 0, registered_total: 1, holders: 1n });
    expect(own.inspect().slots).toMatchObject([{ refcount: 0, alive: true, holders: ['owner'] }]);
  });

  test('again: success, nothing changed', () => {
    const own = area();
    register({ area: own, permanent: true });
    const before = stateOf(own);
    expect(register({ area: own, permanent: true })).toMatchObject({ permanent: true, slot: 0, generation: 1 });
    expect(stateOf(own)).toBe(before);
  });

  test('a transient one after it succeeds, is not counted, and says that it is permanent', () => {
    const own = area();
    register({ area: own, permanent: true });
    const before = stateOf(own);
    const transient = register({ area: own });
    expect(transient.permanent).toBe(true);
    expect(stateOf(own)).toBe(before);
    transient.unregister();
    expect(stateOf(own)).toBe(before);
  });

  test('ending it does nothing, however often and by whatever means, and the id stays readable', () => {
    const own = area();
    const handle = register({ area: own, permanent: true });
    const before = stateOf(own);
    handle.unregister();
    handle.unregister();
    handle[Symbol.dispose]();
    expect(stateOf(own)).toBe(before);
    expect(handle.cpuId()).toBeGreaterThanOrEqual(0);
  });

  test('an accessor holds on to it and lets go of it without counting', async () => {
    const { Counter } = await import('coexist/percpu');
    const own = area();
    register({ area: own, permanent: true });
    const counter = new Counter('c', { area: own });
    counter.add(3);
    expect(rawSlot(own, 0)).toMatchObject({ refcount: 0, ...registered, registered_total: 1 });
    counter.dispose();
    expect(rawSlot(own, 0)).toMatchObject({ refcount: 0, ...registered });
    expect(counter.sum()).toBe(3n);
  });
});

describe('while transient registrations count', () => {
  test.each([1, 2, 3])('%i of them: EBUSY, nothing changed', (count) => {
    const own = area();
    const handles = Array.from({ length: count }, () => register({ area: own }));
    const before = stateOf(own);
    expect(() => register({ area: own, permanent: true })).toThrow(
      expect.objectContaining({ code: 'COEXIST_EBUSY', found: count, expected: 0 }),
    );
    expect(stateOf(own)).toBe(before);
    for (const handle of handles) handle.unregister();
    expect(rawSlot(own, 0).owner).toBe(0n);
  });

  test('after the last of them has ended, it succeeds under the next generation', () => {
    const own = area();
    const transient = register({ area: own });
    transient.unregister();
    expect(register({ area: own, permanent: true })).toMatchObject({ permanent: true, generation: 2 });
    expect(() => transient.unregister()).toThrow(expect.objectContaining({ code: 'COEXIST_EUNREGISTERED' }));
    expect(rawSlot(own, 0)).toMatchObject({ ...registered, refcount: 0 });
  });
});

test('it is permanent in one area only', () => {
  const [one, other] = [area(), area()];
  register({ area: one, permanent: true });
  const transient = register({ area: other });
  expect(transient.permanent).toBe(false);
  transient.unregister();
  expect(rawSlot(other, 0).owner).toBe(0n);
  expect(rawSlot(one, 0)).toMatchObject({ ...registered, refcount: 0 });
});

test('only true makes it permanent', () => {
  for (const permanent of [undefined, false] as const) {
    const own = area();
    const handle = register({ area: own, permanent: permanent as boolean });
    expect(handle.permanent).toBe(false);
    handle.unregister();
    expect(rawSlot(own, 0).owner).toBe(0n);
  }
});
