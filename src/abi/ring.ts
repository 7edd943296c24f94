// The ring of one slot (docs/ABI.md, clause 60): a head of two cache lines, one that drainers write and one that the slot's owner
// writes, then the bytes of the records. Positions only grow; head <= tail <= head + capacity. What the bytes between head and
// tail are, and who moves them on:
//
//   at a position                state                        how it is left
//   tail to head + capacity      free                         the owner: bytes, the record's head, then tail past them
//   head to tail                 whole records, oldest first  a drainer, or the owner that overwrites: CAS head past one or more
//   before head                  taken out, or overwritten    free for what comes round

import { i64, u32, u64 } from './field.js';

export const RING = {
  owner: i64(0),
  token: u32(8),
  delivered: u64(16),
  head: i64(24),
  attempted: u64(64),
  tail: i64(72),
} as const;
export const RING_BYTES = 128;
export const RING_CAPACITY_MIN = 64;

/** What a record begins with, at a multiple of its size. */
export const RECORD = { length: u32(0), generation: u32(4), sequence: u64(8) } as const;
export const RECORD_BYTES = 16;

/** In the place of a length: nothing from here to the end of the ring, the next record is at its beginning. */
export const RECORD_PAD = 0xffffffff;

/** Bytes that a record of so many bytes takes. */
export const recordSize = (length: number): number => (length + 2 * RECORD_BYTES - 1) & -RECORD_BYTES;

/** The longest record. Twice as long as that, with what stays empty at the end, fits in no position. */
export const longestRecord = (capacity: number): number => capacity / 2 - RECORD_BYTES;
