// Lists that are written into a cell and read from it are what structuredClone makes of them (docs/ABI.md, clause 66), in one part
// or many.

import { describe, expect, it } from 'vitest';
import { CLONED, POSTED, REFUSED, randomValue, seeded } from '../support/clone-values.js';
import { begin, pass } from '../support/lists.js';
import { difference } from '../support/same-clone.js';

const SIZES = [128, 192, 8192];

describe('what bytes can carry', () => {
  it.each(CLONED)('$name', ({ make }) => {
    const value = make();
    for (const list of [[value], [value, value], [1, 'two', value]]) {
      const expected = structuredClone(list);
      for (const size of SIZES) expect(difference(pass(list, { size }).list, expected)).toBeUndefined();
    }
  });

  it('the comparison tells apart what is not the same', () => {
    const shared = {};
    const unlike: [unknown, unknown][] = [
      [0, -0],
      [[undefined], new Array(1)],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      [
        [shared, shared],
        [{}, {}],
      ],
      [
        [{}, {}],
        [shared, shared],
      ],
      [new Map([[1, 2]]), new Map([[1, 3]])],
      [new Uint8Array(4), new Uint8Array(new ArrayBuffer(8), 0, 4)],
      [new SharedArrayBuffer(8), new SharedArrayBuffer(8)],
      [Object.create(null), {}],
      [Object(1), Object(2)],
      [/a/g, /a/],
      [new Date(1), new Date(2)],
    ];
    for (const [one, other] of unlike) expect(difference(one, other)).toBeTypeOf('string');
  });
});

describe('what only message passing can carry', () => {
  it.each(POSTED)('$name', ({ make }) => {
    const list = [make(), { beside: 1 }];
    const expected = structuredClone(list);
    for (const asks of [false, true]) {
      const passed = pass(list, { asks });
      expect(passed.parts).toBe(asks ? 2 : 1);
      expect(difference(passed.list, expected)).toBeUndefined();
    }
  });
});

describe('what nothing can carry', () => {
  it.each(REFUSED)('$name', ({ make }) => {
    for (const list of [[make()], [1, make()], [new SharedArrayBuffer(8), make()]]) {
      expect(() => structuredClone(list)).toThrow();
      for (const asks of [false, true]) expect(() => pass(list, { asks })).toThrow();
    }
    expect(pass([1]).list).toEqual([1]);
  });

  it('the error of an accessor arrives as it was thrown', () => {
    const error = new RangeError('mine');
    const value = Object.defineProperty({}, 'a', {
      enumerable: true,
      get: () => {
        throw error;
      },
    });
    expect(() => pass([value])).toThrow(error);
    expect(() => pass([value, 1n])).toThrow(error);
  });
});

describe('lists', () => {
  it('of any length', () => {
    const lists: unknown[][] = [
      [],
      [undefined],
      [undefined, undefined, undefined],
      [undefined, 1],
      [1, undefined],
      [1, 2, 3, -0, Number.NaN],
      [1, 2, 'x'],
      Array.from({ length: 15 }, (_, k) => k),
      Array.from({ length: 1_100 }, (_, k) => k / 7),
      Array.from({ length: 70_000 }, (_, k) => k / 7),
      Array.from({ length: 70_000 }, () => undefined),
      ['', ''],
      Array.from({ length: 300 }, (_, k) => ({ k })),
    ];
    for (const list of lists) {
      for (const size of SIZES) expect(difference(pass(list, { size }).list, structuredClone(list))).toBeUndefined();
    }
  });

  it('of some megabytes, in small cells', () => {
    const bytes = new Uint8Array(3_000_000).map((_, k) => k * 7);
    const lists = [[bytes], ['long '.repeat(600_000)], [`${'wide ☃'.repeat(300_000)}`], [{ bytes, again: bytes }, 1n]];
    for (const list of lists) {
      const passed = pass(list, { size: 256 });
      expect(passed.parts).toBeGreaterThan(10_000);
      expect(difference(passed.list, structuredClone(list))).toBeUndefined();
    }
  });

  it('are what they were when they were written, however late their parts are taken', () => {
    const bytes = new Uint8Array(1000).fill(1);
    const memory = new SharedArrayBuffer(8);
    const more = [1];
    for (const value of [bytes, { bytes, more }, { bytes, memory, more }]) {
      bytes.fill(1);
      more.length = 1;
      const expected = structuredClone([value]);
      const finish = begin([value], { size: 128 });
      bytes.fill(2);
      more.push(2);
      const { list, parts } = finish();
      expect(parts).toBeGreaterThan(1);
      expect(difference(list, expected)).toBeUndefined();
    }
  });

  it('read each accessor of plain data once', () => {
    let reads = 0;
    const value = {
      get a() {
        return ++reads;
      },
    };
    expect(pass([value]).list).toEqual([{ a: 1 }]);
    expect(reads).toBe(1);
  });

  it('hold what an accessor gives, even if it makes a call meanwhile', () => {
    const value = {
      before: [1],
      get inner() {
        return pass([{ x: [{}, {}] }], { size: 192 }).encoding;
      },
      after: [2],
    };
    const { list } = pass([value, value.before]);
    expect(list).toEqual([{ before: [1], inner: 7, after: [2] }, [1]]);
    expect((list[0] as typeof value).before).toBe(list[1]);
  });
});

describe('random values', () => {
  const seed = Number(process.env['COEXIST_SEED'] ?? Date.now() & 0xfffff);
  it(`as structuredClone gives them back, seed ${seed}`, () => {
    const next = seeded(seed);
    for (let k = 0; k < 1_500; k++) {
      const list = Array.from({ length: next() % 4 }, () => randomValue(next));
      const size = SIZES[next() % SIZES.length] as number;
      expect(difference(pass(list, { size }).list, structuredClone(list)), `list ${k} of seed ${seed}`).toBeUndefined();
    }
  });
});
