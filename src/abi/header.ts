// The area's header (docs/ABI.md, clauses 11 to 14): 4096 bytes that say which contract the memory follows, where its
// parts lie and how far each has been used. Written whole by the creator before anyone can see the memory; afterwards
// only conflict, slot_high_water, heap_used, block_used and slot_hint change.

import { i64, u32 } from './field.js';

export const MAGIC = 0x51455352;
export const ABI_MAJOR = 1;
export const READY = 2;

/** Key of the area anchor, of environment data and of the BroadcastChannel (clause 4). */
export const AREA_KEY = 'coexist.area.v1';
/** Key of the thread anchor (clause 16). */
export const THREAD_KEY = 'coexist.thread.v1';

export const HEADER_BYTES = 4096;
export const HEADER_FEATURE_SIZE = 84;

export const HEADER = {
  magic: u32(0),
  abi_major: u32(4),
  feature_size: u32(8),
  state: u32(12),
  area_id: u32(16),
  conflict: u32(20),
  slot_offset: u32(24),
  slot_stride: u32(28),
  slot_capacity: u32(32),
  slot_high_water: u32(36),
  block_offset: u32(40),
  block_stride: u32(44),
  directory_offset: u32(48),
  directory_capacity: u32(52),
  heap_offset: u32(56),
  heap_size: u32(60),
  reserved: i64(64),
  heap_used: u32(72),
  block_used: u32(76),
  slot_hint: u32(80),
  header_feature_size: u32(4092),
} as const;

/** Bounds and defaults of a creator (clause 11). All in bytes but the capacities. */
export const LIMITS = {
  slotCapacity: { min: 1, max: 16384, default: 1024 },
  blockStride: { min: 4096, max: 2 ** 26, default: 16384 },
  /** With the default slots, blocks and directory the whole area is 24 MiB. */
  heapSize: { min: 0, max: 2 ** 31, default: 8 * 2 ** 20 - 260 * 1024 },
  directoryCapacity: { default: 1024 },
  areaBytes: { max: 2 ** 32 - 2 ** 16 },
} as const;
