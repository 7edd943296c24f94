// Rings as bytes: the words of a slot's ring by name, its records as docs/ABI.md, clause 60 lays them out, and canaries around it.
// Uses the tables of coexist/abi and nothing else of the library.

import type { Area } from 'coexist';
import { type ENTRY, RECORD, RECORD_BYTES, RECORD_PAD, RING, RING_BYTES } from 'coexist/abi';
import { bytesOf } from './area-bytes.js';

export type RingWord = keyof typeof RING;

export interface RawRecord {
  /** Position modulo capacity. */
  readonly place: number;
  readonly length: number;
  readonly generation: number;
  readonly sequence: bigint;
  readonly bytes: number[];
}

export type RingMemory = ReturnType<typeof ringMemory>;

/** The ring of a slot in an area whose first directory entry is that ring. */
export function ringMemory(area: Area, slot: number, entry = 0) {
  const bytes = bytesOf(area);
  const at = bytes.blockAt(slot) + bytes.entry(entry, 'offset');
  const capacity = bytes.entry(entry, 'size') - RING_BYTES;
  const data = at + RING_BYTES;
  const { u8, u32, i64 } = bytes;
  const read = (word: RingWord): bigint =>
    RING[word].size === 8
      ? Atomics.load(i64, (at + RING[word].offset) >>> 3)
      : BigInt(Atomics.load(u32, (at + RING[word].offset) >>> 2));
  return {
    at,
    data,
    capacity,
    bytes,
    read,
    words: (): Record<RingWord, bigint> =>
      Object.fromEntries(Object.keys(RING).map((word) => [word, read(word as RingWord)])) as Record<RingWord, bigint>,
    plant(words: Partial<Record<RingWord, bigint | number>>): void {
      for (const [word, value] of Object.entries(words)) {
        const { offset, size } = RING[word as RingWord];
        if (size === 8) Atomics.store(i64, (at + offset) >>> 3, BigInt(value));
        else Atomics.store(u32, (at + offset) >>> 2, Number(value));
      }
    },
    /** Writes a record by hand, at a place; moves nothing. */
    put(place: number, { length, generation, sequence, bytes: content }: Omit<RawRecord, 'place'>): void {
      const start = data + place;
      u32[(start + RECORD.length.offset) >>> 2] = length;
      u32[(start + RECORD.generation.offset) >>> 2] = generation;
      i64[(start + RECORD.sequence.offset) >>> 3] = sequence;
      u8.set(content, start + RECORD_BYTES);
    },
    pad(place: number): void {
      u32[(data + place + RECORD.length.offset) >>> 2] = RECORD_PAD;
    },
    /** What lies between head and tail, read as the contract says. */
    pending(): (RawRecord | 'pad')[] {
      const records: (RawRecord | 'pad')[] = [];
      for (let position = read('head'); position < read('tail'); ) {
        const place = Number(position % BigInt(capacity));
        const start = data + place;
        const length = u32[(start + RECORD.length.offset) >>> 2] as number;
        if (length === RECORD_PAD) {
          records.push('pad');
          position += BigInt(capacity - place);
          continue;
        }
        records.push({
          place,
          length,
          generation: u32[(start + RECORD.generation.offset) >>> 2] as number,
          sequence: i64[(start + RECORD.sequence.offset) >>> 3] as bigint,
          bytes: [...u8.slice(start + RECORD_BYTES, start + RECORD_BYTES + length)],
        });
        position += BigInt(Math.ceil(length / 16) * 16 + 16);
      }
      return records;
    },
    /** The bytes of all blocks but the ring's own. */
    outside(): string {
      const copy = u8.slice(bytes.header('block_offset'));
      copy.fill(0, at - bytes.header('block_offset'), data + capacity - bytes.header('block_offset'));
      return Buffer.from(copy).toString('base64');
    },
    /** Directory entry, for its fields. */
    entry: (field: keyof typeof ENTRY): number => bytes.entry(entry, field),
  };
}

/** Bytes that tell which record they belong to, and at which place in it. */
export function pattern(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, k) => (seed * 31 + k * 7 + (seed >>> 8)) & 255);
}

/** xorshift32: the same numbers for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
