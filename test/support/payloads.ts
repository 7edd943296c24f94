// Lists of values as bytes, read and written as docs/ABI.md, clause 66 says; uses the numbers of coexist/abi and nothing else of the
// library.

import { deserialize, serialize } from 'node:v8';
import { COUNT_SHIFT, ELEMENTS_SHIFT, ENCODINGS, FAILED_BIT } from 'coexist/abi';

export interface Written {
  readonly encoding: number;
  readonly bytes: Uint8Array;
}

/** By the numbers that clause 66 gives them. */
export const ELEMENTS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;
export type Elements = InstanceType<(typeof ELEMENTS)[number]>;

export const encodingName = (encoding: number): string =>
  Object.entries(ENCODINGS).find(([, number]) => number === (encoding & 255))?.[0] ?? 'unknown';
export const failed = (encoding: number): boolean => (encoding & FAILED_BIT) !== 0;

/** Every string that JSON.parse gives is one of these bytes. */
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const utf16 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf16le');

export function readList(encoding: number, bytes: Uint8Array): unknown[] {
  const count = (encoding >>> COUNT_SHIFT) & 0xffff;
  switch (encodingName(encoding)) {
    case 'nothing':
      return new Array(count).fill(undefined);
    case 'numbers':
      if (bytes.length !== 8 * count) throw new Error(`${count} numbers in ${bytes.length} bytes`);
      return [...new Float64Array(Uint8Array.from(bytes).buffer)];
    case 'latin1':
      return [latin1(bytes)];
    case 'utf16':
      return [utf16(bytes)];
    case 'json':
      return JSON.parse(latin1(bytes)) as unknown[];
    case 'json16':
      return JSON.parse(utf16(bytes)) as unknown[];
    case 'elements': {
      const Type = ELEMENTS[(encoding >>> ELEMENTS_SHIFT) & 15];
      if (Type === undefined) throw new Error(`elements of type ${(encoding >>> ELEMENTS_SHIFT) & 15}`);
      return [new Type(Uint8Array.from(bytes).buffer)];
    }
    case 'engine':
      return deserialize(bytes) as unknown[];
    case 'packed':
      return unpack(bytes, latin1);
    case 'packed16':
      return unpack(bytes, utf16);
    default:
      throw new Error(`encoding ${encoding}`);
  }
}

function unpack(bytes: Uint8Array, decode: (bytes: Uint8Array) => string): unknown[] {
  const at = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = at.getUint32(0, true);
  const text = decode(bytes.subarray(4 + 4 * count));
  const shapes: string[][] = [];
  const begun: object[] = [];
  let [next, unit] = [0, 0];
  const word = (): number => at.getInt32(4 + 4 * next++, true);
  const units = (n: number): string => {
    unit += n;
    return text.slice(unit - n, unit);
  };
  const namesOf = (shape: number): string[] => {
    shapes[shape] ??= Array.from({ length: word() }, word).map(units);
    return shapes[shape];
  };
  const value = (): unknown => {
    const what = word();
    const n = what >> 3;
    switch (what & 7) {
      case 0:
        return units(n);
      case 1:
        return n;
      case 2: {
        const array: unknown[] = [];
        begun.push(array);
        for (let k = 0; k < n; k++) array.push(value());
        return array;
      }
      case 3: {
        const names = namesOf(n);
        const object: Record<string, unknown> = {};
        begun.push(object);
        for (const name of names) {
          Object.defineProperty(object, name, { value: value(), writable: true, enumerable: true, configurable: true });
        }
        return object;
      }
      case 4:
        return begun[n];
    }
    if (what !== 5)
      return new Map<number, unknown>([
        [6, null],
        [14, true],
        [22, false],
        [30, undefined],
      ]).get(what);
    next += 2;
    return at.getFloat64(4 + 4 * (next - 2), true);
  };
  const list = value() as unknown[];
  if (next !== count || unit !== text.length)
    throw new Error(`${next} of ${count} words, ${unit} of ${text.length} units`);
  return list;
}

const text = (value: string, encoding: 'latin1' | 'utf16le'): Uint8Array =>
  new Uint8Array(Buffer.from(value, encoding));

/** Writes by hand, in the encoding that is asked for. */
export const written = {
  nothing: (count: number): Written => ({
    encoding: ENCODINGS.nothing | (count << COUNT_SHIFT),
    bytes: new Uint8Array(0),
  }),
  numbers: (...values: readonly number[]): Written => ({
    encoding: ENCODINGS.numbers | (values.length << COUNT_SHIFT),
    bytes: new Uint8Array(Float64Array.from(values).buffer),
  }),
  latin1: (value: string): Written => ({
    encoding: ENCODINGS.latin1 | (1 << COUNT_SHIFT),
    bytes: text(value, 'latin1'),
  }),
  utf16: (value: string): Written => ({
    encoding: ENCODINGS.utf16 | (1 << COUNT_SHIFT),
    bytes: text(value, 'utf16le'),
  }),
  json: (list: readonly unknown[]): Written => ({
    encoding: ENCODINGS.json | (list.length << COUNT_SHIFT),
    bytes: text(JSON.stringify(list), 'latin1'),
  }),
  json16: (list: readonly unknown[]): Written => ({
    encoding: ENCODINGS.json16 | (list.length << COUNT_SHIFT),
    bytes: text(JSON.stringify(list), 'utf16le'),
  }),
  elements: (value: Elements): Written => ({
    encoding:
      (ENCODINGS.elements |
        (1 << COUNT_SHIFT) |
        (ELEMENTS.findIndex((Type) => value instanceof Type) << ELEMENTS_SHIFT)) >>>
      0,
    bytes: new Uint8Array(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength) as ArrayBuffer),
  }),
  engine: (list: readonly unknown[]): Written => ({
    encoding: ENCODINGS.engine | (list.length << COUNT_SHIFT),
    bytes: new Uint8Array(serialize(list)),
  }),
};

export const typedArrays = (): readonly Elements[] =>
  ELEMENTS.map((Type) =>
    Type === BigInt64Array || Type === BigUint64Array
      ? Type.from([1n, 2n ** 63n, -1n])
      : new (Type as typeof Int8Array)([1, 255, -3]),
  );
