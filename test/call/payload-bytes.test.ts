// How lists lie in a cell (docs/ABI.md, clause 66): which encoding is chosen for what, what its bytes are, and what is said of bytes that
// do not fit together.

import { COUNT_SHIFT, ELEMENTS_SHIFT, ENCODINGS } from 'coexist/abi';
import { describe, expect, it } from 'vitest';
import { readBytes, readList, writeList, writePart } from '../../src/call/payload.js';
import { seeded } from '../support/clone-values.js';
import { begin, cellOf, data, field, pass, setField } from '../support/lists.js';

const SIZE = 1024;
const cell = cellOf(SIZE);
const encodingOf = (list: readonly unknown[]): number => {
  begin(list, { size: SIZE });
  return field('encoding');
};

describe('encodings', () => {
  const rows: [keyof typeof ENCODINGS, unknown[]][] = [
    ['nothing', []],
    ['nothing', [undefined, undefined]],
    ['numbers', [1]],
    ['numbers', [1, -0, Number.NaN]],
    ['latin1', ['abc']],
    ['latin1', ['ÿ'.repeat(500)]],
    ['utf16', ['a€']],
    ['utf16', ['a€'.repeat(200)]],
    ['json', [{ a: 1 }]],
    ['json', ['a', 1]],
    ['json', [null]],
    ['json', [true]],
    ['json16', [{ a: '€' }]],
    ['elements', [new Float64Array(3)]],
    ['engine', [new Float64Array(new ArrayBuffer(64), 8, 2)]],
    ['engine', [1n]],
    ['engine', [-0, 'x']],
    ['engine', [{ a: undefined }]],
    ['engine', [new Date(0)]],
    ['beside', [new SharedArrayBuffer(8)]],
  ];
  it.each(rows)('%s: %o', (name, list) => {
    const encoding = encodingOf(list);
    expect(encoding & 0xff).toBe(ENCODINGS[name]);
    expect((encoding >>> COUNT_SHIFT) & 0xffff).toBe(list.length);
    expect(encoding).toBeGreaterThanOrEqual(0);
  });

  it('say in bit 31 that the call failed', () => {
    for (const list of [[1], ['x'], ['x'.repeat(5000)], [{ a: 1 }], [1n], [undefined]]) {
      expect(pass(list, { failed: true })).toMatchObject({ failed: true, list });
      expect(pass(list)).toMatchObject({ failed: false, list });
    }
  });

  it('numbers are f64 in the order of the list', () => {
    encodingOf([1.5, -2]);
    expect([field('length'), field('total')]).toEqual([16, 16]);
    expect([...new Float64Array(data.buffer, data.byteOffset, 2)]).toEqual([1.5, -2]);
  });

  it('strings are one byte for each unit, or two', () => {
    const bytes = (): string => Buffer.from(data.slice(0, field('length'))).toString('hex');
    encodingOf(['a\u00ff']);
    expect(bytes()).toBe('61ff');
    encodingOf(['a\u0100']);
    expect(bytes()).toBe('61000001');
    encodingOf([{ k: 'ä' }]);
    expect(bytes()).toBe(Buffer.from('[{"k":"ä"}]', 'latin1').toString('hex'));
  });

  it('elements name their type', () => {
    const types = 'Int8 Uint8 Uint8Clamped Int16 Uint16 Int32 Uint32 Float32 Float64 BigInt64 BigUint64'.split(' ');
    const made = types.map((name) => Reflect.construct(Reflect.get(globalThis, `${name}Array`), [2]));
    expect(made.map((view) => (encodingOf([view]) >>> ELEMENTS_SHIFT) & 15)).toEqual(types.map((_, number) => number));
  });

  it('the engine gets what JSON is slow with: much text, many numbers, and depth', () => {
    for (const value of [{ text: 'x'.repeat(20_000) }, Array.from({ length: 20_000 }, (_, k) => k), nested(100)]) {
      expect(pass([value]).encoding).toBe(ENCODINGS.engine);
    }
  });
});

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

describe('bytes that do not fit together', () => {
  const put = (encoding: number, length: number, total = length): void => {
    setField('encoding', encoding);
    setField('length', length);
    setField('total', total);
  };
  const rows: [string, number, number, number?][] = [
    ['a length beyond the cell', ENCODINGS.numbers | (1 << COUNT_SHIFT), SIZE],
    ['a negative length', ENCODINGS.latin1 | (1 << COUNT_SHIFT), -8],
    ['a length that is not the total', ENCODINGS.latin1 | (1 << COUNT_SHIFT), 4, 5],
    ['more numbers than bytes', ENCODINGS.numbers | (2 << COUNT_SHIFT), 8],
    ['fewer numbers than bytes', ENCODINGS.numbers | (1 << COUNT_SHIFT), 16],
    ['half a unit', ENCODINGS.utf16 | (1 << COUNT_SHIFT), 3],
    ['half a unit of JSON', ENCODINGS.json16 | (1 << COUNT_SHIFT), 3],
    ['half an element', ENCODINGS.elements | (8 << ELEMENTS_SHIFT), 12],
    ['elements of no type', ENCODINGS.elements | (15 << ELEMENTS_SHIFT), 8],
    ['no JSON', ENCODINGS.json | (1 << COUNT_SHIFT), 5],
    ['empty JSON', ENCODINGS.json | (1 << COUNT_SHIFT), 0],
    ['nothing of the engine', ENCODINGS.engine | (1 << COUNT_SHIFT), 0],
    ['bytes that are not the engine’s', ENCODINGS.engine | (1 << COUNT_SHIFT), 40],
    ['a number beside which nothing was posted', ENCODINGS.beside | (1 << COUNT_SHIFT), 4],
    ['half a number', ENCODINGS.beside | (1 << COUNT_SHIFT), 2],
    ['an encoding of nobody', 9, 8],
    ['another encoding of nobody', 255, 8],
  ];
  it.each(rows)('%s', (_, encoding, length, total = length) => {
    data.fill(0x5b);
    put(encoding, length, total);
    expect(() => readList(cell, undefined)).toThrow(expect.objectContaining({ code: 'COEXIST_EBROKEN' }));
    if (length >= 0 && length === total && length < SIZE) {
      const bytes = new Uint8Array(length).fill(0x5b);
      expect(() => readBytes(encoding, bytes, undefined)).toThrow(expect.objectContaining({ code: 'COEXIST_EBROKEN' }));
    }
  });

  it('JSON and values of the engine that are no list', () => {
    const json = Buffer.from('{"a":1}');
    expect(() => readBytes(ENCODINGS.json, json, undefined)).toThrow(/COEXIST_EBROKEN/);
    const { bytes } = written([{ a: 1n }]);
    // Behind the engine's header: a Date in the place of the list.
    const value = Buffer.concat([bytes.subarray(0, 2), Buffer.from([0x44, 0, 0, 0, 0, 0, 0, 0, 0])]);
    expect(() => readBytes(ENCODINGS.engine, value, undefined)).toThrow(/COEXIST_EBROKEN/);
  });

  const seed = Number(process.env['COEXIST_SEED'] ?? Date.now() & 0xfffff);
  it(`are read, or are an error with a code, whatever has changed in them; seed ${seed}`, () => {
    const next = seeded(seed);
    const list = [{ a: [1n, new Map([[1, new Uint8Array(9)]])], error: new Error('m'), date: new Date(1) }, 'text', 2];
    const { bytes } = written(list);
    let [read, refused] = [0, 0];
    for (let k = 0; k < 3_000; k++) {
      const changed = Uint8Array.from(bytes.subarray(0, next() % 3 === 0 ? next() % bytes.length : bytes.length));
      for (let n = next() % 4; n >= 0 && changed.length > 0; n--) changed[next() % changed.length] = next();
      try {
        expect(readBytes(ENCODINGS.engine, changed, undefined)).toBeInstanceOf(Array);
        read++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'COEXIST_EBROKEN' });
        refused++;
      }
    }
    expect(read).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });

  it('are not this list’s once it was read: what it was read from may change', () => {
    for (const list of [
      [new Uint8Array(50).fill(3)],
      ['some text, not so short'],
      [{ a: 'text' }],
      [new Map([[1, 'x']])],
    ]) {
      expect(writeList(cell, list, false, undefined, 0)).toBeUndefined();
      const read = readList(cell, undefined);
      data.fill(0);
      expect(read).toEqual(list);
    }
  });
});

/** All bytes of a list in the engine's form. */
function written(list: readonly unknown[]): { bytes: Uint8Array } {
  const small = cellOf(128);
  const rest = writeList(small, list, false, undefined, 0);
  if (rest === undefined) return { bytes: data.slice(0, field('length')) };
  expect(writePart(small, rest, 0, 0)).toBe(128 - 40);
  return { bytes: rest as Uint8Array };
}
