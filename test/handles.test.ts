// The handle that register() returns: it ends its own registration once, and never anybody else's (docs/ABI.md, clause 28).

import { createArea, type Registration, register } from 'coexist';
import { HEADER, word } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { rawSlot, stateOf } from './support/slot.js';

const area = () => createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
const unregistered = expect.objectContaining({ code: 'COEXIST_EUNREGISTERED' });

describe('unregister()', () => {
  test('counts down once; the second call throws and changes nothing', () => {
    const own = area();
    const [one, other] = [register({ area: own }), register({ area: own })];
    one.unregister();
    const before = stateOf(own);
    expect(() => one.unregister()).toThrow(unregistered);
    expect(() => one.unregister()).toThrow(unregistered);
    expect(stateOf(own)).toBe(before);
    expect(rawSlot(own, 0).refcount).toBe(1);
    other.unregister();
  });

  test('of a handle of an earlier generation throws and leaves the present registration alone', () => {
    const own = area();
    const [ended, open] = [register({ area: own }), register({ area: own })];
    ended.unregister();
    open.unregister();
    const present = register({ area: own });
    expect(present).toMatchObject({ slot: ended.slot, generation: ended.generation + 1 });
    const before = stateOf(own);
    for (const stale of [ended, open]) {
      expect(() => stale.unregister()).toThrow(unregistered);
      stale[Symbol.dispose]();
    }
    expect(stateOf(own)).toBe(before);
    present.unregister();
  });

  test('of a handle that never ended, whose slot has been reclaimed and claimed anew, throws', () => {
    const own = area();
    const stale = register({ area: own });
    // As if the thread had been judged dead: owner word and hint are all that a reclaimer changes.
    Atomics.store(new BigInt64Array(own.buffer), (own.geometry.slotOffset + 32) >>> 3, 0n);
    Atomics.store(new Int32Array(own.buffer), word(HEADER.slot_hint), 0);
    const present = register({ area: own });
    expect(present).toMatchObject({ slot: stale.slot, generation: stale.generation + 1 });
    const before = stateOf(own);
    expect(() => stale.unregister()).toThrow(unregistered);
    expect(stateOf(own)).toBe(before);
    present.unregister();
  });

  test('of a slot that another thread owns by now throws and touches nothing', () => {
    const own = area();
    const stale = register({ area: own });
    Atomics.store(new BigInt64Array(own.buffer), (own.geometry.slotOffset + 32) >>> 3, 1n << 40n);
    const before = stateOf(own);
    expect(() => stale.unregister()).toThrow(unregistered);
    stale[Symbol.dispose]();
    expect(stateOf(own)).toBe(before);
  });

  test('in one area says nothing of another', () => {
    const [one, other] = [area(), area()];
    const [a, b] = [register({ area: one }), register({ area: other })];
    a.unregister();
    expect(rawSlot(other, 0).refcount).toBe(1);
    expect(rawSlot(other, 0).cpu_id).toBeGreaterThanOrEqual(0);
    expect(b.cpuId()).toBeGreaterThanOrEqual(0);
    b.unregister();
  });
});

describe('Symbol.dispose', () => {
  test('is idempotent, also before and after unregister()', () => {
    const own = area();
    const keep = register({ area: own });
    const [one, other] = [register({ area: own }), register({ area: own })];
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    expect(rawSlot(own, 0).refcount).toBe(2);
    expect(() => one.unregister()).toThrow(unregistered);
    other.unregister();
    other[Symbol.dispose]();
    expect(rawSlot(own, 0).refcount).toBe(1);
    keep.unregister();
  });

  test('ends a registration at the end of its block, however that is left', () => {
    const own = area();
    const count = (): number => rawSlot(own, 0).refcount;
    const use = (): number => {
      using outer = register({ area: own });
      {
        using inner = register({ area: own });
        expect([inner.slot, count()]).toEqual([outer.slot, 2]);
      }
      expect(count()).toBe(1);
      return outer.slot;
    };
    expect(use()).toBe(0);
    expect(rawSlot(own, 0)).toMatchObject({ owner: 0n, refcount: 0 });

    const fail = (): void => {
      using _held = register({ area: own });
      throw new Error('expected');
    };
    expect(fail).toThrow('expected');
    expect(rawSlot(own, 0)).toMatchObject({ owner: 0n, refcount: 0 });
  });

  test('serves in a DisposableStack-like clean-up, the oldest last', () => {
    const own = area();
    const stack: Registration[] = [1, 2, 3].map(() => register({ area: own }));
    const counts = stack.reverse().map((handle) => {
      handle[Symbol.dispose]();
      return rawSlot(own, 0).refcount;
    });
    expect(counts).toEqual([2, 1, 0]);
  });
});

describe('what a handle says', () => {
  test('slot, generation, name, permanent', () => {
    const own = area();
    const named = register({ area: own, name: 'who' });
    const unnamed = register({ area: own });
    expect(named).toMatchObject({ slot: 0, generation: 1, name: 'who', permanent: false });
    expect(unnamed).toMatchObject({ slot: 0, generation: 1, name: '', permanent: false });
    unnamed.unregister();
    named.unregister();
  });

  test('cpuId() is -1 once it has ended, although the thread is still registered', () => {
    const own = area();
    const [one, other] = [register({ area: own }), register({ area: own })];
    one.unregister();
    expect(one.cpuId()).toBe(-1);
    expect(other.cpuId()).toBeGreaterThanOrEqual(0);
    other.unregister();
    expect(other.cpuId()).toBe(-1);
  });
});
