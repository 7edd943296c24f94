// Looking at an area from outside: a slot's fields as they are in memory, whether or not anybody owns it, and the bytes of
// its parts. Reads with Atomics, from the tables in src/abi.

import type { Area } from 'coexist';
import { endOf, type Field, HEADER, SLOT, word } from 'coexist/abi';

export interface RawSlot {
  readonly cpu_id_start: number;
  /** As i32. */
  readonly cpu_id: number;
  readonly rseq_cs: bigint;
  readonly flags: number;
  readonly refcount: number;
  readonly node_id: number;
  readonly mm_cid: number;
  readonly owner: bigint;
  readonly generation: number;
  /** As i32. */
  readonly thread_id: number;
  readonly holders: bigint;
  readonly registered_total: number;
  readonly reserved: number;
}

export function slotAt({ geometry }: Area, slot: number): number {
  return geometry.slotOffset + slot * geometry.slotStride;
}

/** The fields of a slot, those beyond its feature size read as bytes of whatever is there. */
export function rawSlot(area: Area, slot: number): RawSlot {
  const at = slotAt(area, slot);
  const i32 = new Int32Array(area.buffer);
  const u32 = new Uint32Array(area.buffer);
  const i64 = new BigInt64Array(area.buffer);
  const signed = (f: Field): number => Atomics.load(i32, (at + f.offset) >>> 2);
  const unsigned = (f: Field): number => Atomics.load(u32, (at + f.offset) >>> 2);
  const wide = (f: Field): bigint => Atomics.load(i64, (at + f.offset) >>> 3);
  return {
    cpu_id_start: unsigned(SLOT.cpu_id_start),
    cpu_id: signed(SLOT.cpu_id),
    rseq_cs: wide(SLOT.rseq_cs),
    flags: unsigned(SLOT.flags),
    refcount: unsigned(SLOT.refcount),
    node_id: unsigned(SLOT.node_id),
    mm_cid: unsigned(SLOT.mm_cid),
    owner: wide(SLOT.owner),
    generation: unsigned(SLOT.generation),
    thread_id: signed(SLOT.thread_id),
    holders: wide(SLOT.holders),
    registered_total: unsigned(SLOT.registered_total),
    reserved: unsigned(SLOT.reserved),
  };
}

/** Overwrites one field of a slot, as a library that breaks the contract would. */
export function scribble(area: Area, slot: number, field: Field, value: number | bigint): void {
  const at = slotAt(area, slot) + field.offset;
  if (field.size === 8) Atomics.store(new BigInt64Array(area.buffer), at >>> 3, BigInt.asIntN(64, BigInt(value)));
  else Atomics.store(new Int32Array(area.buffer), at >>> 2, Number(value) | 0);
}

export function headerOf({ buffer }: { buffer: SharedArrayBuffer }, name: keyof typeof HEADER): number {
  return Atomics.load(new Uint32Array(buffer), word(HEADER[name]));
}

/** A copy of an area's bytes, to compare with later. */
export function bytesOf(area: Area, from = 0, to: number = area.buffer.byteLength): Buffer {
  return Buffer.from(new Uint8Array(area.buffer, from, to - from).slice());
}

/** The bytes that an operation without effect leaves as they are: header, slots and directory. */
export function stateOf(area: Area): string {
  return bytesOf(area, 0, area.geometry.heapOffset).toString('base64');
}

/** The slots that somebody owns or is preparing. */
export function takenSlots(area: Area): number[] {
  const end = Math.min(headerOf(area, 'slot_high_water'), area.geometry.slotCapacity);
  return Array.from({ length: end }, (_, slot) => slot).filter((slot) => rawSlot(area, slot).owner !== 0n);
}

export { endOf, SLOT };
