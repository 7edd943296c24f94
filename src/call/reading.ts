// How a list of values is read from a cell, or from the bytes of several parts (docs/ABI.md, clause 66). Memory is never parsed where it
// lies: another thread could change it meanwhile. What does not fit together is COEXIST_EBROKEN.

import { CELL, CELL_DATA_OFFSET, COUNT_SHIFT, ELEMENTS_SHIFT, ENCODINGS, FAILED_BIT } from '../abi/call.js';
import { CoexistError } from '../abi/errors.js';
import { host, type TextMemory } from '../host/host.js';
import type { Beside } from './beside.js';
import type { CellView } from './cell-view.js';
import { elementsOf } from './elements.js';
import { unpacked } from './unpacked.js';

/** Of the number in a cell that says what was posted beside it. */
export const POSTED_BYTES = 4;
/** Up to so many units, storing or loading them one by one costs less than a call into the runtime. */
export const SHORT = 12;
export const COUNT_MAX = 0xffff;
const ONE_NUMBER = ENCODINGS.numbers | (1 << COUNT_SHIFT);
/** Up to so many bytes, copying them one by one costs less than making a view of them. */
const FEW_BYTES = 96;

/**
 * The list in a cell that holds all of it.
 * @throws COEXIST_EBROKEN
 */
export function readList(cell: CellView, beside: Beside | undefined): unknown[] {
  const { at, i32, f64, u8 } = cell;
  // Once: what is in memory may change between two looks.
  const encoding = i32[(at + CELL.encoding.offset) >>> 2] as number;
  const length = i32[(at + CELL.length.offset) >>> 2] as number;
  if (length < 0 || length > cell.capacity || length !== i32[(at + CELL.total.offset) >>> 2])
    throw broken('length', length);
  const from = at + CELL_DATA_OFFSET;
  // hot: one number
  if (encoding === ONE_NUMBER && length === 8) return [f64[from >>> 3]];
  switch (encoding & 0xff) {
    case ENCODINGS.numbers: {
      const list: number[] = [];
      if (length !== 8 * countIn(encoding)) throw broken('length', length);
      for (let i = from; i < from + length; i += 8) list.push(f64[i >>> 3] as number);
      return list;
    }
    case ENCODINGS.packed:
    case ENCODINGS.packed16: {
      const wide = (encoding & 0xff) === ENCODINGS.packed16;
      return listOf(() => unpack(i32, from >>> 2, cell.text, from, length, wide));
    }
    case ENCODINGS.latin1:
      if (length <= SHORT) return [shortString(u8, from, length)];
  }
  return decode(encoding, u8, cell.text, from, length, beside);
}

/**
 * The list in bytes that came in parts and are this thread's own.
 * @throws COEXIST_EBROKEN
 */
export function readBytes(encoding: number, bytes: Uint8Array, beside: Beside | undefined): unknown[] {
  const { buffer, byteOffset, length } = bytes;
  return decode(encoding, new Uint8Array(buffer), host.textIn(buffer), byteOffset, length, beside);
}

export const isFailed = (encoding: number): boolean => (encoding & FAILED_BIT) !== 0;

/** Whether a reply waits for its caller to make a port, store it in the cell, and ask for the next part. */
export const wantsPort = (encoding: number, length: number): boolean =>
  (encoding & 0xff) === ENCODINGS.beside && length === 0;

function decode(
  encoding: number,
  u8: Uint8Array,
  text: TextMemory,
  from: number,
  length: number,
  beside: Beside | undefined,
): unknown[] {
  const copied = (): Uint8Array<ArrayBuffer> => copyOf(u8, from, length);
  switch (encoding & 0xff) {
    case ENCODINGS.nothing:
      return new Array(countIn(encoding)).fill(undefined);
    case ENCODINGS.numbers:
      if (length !== 8 * countIn(encoding)) throw broken('length', length);
      return Array.from(new Float64Array(copied().buffer));
    case ENCODINGS.latin1:
      return [text.latin1Slice(from, from + length)];
    case ENCODINGS.utf16:
      if (length % 2 !== 0) throw broken('length', length);
      return [text.ucs2Slice(from, from + length)];
    case ENCODINGS.json:
      return parsed(text.latin1Slice(from, from + length));
    case ENCODINGS.json16:
      if (length % 2 !== 0) throw broken('length', length);
      return parsed(text.ucs2Slice(from, from + length));
    case ENCODINGS.packed:
    case ENCODINGS.packed16:
      return listOf(() => {
        const words = new Int32Array(copyOf(u8, from, length & ~3).buffer);
        return unpack(words, 0, text, from, length, (encoding & 0xff) === ENCODINGS.packed16);
      });
    case ENCODINGS.elements:
      return [elementsOf((encoding >>> ELEMENTS_SHIFT) & 15, copied()) ?? fail(broken('encoding', encoding))];
    case ENCODINGS.engine:
      return listOf(() => host.clone.read(copied()));
    case ENCODINGS.beside:
      if (length !== POSTED_BYTES || beside === undefined) throw broken('length', length);
      return listOf(() => beside.take(new Uint32Array(copied().buffer)[0] as number));
    default:
      throw broken('encoding', encoding);
  }
}

const countIn = (encoding: number): number => (encoding >>> COUNT_SHIFT) & COUNT_MAX;

function copyOf(u8: Uint8Array, from: number, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  if (length > FEW_BYTES) copy.set(u8.subarray(from, from + length));
  else for (let i = 0; i < length; i++) copy[i] = u8[from + i] as number;
  return copy;
}

/** `first` counts words; the bytes are those from `from` on. */
function unpack(
  i32: Int32Array,
  first: number,
  memory: TextMemory,
  from: number,
  length: number,
  wide: boolean,
): unknown {
  const count = length < 4 ? -1 : (i32[first] as number);
  if (count < 0 || 4 + 4 * count > length) throw new RangeError(`${count} words in ${length} bytes`);
  const words = new Int32Array(count);
  for (let i = 0; i < count; i++) words[i] = i32[first + 1 + i] as number;
  return unpacked(words, { memory, wide, from: from + 4 + 4 * count, to: from + length });
}

const parsed = (json: string): unknown[] => listOf(() => JSON.parse(json));

function listOf(read: () => unknown): unknown[] {
  let list: unknown;
  try {
    list = read();
  } catch (cause) {
    throw cause instanceof CoexistError ? cause : broken('content', String(cause), cause);
  }
  if (!Array.isArray(list)) throw broken('content', typeof list);
  return list;
}

function shortString(u8: Uint8Array, from: number, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(u8[from + i] as number);
  return text;
}

function fail(error: Error): never {
  throw error;
}

function broken(what: string, found: unknown, cause?: unknown): CoexistError {
  return new CoexistError('COEXIST_EBROKEN', `a payload cannot be read: its ${what} is ${found}`, {
    found,
    expected: 'what docs/ABI.md, clause 66, says',
    remedy: 'Something other than coexist writes into the area, or a party does not follow the contract.',
    cause,
  });
}
