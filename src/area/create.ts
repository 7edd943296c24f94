// Making an area: its geometry, its memory, its header (docs/ABI.md, clauses 6, 11 and 14). Layout in memory:
// header | slots | directory | heap | blocks.

import { ENTRY_BYTES } from '../abi/directory.js';
import { invalid } from '../abi/errors.js';
import { type Field, word } from '../abi/field.js';
import { ABI_MAJOR, HEADER, HEADER_BYTES, HEADER_FEATURE_SIZE, LIMITS, MAGIC, READY } from '../abi/header.js';
import { FEATURE_SIZE, SLOT_STRIDE } from '../abi/slot.js';
import { type AreaValue, type Geometry, viewsOf } from '../abi/views.js';
import { host } from '../host/host.js';

const PAGE = 65536;
const REMEDY = 'Correct createArea(), or COEXIST_SLOTS and COEXIST_BLOCK in the environment of the main thread.';

/** What a creator may choose. Everything left out is the default of docs/ABI.md, clause 11. */
export interface AreaOptions {
  /** Number of slots, 1 to 16384. */
  readonly slots?: number | undefined;
  /** Bytes of private block per slot, a power of two, at least 4096. */
  readonly blockBytes?: number | undefined;
  /** Bytes of heap. */
  readonly heapBytes?: number | undefined;
}

export function wasmAllowed(): boolean {
  return host.setting('COEXIST_NO_WASM') !== '1' && typeof WebAssembly === 'object';
}

/** The creator's choice from the environment (clause 14). */
export function optionsFromEnvironment(): AreaOptions {
  const number = (name: string): number | undefined => {
    const text = host.setting(name);
    if (text === undefined || text === '') return undefined;
    return /^\d+$/.test(text) ? Number(text) : Number.NaN;
  };
  return { slots: number('COEXIST_SLOTS'), blockBytes: number('COEXIST_BLOCK') };
}

/** A new memory with its whole header written, seen by nobody yet. */
export function createCandidate(options: AreaOptions): AreaValue {
  const { geometry, bytes } = plan(options);
  const value = allocate(bytes);
  const { u32 } = viewsOf(value);
  const write = (field: Field, content: number): void => {
    Atomics.store(u32, word(field), content);
  };
  write(HEADER.magic, MAGIC);
  write(HEADER.abi_major, ABI_MAJOR);
  write(HEADER.feature_size, geometry.featureSize);
  write(HEADER.area_id, randomId());
  write(HEADER.slot_offset, geometry.slotOffset);
  write(HEADER.slot_stride, geometry.slotStride);
  write(HEADER.slot_capacity, geometry.slotCapacity);
  write(HEADER.block_offset, geometry.blockOffset);
  write(HEADER.block_stride, geometry.blockStride);
  write(HEADER.directory_offset, geometry.directoryOffset);
  write(HEADER.directory_capacity, geometry.directoryCapacity);
  write(HEADER.heap_offset, geometry.heapOffset);
  write(HEADER.heap_size, geometry.heapSize);
  write(HEADER.header_feature_size, HEADER_FEATURE_SIZE);
  write(HEADER.state, READY);
  return value;
}

function plan(options: AreaOptions): { geometry: Geometry; bytes: number } {
  const slotCapacity = within('slots', options.slots, LIMITS.slotCapacity);
  const blockStride = within('blockBytes', options.blockBytes, LIMITS.blockStride);
  if ((blockStride & (blockStride - 1)) !== 0) {
    throw invalid('blockBytes', blockStride, 'a power of two', REMEDY);
  }
  const heapSize = align(within('heapBytes', options.heapBytes, LIMITS.heapSize), 64);
  const directoryCapacity = LIMITS.directoryCapacity.default;

  const slotOffset = HEADER_BYTES;
  const directoryOffset = slotOffset + slotCapacity * SLOT_STRIDE;
  const heapOffset = directoryOffset + directoryCapacity * ENTRY_BYTES;
  const blockOffset = align(heapOffset + heapSize, 4096);
  const bytes = align(blockOffset + slotCapacity * blockStride, PAGE);
  if (bytes > LIMITS.areaBytes.max) {
    throw invalid('slots * blockBytes + heapBytes', bytes, `at most ${LIMITS.areaBytes.max} bytes in all`, REMEDY);
  }
  const geometry = {
    featureSize: FEATURE_SIZE,
    slotOffset,
    slotStride: SLOT_STRIDE,
    slotCapacity,
    blockOffset,
    blockStride,
    directoryOffset,
    directoryCapacity,
    heapOffset,
    heapSize,
  };
  return { geometry, bytes };
}

function allocate(bytes: number): AreaValue {
  if (wasmAllowed()) {
    const pages = bytes / PAGE;
    try {
      // initial == maximum: a memory that can grow would need views that track its length.
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch {
      // A wasm memory reserves more address space than it holds; where that is limited, plain shared memory may fit.
    }
  }
  try {
    return new SharedArrayBuffer(bytes);
  } catch {
    throw invalid('slots * blockBytes + heapBytes', bytes, 'as many bytes as this process can have', REMEDY);
  }
}

// Never 0, and different in two areas of one process even where Math.random is seeded.
function randomId(): number {
  const clock = host.now() * 2 ** 20;
  return (Math.floor(Math.random() * 2 ** 32) ^ clock) >>> 0 || 1;
}

const align = (n: number, to: number): number => Math.ceil(n / to) * to;

function within(name: string, value: number | undefined, limit: { min: number; max: number; default: number }): number {
  if (value === undefined) return limit.default;
  if (!Number.isInteger(value) || value < limit.min || value > limit.max) {
    throw invalid(name, value, `an integer from ${limit.min} to ${limit.max}`, REMEDY);
  }
  return value;
}
