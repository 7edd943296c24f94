// How a list of values is written into a cell (docs/ABI.md, clause 66). One number, one short string and the like take a few plain
// stores; plain data goes as words and text; the rest in the engine's own form, or beside the cell.

import { CELL, CELL_DATA_OFFSET, COUNT_SHIFT, ELEMENTS_SHIFT, ENCODINGS, FAILED_BIT, TOTAL_MAX } from '../abi/call.js';
import { CoexistError } from '../abi/errors.js';
import { host, type TextMemory } from '../host/host.js';
import type { Beside } from './beside.js';
import type { CellView } from './cell-view.js';
import { elementType } from './elements.js';
import { recordOf } from './errors-as-data.js';
import { type Packed, packed } from './packed.js';
import { COUNT_MAX, POSTED_BYTES, SHORT } from './reading.js';

export { type CellView, cellViews } from './cell-view.js';
export { isFailed, readBytes, readList, wantsPort } from './reading.js';

/** All parts of a list that takes more than one, or that waits for the receiver's port (clause 66). */
export type Rest = Uint8Array | PostedLater;

/** A list that is posted as soon as its receiver has a port. */
export interface PostedLater {
  readonly length: number;
  readonly list: readonly unknown[];
  readonly beside: Beside;
}

/** Costs next to nothing for strings that the engine keeps with one byte for each unit. */
const WIDE = /[\u0100-\uffff]/;

/**
 * Writes encoding, length, total and the first part. Returns undefined where that was all, else what the further parts are written
 * from. `port` is the receiver's, 0 if it has none: what takes one then has no bytes in the first part (`wantsPort`). Throws what the
 * engine, or an accessor, throws where the list cannot be passed; nothing was posted then.
 */
export function writeList(
  cell: CellView,
  list: readonly unknown[],
  failed: boolean,
  beside: Beside | undefined,
  port: number,
): Rest | undefined {
  if (list.length === 1) {
    const value = list[0];
    // hot: four plain stores
    if (typeof value === 'number') {
      cell.f64[(cell.at + CELL_DATA_OFFSET) >>> 3] = value;
      return head(cell, failed, ENCODINGS.numbers, 1, 8, 8);
    }
    if (typeof value === 'string') return writeString(cell, value, failed);
    if (value === undefined) return head(cell, failed, ENCODINGS.nothing, 1, 0, 0);
    const type = ArrayBuffer.isView(value) ? elementType(value) : -1;
    if (type >= 0) return writeElements(cell, value as ArrayBufferView, type, failed);
  } else if (writeFlat(cell, list, failed)) {
    return undefined;
  }
  const plain = packed(list);
  if (plain !== undefined) return writePacked(cell, plain, failed, list.length);
  return writeEngine(cell, list, failed, beside, port);
}

/** Writes what a method threw, as a list of one; never throws. */
export function writeFailure(
  cell: CellView,
  thrown: unknown,
  beside: Beside | undefined,
  port: number,
): Rest | undefined {
  try {
    return writeList(cell, [recordOf(thrown)], true, beside, port);
  } catch {
    return writeList(cell, [recordOf(thrown, true)], true, beside, port);
  }
}

/**
 * Writes the part that begins at byte `from` of all, with length and total. Returns its length.
 * @throws COEXIST_EUNSUPPORTED where it takes a port, and the receiver has none still
 */
export function writePart(cell: CellView, rest: Rest, from: number, port: number): number {
  if (rest instanceof Uint8Array) {
    const length = Math.min(rest.length - from, cell.capacity);
    cell.u8.set(rest.subarray(from, from + length), cell.at + CELL_DATA_OFFSET);
    lengths(cell, length, rest.length);
    return length;
  }
  if (port === 0) throw noPort();
  cell.u32[(cell.at + CELL_DATA_OFFSET) >>> 2] = rest.beside.post(port, rest.list);
  lengths(cell, POSTED_BYTES, POSTED_BYTES);
  return POSTED_BYTES;
}

function head(
  cell: CellView,
  failed: boolean,
  encoding: number,
  count: number,
  length: number,
  total: number,
): undefined {
  const word = encoding | (Math.min(count, COUNT_MAX) << COUNT_SHIFT);
  cell.i32[(cell.at + CELL.encoding.offset) >>> 2] = failed ? word | FAILED_BIT : word;
  lengths(cell, length, total);
}

function lengths(cell: CellView, length: number, total: number): void {
  cell.i32[(cell.at + CELL.length.offset) >>> 2] = length;
  cell.i32[(cell.at + CELL.total.offset) >>> 2] = total;
}

/** Numbers, or values that are all undefined; false if they are neither, or too many. */
function writeFlat(cell: CellView, list: readonly unknown[], failed: boolean): boolean {
  const count = list.length;
  const kind = typeof list[0];
  if (count > COUNT_MAX) return false;
  if (count === 0 || kind === 'undefined') {
    for (let i = 0; i < count; i++) if (list[i] !== undefined) return false;
    head(cell, failed, ENCODINGS.nothing, count, 0, 0);
    return true;
  }
  if (kind !== 'number' || 8 * count > cell.capacity) return false;
  const first = (cell.at + CELL_DATA_OFFSET) >>> 3;
  for (let i = 0; i < count; i++) {
    const value = list[i];
    if (typeof value !== 'number') return false;
    cell.f64[first + i] = value;
  }
  head(cell, failed, ENCODINGS.numbers, count, 8 * count, 8 * count);
  return true;
}

function writeString(cell: CellView, value: string, failed: boolean): Uint8Array | undefined {
  const { length } = value;
  if (length <= SHORT) {
    const from = cell.at + CELL_DATA_OFFSET;
    let all = 0;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      all |= unit;
      cell.u8[from + i] = unit;
    }
    if (all < 256) return head(cell, failed, ENCODINGS.latin1, 1, length, length);
  }
  return writeText(cell, value, failed);
}

function writeText(cell: CellView, text: string, failed: boolean): Uint8Array | undefined {
  const wide = WIDE.test(text);
  const total = wide ? 2 * text.length : text.length;
  const encoding = wide ? ENCODINGS.utf16 : ENCODINGS.latin1;
  if (total <= cell.capacity) {
    putText(cell.text, text, wide, cell.at + CELL_DATA_OFFSET, total);
    return head(cell, failed, encoding, 1, total, total);
  }
  const bytes = new Uint8Array(checked(total));
  putText(host.textIn(bytes.buffer), text, wide, 0, total);
  return writeBytes(cell, bytes, failed, encoding, 1);
}

function writePacked(
  cell: CellView,
  { words, count, text }: Packed,
  failed: boolean,
  values: number,
): Uint8Array | undefined {
  const wide = WIDE.test(text);
  const encoding = wide ? ENCODINGS.packed16 : ENCODINGS.packed;
  const before = 4 + 4 * count;
  const units = wide ? 2 * text.length : text.length;
  const total = before + units;
  if (total <= cell.capacity) {
    const from = cell.at + CELL_DATA_OFFSET;
    putWords(cell.i32, from >>> 2, words, count);
    putText(cell.text, text, wide, from + before, units);
    return head(cell, failed, encoding, values, total, total);
  }
  const bytes = new Uint8Array(total);
  putWords(new Int32Array(bytes.buffer, 0, 1 + count), 0, words, count);
  putText(host.textIn(bytes.buffer), text, wide, before, units);
  return writeBytes(cell, bytes, failed, encoding, values);
}

function putWords(to: Int32Array, first: number, words: Int32Array, count: number): void {
  to[first] = count;
  for (let i = 0; i < count; i++) to[first + 1 + i] = words[i] as number;
}

function putText(memory: TextMemory, text: string, wide: boolean, at: number, bytes: number): void {
  if (wide) memory.ucs2Write(text, at, bytes);
  else memory.latin1Write(text, at, bytes);
}

function writeElements(cell: CellView, view: ArrayBufferView, type: number, failed: boolean): Uint8Array | undefined {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const rest = writeBytes(cell, bytes, failed, ENCODINGS.elements | (type << ELEMENTS_SHIFT), 1);
  // What is sent later must not change meanwhile, or be detached.
  return rest?.slice();
}

function writeBytes(
  cell: CellView,
  bytes: Uint8Array,
  failed: boolean,
  encoding: number,
  count: number,
): Uint8Array | undefined {
  checked(bytes.length);
  head(cell, failed, encoding, count, 0, bytes.length);
  const length = writePart(cell, bytes, 0, 0);
  return length === bytes.length ? undefined : bytes;
}

function writeEngine(
  cell: CellView,
  list: readonly unknown[],
  failed: boolean,
  beside: Beside | undefined,
  port: number,
): Rest | undefined {
  const { clone } = host;
  // A copy first where something is foreign: either it is the engine's own after that, or only message passing can carry it.
  const plain = clone.foreign(list) ? (clone.cloned(list) as unknown[]) : list;
  if (plain === list || !clone.foreign(plain)) {
    return writeBytes(cell, clone.write(plain), failed, ENCODINGS.engine, list.length);
  }
  if (beside === undefined) throw noPort();
  if (port === 0) {
    head(cell, failed, ENCODINGS.beside, list.length, 0, POSTED_BYTES);
    // The copy: what was passed may have changed by then.
    return { length: POSTED_BYTES, list: plain, beside };
  }
  cell.u32[(cell.at + CELL_DATA_OFFSET) >>> 2] = beside.post(port, plain);
  return head(cell, failed, ENCODINGS.beside, list.length, POSTED_BYTES, POSTED_BYTES);
}

function checked(total: number): number {
  if (total <= TOTAL_MAX) return total;
  throw new CoexistError('COEXIST_EINVAL', `the list takes ${total} bytes`, {
    found: total,
    expected: `at most ${TOTAL_MAX}`,
    remedy: 'Pass less at a time, or memory that both threads share.',
  });
}

function noPort(): CoexistError {
  return new CoexistError('COEXIST_EUNSUPPORTED', 'the receiver has no port for what only message passing can carry', {
    found: 'a shared buffer, a module or an object of the runtime',
    expected: 'values that bytes can carry',
    remedy: 'Pass plain data here.',
  });
}
