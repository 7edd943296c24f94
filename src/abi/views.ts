// Views over an area's memory, and the check that it is one (docs/ABI.md, clauses 4, 12 and 14). One view per element
// type over the whole buffer: subviews cost 1.5x, length-tracking ones more.

import { ENTRY_BYTES } from './directory.js';
import { CoexistError, show } from './errors.js';
import { endOf, type Field, word } from './field.js';
import { ABI_MAJOR, HEADER, HEADER_BYTES, LIMITS, MAGIC, READY } from './header.js';
import { SLOT } from './slot.js';

/** A shared `WebAssembly.Memory`, by what the library needs of it. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

/** What an anchor holds: a shared `WebAssembly.Memory`, or a `SharedArrayBuffer` where wasm is off. */
export type AreaValue = SharedMemory | SharedArrayBuffer;

export interface Views {
  readonly buffer: SharedArrayBuffer;
  /** The memory behind the buffer; undefined where the area was created without wasm. */
  readonly memory: SharedMemory | undefined;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
}

/** Where the parts of an area lie, as its header says. Offsets, strides and sizes in bytes. */
export interface Geometry {
  readonly featureSize: number;
  readonly slotOffset: number;
  readonly slotStride: number;
  readonly slotCapacity: number;
  readonly blockOffset: number;
  readonly blockStride: number;
  readonly directoryOffset: number;
  readonly directoryCapacity: number;
  readonly heapOffset: number;
  readonly heapSize: number;
}

const brand = (value: unknown): string => Object.prototype.toString.call(value);

/**
 * Views over a candidate value.
 * @throws COEXIST_EABI when it is not shared memory.
 */
export function viewsOf(value: unknown): Views {
  const inner = (value as { buffer?: unknown } | null | undefined)?.buffer;
  const buffer = (inner ?? value) as SharedArrayBuffer;
  // By brand, never by instanceof: another realm has another constructor.
  const wrapped = inner === undefined || brand(value) === '[object WebAssembly.Memory]';
  if (!wrapped || brand(buffer) !== '[object SharedArrayBuffer]') {
    throw abiError(
      `the value found, ${show(value)}, is not shared memory`,
      show(value),
      'a shared WebAssembly.Memory or a SharedArrayBuffer',
    );
  }
  if (buffer.byteLength < HEADER_BYTES) {
    throw abiError(`the memory has ${buffer.byteLength} bytes`, buffer.byteLength, `at least ${HEADER_BYTES} bytes`);
  }
  return {
    buffer,
    memory: inner === undefined ? undefined : (value as SharedMemory),
    i32: new Int32Array(buffer, 0, buffer.byteLength >>> 2),
    u32: new Uint32Array(buffer, 0, buffer.byteLength >>> 2),
    i64: new BigInt64Array(buffer, 0, buffer.byteLength >>> 3),
    u8: new Uint8Array(buffer),
  };
}

/**
 * Checks that the memory follows this contract and returns its geometry.
 * @throws COEXIST_EABI naming the field, the value found and the one expected.
 */
export function checkArea({ u32, buffer }: Views): Geometry {
  const read = (field: Field): number => Atomics.load(u32, word(field));
  const expect = (name: keyof typeof HEADER, expected: number): void => {
    const found = read(HEADER[name]);
    if (found !== expected) throw abiError(`header field ${name} is ${found}`, found, expected);
  };
  expect('magic', MAGIC);
  expect('abi_major', ABI_MAJOR);
  expect('state', READY);

  const geometry: Geometry = {
    featureSize: read(HEADER.feature_size),
    slotOffset: read(HEADER.slot_offset),
    slotStride: read(HEADER.slot_stride),
    slotCapacity: read(HEADER.slot_capacity),
    blockOffset: read(HEADER.block_offset),
    blockStride: read(HEADER.block_stride),
    directoryOffset: read(HEADER.directory_offset),
    directoryCapacity: read(HEADER.directory_capacity),
    heapOffset: read(HEADER.heap_offset),
    heapSize: read(HEADER.heap_size),
  };
  const g = geometry;
  const bytes = buffer.byteLength;
  const inside = (offset: number, size: number): boolean => offset % 8 === 0 && offset + size <= bytes;
  const { min, max } = LIMITS.slotCapacity;
  const wrong = (
    [
      // Every field up to the generation is what the transitions cannot do without.
      ['feature_size', g.featureSize >= endOf(SLOT.generation) && g.featureSize <= g.slotStride],
      ['slot_stride', g.slotStride % 8 === 0],
      ['slot_capacity', g.slotCapacity >= min && g.slotCapacity <= max],
      ['slot_offset', g.slotOffset >= HEADER_BYTES && inside(g.slotOffset, g.slotCapacity * g.slotStride)],
      ['block_stride', g.blockStride % 8 === 0],
      ['block_offset', inside(g.blockOffset, g.slotCapacity * g.blockStride)],
      ['directory_offset', inside(g.directoryOffset, g.directoryCapacity * ENTRY_BYTES)],
      ['heap_offset', inside(g.heapOffset, g.heapSize)],
    ] as const
  ).find(([, sound]) => !sound);
  if (wrong !== undefined) {
    const found = read(HEADER[wrong[0]]);
    throw abiError(`header field ${wrong[0]} is ${found}`, found, `a geometry that fits into ${bytes} bytes`);
  }
  return geometry;
}

function abiError(problem: string, found: unknown, expected: unknown): CoexistError {
  return new CoexistError(
    'COEXIST_EABI',
    `${problem}, expected ${typeof expected === 'string' ? expected : show(expected)}`,
    {
      found,
      expected,
      remedy: 'Load one major version of the contract in a process, or pass memory that createArea() made.',
    },
  );
}
