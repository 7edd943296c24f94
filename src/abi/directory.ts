// The directory of named objects (docs/ABI.md, clauses 33 to 37). States of an entry:
//
//   creator   state       who may be here, and what ends it
//   0         0           free; the first free entry is the next one created
//   identity  0 or 1      being created; ends with state 2, with the entry given back, or, if the creator is dead or is
//                         the thread that looks, with a takeover (CAS creator -> own identity)
//   identity  2           ready; permanent

import { type Field, i64, u32 } from './field.js';

export const ENTRY_BYTES = 128;
export const NAME_BYTES = 80;

export const ENTRY = {
  creator: i64(0),
  state: u32(8),
  kind: u32(12),
  version: u32(16),
  size: u32(20),
  offset: u32(24),
  flags: u32(28),
  name_length: u32(32),
  name: { offset: 48, size: NAME_BYTES, type: 'u8[80]', since: 1 } as Field,
} as const;

export const ENTRY_FREE = 0;
export const ENTRY_CREATING = 1;
export const ENTRY_READY = 2;

/** Where a kind's range lies: nowhere, in every slot's block, or once in the heap. */
export const KINDS = {
  library: { number: 1, range: 'none' },
  key: { number: 2, range: 'block' },
  counter: { number: 3, range: 'block' },
  mutex: { number: 4, range: 'heap' },
  rwlock: { number: 5, range: 'heap' },
  once: { number: 6, range: 'heap' },
  condvar: { number: 7, range: 'heap' },
  semaphore: { number: 8, range: 'heap' },
  barrier: { number: 9, range: 'heap' },
  cpus: { number: 10, range: 'heap' },
  percpu: { number: 11, range: 'heap' },
  pool: { number: 12, range: 'heap' },
  histogram: { number: 13, range: 'block' },
  gauge: { number: 14, range: 'block' },
  ring: { number: 15, range: 'block' },
  channel: { number: 16, range: 'heap' },
  singleton: { number: 17, range: 'heap' },
  type: { number: 18, range: 'heap' },
  module: { number: 19, range: 'heap' },
  interface: { number: 20, range: 'heap' },
} as const;

export type Range = 'none' | 'block' | 'heap';

export type KindName = keyof typeof KINDS;

/** Flag bit 0, of keys and gauges: the range begins with a generation stamp, content 8 bytes into it (clause 40). */
export const FLAG_STAMPED = 1;
export const STAMP_BYTES = 8;

/** Ranges in blocks and heap are rounded up to this many bytes (clause 34). */
export const RANGE_ALIGN = 64;

export const LIBRARY_PREFIX = 'library:';
