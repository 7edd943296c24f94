// PerThread and Counter: ranges in every thread's block, their names and refusals, and what survives a thread
// (docs/ABI.md, clauses 36 to 41).

import { attach, createArea, register } from 'coexist';
import { Counter, type ElementType, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf, headerOf, rawSlot, stateOf } from './support/slot.js';

const area = () => createArea({ slots: 2, blockBytes: 4096, heapBytes: 0 });
const code = (name: string) => expect.objectContaining({ code: name });

describe('Counter', () => {
  test('adds safe integers to the own cell, negative ones too', () => {
    const own = area();
    const counter = new Counter('c', { area: own });
    counter.add();
    counter.add(41);
    counter.add(-2);
    counter.add(0);
    counter.add(Number.MAX_SAFE_INTEGER);
    expect([counter.own(), counter.sum()]).toEqual([9007199254741031n, 9007199254741031n]);
    for (const wrong of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', 1n, null]) {
      expect(() => counter.add(wrong as number)).toThrow(code('COEXIST_EINVAL'));
    }
    expect(counter.sum()).toBe(9007199254741031n);
    counter.dispose();
  });

  test('is a 64-bit integer: sums are exact beyond 2^53 and wrap at 2^63', () => {
    const own = area();
    const counter = new Counter('c', { area: own });
    const { blockOffset } = own.geometry;
    const cells = new BigInt64Array(own.buffer, blockOffset, 1);
    cells[0] = 2n ** 63n - 2n;
    counter.add(1);
    expect(counter.sum()).toBe(2n ** 63n - 1n);
    counter.add(1);
    expect(counter.sum()).toBe(-(2n ** 63n));
    counter.dispose();
  });

  test('the same name is the same counter, another one is another', () => {
    const own = area();
    const [one, same, other] = [
      new Counter('c', { area: own }),
      new Counter('c', { area: own }),
      new Counter('d', { area: own }),
    ];
    one.add(2);
    same.add(3);
    other.add(7);
    expect([one.sum(), same.sum(), other.sum()]).toEqual([5n, 5n, 7n]);
    expect(rawSlot(own, 0).refcount).toBe(3);
    for (const counter of [one, same, other]) counter.dispose();
    expect(rawSlot(own, 0).owner).toBe(0n);
  });

  test('after disposal it writes nothing and still sums; disposing twice counts down once', () => {
    const own = area();
    const keep = register({ area: own });
    const counter = new Counter('c', { area: own });
    counter.add(5);
    counter.dispose();
    const before = bytesOf(own);
    counter.dispose();
    counter[Symbol.dispose]();
    for (const n of [1, 2]) expect(() => counter.add(n)).toThrow(code('COEXIST_EUNREGISTERED'));
    expect(() => counter.own()).toThrow(code('COEXIST_EUNREGISTERED'));
    expect(Buffer.compare(before, bytesOf(own))).toBe(0);
    expect([counter.sum(), rawSlot(own, 0).refcount]).toEqual([5n, 1]);
    keep.unregister();
  });

  test('goes on where the last owner of the slot left it', () => {
    const own = area();
    for (const expected of [4n, 8n, 12n]) {
      using counter = new Counter('c', { area: own });
      counter.add(4);
      expect([counter.sum(), counter.own()]).toEqual([expected, expected]);
    }
    expect(rawSlot(own, 0)).toMatchObject({ owner: 0n, generation: 3 });
  });

  test('of() reads any slot, disposed or not, and wants one that there is', () => {
    const own = area();
    const counter = new Counter('c', { area: own });
    counter.add(4);
    const { blockOffset, blockStride } = own.geometry;
    new BigInt64Array(own.buffer)[(blockOffset + blockStride) / 8] = -7n;
    expect([counter.of(0), counter.of(1)]).toEqual([4n, -7n]);
    for (const slot of [-1, 2, 0.5, Number.NaN, '0']) {
      expect(() => counter.of(slot as number)).toThrow(code('COEXIST_EINVAL'));
    }
    counter.dispose();
    expect(counter.of(0)).toBe(4n);
  });

  test('holder is a name for inspect()', () => {
    const own = area();
    using counter = new Counter('c', { area: own, holder: 'meter' });
    expect(own.inspect().slots).toMatchObject([{ holders: ['meter'] }]);
    expect(counter.name).toBe('c');
  });
});

describe('PerThread', () => {
  const types: [ElementType, number, number | bigint][] = [
    ['i8', 1, -1],
    ['u8', 1, 255],
    ['i16', 2, -1],
    ['u16', 2, 65535],
    ['i32', 4, -1],
    ['u32', 4, 0xffffffff],
    ['i64', 8, -1n],
    ['u64', 8, 2n ** 64n - 1n],
    ['f32', 4, 0.5],
    ['f64', 8, Math.PI],
  ];

  test.each(types)('%s: three ways to the same elements', (type, bytes, value) => {
    const own = area();
    const accessor = new PerThread('k', { type, length: 5, area: own });
    expect(accessor.own).toHaveLength(5);
    expect(accessor.own.BYTES_PER_ELEMENT).toBe(bytes);
    (accessor.own as { fill(value: unknown): void }).fill(value);
    expect(accessor.array[accessor.base + 4]).toBe(value);
    expect(accessor.array[accessor.base + 5]).toBe(typeof value === 'bigint' ? 0n : 0);
    expect(accessor.at(accessor.slot)?.view[0]).toBe(value);
    expect(accessor.base).toBe(accessor.indexOf(accessor.slot));
    accessor.dispose();
  });

  test('after disposal own is not to be had, and nothing is written', () => {
    const own = area();
    const accessor = new PerThread('k', { type: 'u8', length: 8, fresh: true, area: own });
    accessor.own.fill(3);
    const before = bytesOf(own, own.geometry.blockOffset);
    accessor.dispose();
    accessor.dispose();
    expect(() => accessor.own).toThrow(code('COEXIST_EUNREGISTERED'));
    expect(Buffer.compare(before, bytesOf(own, own.geometry.blockOffset))).toBe(0);
    expect(rawSlot(own, 0)).toMatchObject({ owner: 0n, refcount: 0 });
  });

  test('the content goes on under the next owner, unless the key starts fresh', () => {
    const own = area();
    for (const [round, before] of [
      [1, 0],
      [2, 1],
      [3, 2],
    ] as const) {
      using kept = new PerThread('kept', { type: 'u32', length: 4, area: own });
      using fresh = new PerThread('fresh', { type: 'u32', length: 4, fresh: true, area: own });
      expect([...kept.own, ...fresh.own]).toEqual([...Array(4).fill(before), ...Array(4).fill(0)]);
      kept.own.fill(round);
      fresh.own.fill(round);
      // A second accessor of the same claim does not start anew.
      using again = new PerThread('fresh', { type: 'u32', length: 4, fresh: true, area: own });
      expect([...again.own]).toEqual(Array(4).fill(round));
    }
  });

  test('a fresh key reads as void where its stamp is of another claim', () => {
    const own = area();
    const first = new PerThread('fresh', { type: 'i32', length: 2, fresh: true, area: own });
    first.own[0] = 9;
    expect(first.at(0)).toMatchObject({ slot: 0, generation: 1 });
    expect([...first.blocks()].map(({ slot }) => slot)).toEqual([0]);
    first.dispose();
    const between = register({ area: own });
    expect(between.generation).toBe(2);
    expect(first.at(0)).toBeUndefined();
    expect([...first.blocks()]).toEqual([]);
    between.unregister();
  });

  test('at() of a slot that is none', () => {
    const own = area();
    using accessor = new PerThread('k', { type: 'i32', length: 2, area: own });
    for (const slot of [-1, 2, 0.5, Number.NaN]) expect(() => accessor.at(slot)).toThrow(code('COEXIST_EINVAL'));
    expect(accessor.at(1)).toMatchObject({ slot: 1, generation: 0 });
  });
});

describe('one name, one kind, size, version and flags', () => {
  const refusals: [string, (own: ReturnType<typeof area>) => unknown][] = [
    ['another kind', (own) => new Counter('k', { area: own })],
    ['another length', (own) => new PerThread('k', { type: 'i32', length: 5, area: own })],
    ['another type of another size', (own) => new PerThread('k', { type: 'i16', length: 4, area: own })],
    ['another version', (own) => new PerThread('k', { type: 'i32', length: 4, version: 2, area: own })],
    ['fresh, of the same size', (own) => new PerThread('k', { type: 'i32', length: 2, fresh: true, area: own })],
  ];
  test.each(refusals)('%s: EKIND, naming both, and nothing changed', (_, attempt) => {
    const own = area();
    using _first = new PerThread('k', { type: 'i32', length: 4, area: own });
    const before = stateOf(own);
    expect(() => attempt(own)).toThrow(
      expect.objectContaining({
        code: 'COEXIST_EKIND',
        message: expect.stringMatching(/"k" has \w+ \w+, expected \w+/),
      }),
    );
    expect(stateOf(own)).toBe(before);
  });

  test('a key under the name of a counter', () => {
    const own = area();
    using _counter = new Counter('c', { area: own });
    expect(() => new PerThread('c', { type: 'i64', length: 1, area: own })).toThrow(code('COEXIST_EKIND'));
  });

  test('a library of the same name is something else', () => {
    const own = area();
    using _held = register({ area: own, name: 'c' });
    using counter = new Counter('c', { area: own });
    counter.add(1);
    expect(counter.sum()).toBe(1n);
  });
});

describe('refusals: nothing is created, nobody registered', () => {
  const wrong: [string, Record<string, unknown>][] = [
    ['type', { type: 'u128' }],
    ['length 0', { length: 0 }],
    ['half an element', { length: 1.5 }],
    ['more than a block', { type: 'u8', length: 4097 }],
    ['a fresh one of a whole block', { type: 'u8', length: 4089, fresh: true }],
    ['a negative version', { version: -1 }],
    ['a version that the contract gives out', { version: 65536 }],
    ['a version of 33 bits', { version: 2 ** 32 }],
  ];
  test.each(wrong)('EINVAL: %s', (_, options) => {
    const own = area();
    const before = stateOf(own);
    const all = { type: 'i32', length: 4, area: own, ...options } as ConstructorParameters<typeof PerThread>[1];
    expect(() => new PerThread('k', all)).toThrow(code('COEXIST_EINVAL'));
    expect(stateOf(own)).toBe(before);
  });

  test.each(['', 'x'.repeat(81), 'ä'.repeat(41), '\udc00', 5, null])('EINVAL: the name %j', (name) => {
    const own = area();
    const before = stateOf(own);
    expect(() => new Counter(name as string, { area: own })).toThrow(code('COEXIST_EINVAL'));
    expect(stateOf(own)).toBe(before);
  });

  test.each(['x', 'x'.repeat(80), 'ä'.repeat(40), '🦊', 'a b/c:d', '\u0000'])('the name %j is good', (name) => {
    const own = area();
    using counter = new Counter(name, { area: own });
    counter.add(1);
    expect([counter.name, counter.sum()]).toEqual([name, 1n]);
  });

  test('ENOSPC: the block is full; what is there works on, and what fits still fits', () => {
    const own = area();
    using _most = new PerThread('most', { type: 'u8', length: 4096 - 128, area: own });
    const used = headerOf(own, 'block_used');
    expect(() => new PerThread('more', { type: 'u8', length: 129, area: own })).toThrow(code('COEXIST_ENOSPC'));
    expect(headerOf(own, 'block_used')).toBe(used);
    expect(rawSlot(own, 0).refcount).toBe(1);
    using one = new Counter('one', { area: own });
    using two = new Counter('two', { area: own });
    one.add(1);
    two.add(2);
    expect([one.sum(), two.sum(), headerOf(own, 'block_used')]).toEqual([1n, 2n, 4096]);
    expect(() => new Counter('three', { area: own })).toThrow(code('COEXIST_ENOSPC'));
  });

  test('ENOSPC: the directory is full; registering under a new name goes on as one of the others', () => {
    const own = createArea({ slots: 1, blockBytes: 2 ** 17, heapBytes: 0 });
    const { directoryCapacity } = own.geometry;
    using keep = register({ area: own });
    for (let k = 0; k < directoryCapacity; k++) new Counter(`c${k}`, { area: own }).dispose();
    expect(() => new Counter('more', { area: own })).toThrow(code('COEXIST_ENOSPC'));
    using late = register({ area: own, name: 'late' });
    expect(late.slot).toBe(keep.slot);
    expect(own.inspect().slots).toMatchObject([{ refcount: 2, holders: ['others'] }]);
  });
});

test("without an area they are in the process's own", () => {
  using counter = new Counter('percpu/own');
  using accessor = new PerThread('percpu/block', { type: 'u8', length: 1 });
  counter.add(3);
  expect(attach().inspect().slots).toMatchObject([{ refcount: 2, slot: accessor.slot }]);
  expect(counter.sum()).toBe(3n);
});
