// The bytes of an area, read and written by hand: tests plant what a foreign implementation, an interruption or a death
// leaves behind, and compare the whole memory before and after. Uses the tables of coexist/abi and nothing else of the library.

import { ENTRY, ENTRY_BYTES, type Field, HEADER, HEADER_BYTES, NAME_BYTES, SLOT } from 'coexist/abi';

export type HeaderName = keyof typeof HEADER;
export type SlotName = keyof typeof SLOT;
export type EntryName = keyof typeof ENTRY;

export interface Planted {
  readonly owner: bigint;
  readonly cpu_id?: number;
  readonly refcount?: number;
  readonly generation?: number;
}

export type AreaBytes = ReturnType<typeof bytesOf>;

/** 32-bit values are unsigned, but for `cpuId`. */
export function bytesOf({ buffer }: { readonly buffer: SharedArrayBuffer }) {
  const u32 = new Uint32Array(buffer);
  const i64 = new BigInt64Array(buffer);
  const u8 = new Uint8Array(buffer);
  const header = (name: HeaderName): number => Atomics.load(u32, HEADER[name].offset >>> 2);
  const slotAt = (i: number): number => header('slot_offset') + i * header('slot_stride');
  const entryAt = (k: number): number => header('directory_offset') + k * ENTRY_BYTES;
  const blockAt = (i: number): number => header('block_offset') + i * header('block_stride');
  const slot = (i: number, name: SlotName): number => Atomics.load(u32, (slotAt(i) + SLOT[name].offset) >>> 2);
  const entry = (k: number, name: EntryName): number => Atomics.load(u32, (entryAt(k) + ENTRY[name].offset) >>> 2);
  const setHeader = (name: HeaderName, value: number): void => {
    Atomics.store(u32, HEADER[name].offset >>> 2, value);
  };
  const setSlot = (i: number, name: SlotName, value: number): void => {
    Atomics.store(u32, (slotAt(i) + SLOT[name].offset) >>> 2, value);
  };
  const setEntry = (k: number, name: EntryName, value: number): void => {
    Atomics.store(u32, (entryAt(k) + ENTRY[name].offset) >>> 2, value);
  };

  const nameOf = (at: number): string => {
    if (at < HEADER_BYTES) return `header.${fieldAt(HEADER, at)}`;
    const inSlots = at - header('slot_offset');
    if (inSlots >= 0 && inSlots < header('slot_capacity') * header('slot_stride')) {
      return `slot[${Math.floor(inSlots / header('slot_stride'))}].${fieldAt(SLOT, inSlots % header('slot_stride'))}`;
    }
    const inDirectory = at - header('directory_offset');
    if (inDirectory >= 0 && inDirectory < header('directory_capacity') * ENTRY_BYTES) {
      return `entry[${Math.floor(inDirectory / ENTRY_BYTES)}].${fieldAt(ENTRY, inDirectory % ENTRY_BYTES)}`;
    }
    const inBlocks = at - header('block_offset');
    if (inBlocks >= 0) return `block[${Math.floor(inBlocks / header('block_stride'))}]`;
    const inHeap = at - header('heap_offset');
    return inHeap >= 0 && inHeap < header('heap_size') ? 'heap' : 'gap';
  };

  return {
    u8,
    u32,
    i64,
    header,
    setHeader,
    slotAt,
    entryAt,
    blockAt,
    slot,
    setSlot,
    entry,
    setEntry,
    cpuId: (i: number): number => slot(i, 'cpu_id') | 0,
    owner: (i: number): bigint => Atomics.load(i64, (slotAt(i) + SLOT.owner.offset) >>> 3),
    setOwner(i: number, value: bigint): void {
      Atomics.store(i64, (slotAt(i) + SLOT.owner.offset) >>> 3, value);
    },
    holders: (i: number): bigint => BigInt.asUintN(64, Atomics.load(i64, (slotAt(i) + SLOT.holders.offset) >>> 3)),
    creator: (k: number): bigint => Atomics.load(i64, (entryAt(k) + ENTRY.creator.offset) >>> 3),
    setCreator(k: number, value: bigint): void {
      Atomics.store(i64, (entryAt(k) + ENTRY.creator.offset) >>> 3, value);
    },
    entryName(k: number): string {
      const start = entryAt(k) + ENTRY.name.offset;
      return new TextDecoder().decode(u8.slice(start, start + entry(k, 'name_length')));
    },
    setEntryName(k: number, name: string): void {
      const bytes = new TextEncoder().encode(name);
      const start = entryAt(k) + ENTRY.name.offset;
      u8.fill(0, start, start + NAME_BYTES);
      u8.set(bytes, start);
      setEntry(k, 'name_length', bytes.length);
    },
    /** A slot as some thread would hold it, high water included. */
    plant(i: number, { owner, cpu_id = i, refcount = 1, generation = 1 }: Planted): void {
      setHeader('slot_high_water', Math.max(header('slot_high_water'), i + 1));
      setSlot(i, 'generation', generation);
      setSlot(i, 'refcount', refcount);
      setSlot(i, 'cpu_id', cpu_id);
      Atomics.store(i64, (slotAt(i) + SLOT.owner.offset) >>> 3, owner);
    },
    /** Name of the field that a byte belongs to. */
    nameOf,
    snapshot: (): Uint8Array => u8.slice(),
    /** Names of the fields that differ from a snapshot, in the order of memory. */
    changed(before: Uint8Array): string[] {
      const names = new Set<string>();
      const words = new Uint32Array(before.buffer);
      for (let k = 0; k < words.length; k++) {
        if (words[k] === Atomics.load(u32, k)) continue;
        for (let at = k * 4; at < k * 4 + 4; at++) if (before[at] !== Atomics.load(u8, at)) names.add(nameOf(at));
      }
      return [...names];
    },
  };
}

function fieldAt(table: Readonly<Record<string, Field>>, at: number): string {
  const hit = Object.entries(table).find(([, { offset, size }]) => at >= offset && at < offset + size);
  return hit?.[0] ?? `reserved@${at}`;
}
