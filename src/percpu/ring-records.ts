// The records in a copy of a ring's bytes (docs/ABI.md, clause 60). The ring may have been overwritten while it was copied, so
// nothing is taken for granted: a length that cannot be ends the walk, and whether a record is whole, head alone tells.

import { RECORD, RECORD_BYTES, RECORD_PAD, recordSize } from '../abi/ring.js';

/** A record as its reader gets it. */
export interface RingRecord {
  /** Slot of its writer. */
  readonly slot: number;
  /** The claim of the slot that it was written under: with `slot`, the writer's unique name. */
  readonly generation: number;
  /** Counts the attempts of this slot's writers, dropped ones included, from 0; exact below 2^53. */
  readonly sequence: number;
  /** The reader's own. Records taken out together share a buffer, at most the ring's capacity long. */
  readonly bytes: Uint8Array;
}

/** A linear copy of what lies between two positions. */
export interface RingCopy {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  /** Where in the ring it begins. */
  readonly place: number;
  readonly capacity: number;
}

export interface Walk {
  /** Where records begin, in the copy. */
  readonly starts: number[];
  /** Behind the last of them; before the end of the copy, where the limit was reached or no such record can be. */
  readonly end: number;
}

export function copyRing(u8: Uint8Array, data: number, place: number, length: number, capacity: number): RingCopy {
  const bytes = new Uint8Array(length);
  const first = Math.min(length, capacity - place);
  bytes.set(u8.subarray(data + place, data + place + first));
  if (first < length) bytes.set(u8.subarray(data, data + length - first), first);
  return { bytes, words: new Uint32Array(bytes.buffer, 0, length >>> 2), place, capacity };
}

/** The records from an offset of the copy on, at most `limit`. */
export function walkRecords({ bytes, words, place, capacity }: RingCopy, from: number, limit: number): Walk {
  const starts: number[] = [];
  let end = from;
  for (let at = from; at < bytes.length && starts.length < limit; ) {
    const left = capacity - ((place + at) & (capacity - 1));
    const length = words[(at + RECORD.length.offset) >>> 2] as number;
    if (length === RECORD_PAD) {
      at += left;
      continue;
    }
    if (length > left - RECORD_BYTES || recordSize(length) > bytes.length - at) break;
    starts.push(at);
    at += recordSize(length);
    end = at;
  }
  return { starts, end };
}

export function recordAt({ bytes, words }: RingCopy, start: number, slot: number): RingRecord {
  const length = words[(start + RECORD.length.offset) >>> 2] as number;
  const low = words[(start + RECORD.sequence.offset) >>> 2] as number;
  const high = words[(start + RECORD.sequence.offset + 4) >>> 2] as number;
  return {
    slot,
    generation: words[(start + RECORD.generation.offset) >>> 2] as number,
    sequence: low + high * 2 ** 32,
    bytes: new Uint8Array(bytes.buffer, start + RECORD_BYTES, length),
  };
}
