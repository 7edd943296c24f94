// How lists lie in a cell (docs/ABI.md, clause 66): which encoding is chosen for what, what its bytes are, and what is said of bytes that
// do not fit together.

import { COUNT_SHIFT, ELEMENTS_SHIFT, ENCODINGS, PACKED, PACKED_SHIFT } from 'coexist/abi';
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
    ['packed', [{ a: 1 }]],
    ['packed', ['a', 1]],
    ['packed', [null]],
    ['packed', [true]],
    ['packed', [-0, 'x']],
    ['packed', [{ a: undefined }]],
    ['packed16', [{ a: '€' }]],
    ['elements', [new Float64Array(3)]],
    ['engine', [new Float64Array(new ArrayBuffer(64), 8, 2)]],
    ['engine', [1n]],
    ['engine', [{ a: [1n] }]],
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
  });

  it('plain data is words, and its text behind them', () => {
    const word = (of: number, what: keyof typeof PACKED): number => (of << PACKED_SHIFT) | PACKED[what];
    const again = { b: 'x' };
    encodingOf([{ ab: 1, c: again }, -0, null, again, { b: '€' }, true, false, undefined]);
    const { zero, ...special } = { zero: [PACKED.number, 0, -0x80000000], null: PACKED.null, true: PACKED.true };
    const words = [
      word(8, 'array'),
      ...[word(0, 'object'), 2, 2, 1, word(1, 'integer'), word(1, 'object'), 1, 1, word(1, 'string')],
      ...[...zero, special.null, word(2, 'again'), word(1, 'object'), word(1, 'string')],
      ...[special.true, PACKED.false, PACKED.undefined],
    ];
    expect(field('length')).toBe(4 + 4 * words.length + 2 * 'abcbx€'.length);
    expect([...new Int32Array(data.slice(0, 4 + 4 * words.length).buffer)]).toEqual([words.length, ...words]);
    expect(Buffer.from(data.slice(4 + 4 * words.length, field('length'))).toString('utf16le')).toBe('abcbx€');
  });

  it('JSON is read, though it is not written', () => {
    for (const list of [
      [{ a: 1 }, 'x'],
      ['ä', null, [true]],
    ]) {
      const text = JSON.stringify(list);
      expect(readBytes(ENCODINGS.json, Buffer.from(text, 'latin1'), undefined)).toEqual(list);
      expect(readBytes(ENCODINGS.json16, Buffer.from(text, 'utf16le'), undefined)).toEqual(list);
    }
  });

  it('elements name their type', () => {
    const types = 'Int8 Uint8 Uint8Clamped Int16 Uint16 Int32 Uint32 Float32 Float64 BigInt64 BigUint64'.split(' ');
    const made = types.map((name) => Reflect.construct(Reflect.get(globalThis, `${name}Array`), [2]));
    expect(made.map((view) => (encodingOf([view]) >>> ELEMENTS_SHIFT) & 15)).toEqual(types.map((_, number) => number));
  });

  it('the engine gets what is long, or deep', () => {
    for (const value of [{ text: 'x'.repeat(40_000) }, Array.from({ length: 70_000 }, (_, k) => k), nested(100)]) {
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
    ['no words', ENCODINGS.packed | (1 << COUNT_SHIFT), 3],
    ['more words than bytes', ENCODINGS.packed | (1 << COUNT_SHIFT), 8],
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
  const lists: [string, unknown[]][] = [
    ['engine', [{ a: [1n, new Map([[1, new Uint8Array(9)]])], error: new Error('m'), date: new Date(1) }, 'text', 2]],
    ['packed', [{ a: [1, -0.5, { b: 'some text' }, { b: 'more text' }], b: null, c: undefined }, 'text', true, 2]],
  ];
  it.each(lists)(`%s: are read, or are an error with a code, whatever has changed in them; seed ${seed}`, (_, list) => {
    const next = seeded(seed);
    const { bytes, encoding } = written(list);
    let [read, refused] = [0, 0];
    for (let k = 0; k < 3_000; k++) {
      const changed = Uint8Array.from(bytes.subarray(0, next() % 3 === 0 ? next() % bytes.length : bytes.length));
      for (let n = next() % 4; n >= 0 && changed.length > 0; n--) changed[next() % changed.length] = next();
      try {
        expect(readBytes(encoding, changed, undefined)).toBeInstanceOf(Array);
        read++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'COEXIST_EBROKEN' });
        refused++;
      }
    }
    expect(read).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });

  it('packed words that nobody wrote', () => {
    const bytesOf = (words: number[], text = ''): Uint8Array =>
      Buffer.concat([new Uint8Array(Int32Array.from([words.length, ...words]).buffer), Buffer.from(text)]);
    const { array, object, again, string, number } = PACKED;
    const rows: [string, number[], string?][] = [
      ['no word', []],
      ['a list longer than its words', [(5 << PACKED_SHIFT) | array, PACKED.null]],
      ['text that is not there', [(1 << PACKED_SHIFT) | array, (3 << PACKED_SHIFT) | string], 'ab'],
      ['a shape that has not come', [(1 << PACKED_SHIFT) | array, (1 << PACKED_SHIFT) | object]],
      ['a shape with too many names', [(1 << PACKED_SHIFT) | array, object, 9, 1], 'a'],
      ['a shape with a name twice', [(1 << PACKED_SHIFT) | array, object, 2, 1, 1, PACKED.null, PACKED.null], 'aa'],
      ['a name of negative length', [(1 << PACKED_SHIFT) | array, object, 1, -1, PACKED.null], 'aa'],
      ['an object that has not come', [(1 << PACKED_SHIFT) | array, (1 << PACKED_SHIFT) | again]],
      ['half a number', [(1 << PACKED_SHIFT) | array, number, 0]],
      ['a word of nobody', [(1 << PACKED_SHIFT) | array, 38]],
      ['no list', [PACKED.null]],
      ['too deep', Array.from({ length: 200_000 }, () => (1 << PACKED_SHIFT) | array)],
    ];
    for (const [, words, text] of rows) {
      expect(() => readBytes(ENCODINGS.packed, bytesOf(words, text), undefined)).toThrow(/COEXIST_EBROKEN/);
    }
    const proto = bytesOf(
      [(1 << PACKED_SHIFT) | array, object, 1, 9, (1 << PACKED_SHIFT) | object, 1, 1, PACKED.true],
      '__proto__a',
    );
    const [found] = readBytes(ENCODINGS.packed, proto, undefined) as [object];
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype);
    expect(Object.entries(found)).toEqual([['__proto__', { a: true }]]);
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
function written(list: readonly unknown[]): { bytes: Uint8Array; encoding: number } {
  const small = cellOf(128);
  const rest = writeList(small, list, false, undefined, 0);
  if (rest === undefined) return { bytes: data.slice(0, field('length')), encoding: field('encoding') };
  expect(writePart(small, rest, 0, 0)).toBe(128 - 40);
  return { bytes: rest as Uint8Array, encoding: field('encoding') };
}
