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

/**
 * Views over a candidate value.
 * @throws COEXIST_EABI when it is not shared memory.
 */
export function viewsOf(value: unknown): Views {
  const inner = (value as { buffer?: unknown } | null | undefined)?.buffer;
  const buffer = (inner ?? value) as SharedArrayBuffer;
  // By brand, never by instanceof: another realm has another constructor.
  if (Object.prototype.toString.call(buffer) !== '[object SharedArrayBuffer]') {
    throw abiError(
      'the value found is not shared memory',
      show(value),
      'a shared WebAssembly.Memory or a SharedArrayBuffer',
    );
  }
  if (buffer.byteLength < HEADER_BYTES) {
    throw abiError('the memory is too small for a header', buffer.byteLength, `at least ${HEADER_BYTES} bytes`);
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
  const sound =
    // Every field up to the generation is what the transitions cannot do without.
    g.featureSize >= endOf(SLOT.generation) &&
    g.featureSize <= g.slotStride &&
    g.slotStride % 8 === 0 &&
    g.slotOffset % 8 === 0 &&
    g.slotCapacity >= LIMITS.slotCapacity.min &&
    g.slotCapacity <= LIMITS.slotCapacity.max &&
    g.slotOffset >= HEADER_BYTES &&
    g.slotOffset + g.slotCapacity * g.slotStride <= bytes &&
    g.blockOffset % 8 === 0 &&
    g.blockStride % 8 === 0 &&
    g.blockOffset + g.slotCapacity * g.blockStride <= bytes &&
    g.directoryOffset % 8 === 0 &&
    g.directoryOffset + g.directoryCapacity * ENTRY_BYTES <= bytes &&
    g.heapOffset + g.heapSize <= bytes;
  if (!sound)
    throw abiError(
      'the geometry does not fit the memory',
      geometry,
      `parts inside ${bytes} bytes, as docs/ABI.md clause 11 says`,
    );
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
