// The slots of an area as the stress checks read them: straight from memory, by the offsets of coexist/abi, so that
// nothing of the library that is under stress stands in between.

import type { Area } from 'coexist';
import { type Field, HEADER, SLOT, word } from 'coexist/abi';
import { SLOT_WORDS } from './stress-ledger.js';

export type SlotField = Exclude<keyof typeof SLOT, 'owner' | 'holders' | 'rseq_cs'>;

export interface Slots {
  readonly capacity: number;
  owner(slot: number): bigint;
  /** Unsigned. */
  field(slot: number, name: SlotField): number;
  cpuId(slot: number): number;
  header(name: keyof typeof HEADER): number;
  /** Index of a field's first word in `i32`; of the owner in `i64` (`ownerIndex`). For faults planted on purpose. */
  readonly i32: Int32Array;
  readonly i64: BigInt64Array;
  index(slot: number, name: SlotField): number;
  ownerIndex(slot: number): number;
  /** The slot's struct in 32-bit words. */
  dump(slot: number): number[];
}

export function openSlots({ buffer, geometry }: Area): Slots {
  const { slotOffset, slotStride, slotCapacity } = geometry;
  const i32 = new Int32Array(buffer);
  const i64 = new BigInt64Array(buffer);
  const start = (slot: number, { offset }: Field): number => slotOffset + slot * slotStride + offset;
  const index = (slot: number, name: SlotField): number => start(slot, SLOT[name]) >>> 2;
  const ownerIndex = (slot: number): number => start(slot, SLOT.owner) >>> 3;
  return {
    capacity: slotCapacity,
    owner: (slot) => Atomics.load(i64, ownerIndex(slot)),
    field: (slot, name) => Atomics.load(i32, index(slot, name)) >>> 0,
    cpuId: (slot) => Atomics.load(i32, index(slot, 'cpu_id')),
    header: (name) => Atomics.load(i32, word(HEADER[name])) >>> 0,
    i32,
    i64,
    index,
    ownerIndex,
    dump: (slot) => Array.from({ length: SLOT_WORDS }, (_, k) => Atomics.load(i32, index(slot, 'cpu_id_start') + k)),
  };
}

/** A dump in words that can be read: every field of the struct by its name. */
export function describeDump(words: readonly number[]): string {
  return Object.entries(SLOT)
    .map(([name, { offset, type }]) => {
      const low = words[offset >>> 2]! >>> 0;
      if (name === 'cpu_id' || name === 'thread_id') return `${name}=${low | 0}`;
      if (type === 'u32') return `${name}=${low}`;
      const wide = BigInt.asIntN(64, (BigInt(words[(offset >>> 2) + 1]!) << 32n) | BigInt(low));
      return `${name}=${type === 'i64' ? wide : `0x${BigInt.asUintN(64, wide).toString(16)}`}`;
    })
    .join(' ');
}
