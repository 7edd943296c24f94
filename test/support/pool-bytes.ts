// A pool's words by hand, as docs/ABI.md (clause 57) lays them out.

import type { Area } from 'coexist';
import type { LockMemory } from 'coexist/sync';
import { bytesOf } from './area-bytes.js';
import { memoryOf } from './backends.js';
import { lockBytes } from './lock-memory.js';
import { contentAt, type Index, objectOf } from './per-cpu.js';

const HEAD = { items: 12, item_bytes: 16, poison: 20, free: 24, fresh: 28, allocated: 32, destroyed: 36 } as const;
const ROW = { state: 16, next: 20, dirty: 24, reserved: 28 } as const;
const THREADS = { allocated_by: 0, freed_by: 8 } as const;
const ROWS = 64;
const ROW_BYTES = 32;

export type HeadWord = keyof typeof HEAD;
export type RowWord = keyof typeof ROW;

export type PoolBytes = ReturnType<typeof poolBytes>;

export function poolBytes(area: Area, name: string, index: Index) {
  const { u32, i64, u8 } = bytesOf(area);
  const at = objectOf(area, name).offset;
  const rowAt = (k: number): number => at + ROWS + k * ROW_BYTES;
  const get = (word: HeadWord): number => Atomics.load(u32, (at + HEAD[word]) / 4);
  const row = (k: number, word: RowWord): number => Atomics.load(u32, (rowAt(k) + ROW[word]) / 4);
  const thread = (k: number, did: keyof typeof THREADS): bigint => Atomics.load(i64, (rowAt(k) + THREADS[did]) / 8);
  /** Where item k lies in a shard. */
  const itemAt = (k: number, shard = 0): number =>
    contentAt(area, `${name}:items`, index, shard) + k * get('item_bytes');
  return {
    at,
    get,
    row,
    thread,
    itemAt,
    set(word: HeadWord, value: number): void {
      Atomics.store(u32, (at + HEAD[word]) / 4, value);
    },
    setRow(k: number, word: RowWord, value: number): void {
      Atomics.store(u32, (rowAt(k) + ROW[word]) / 4, value);
    },
    setThread(k: number, did: keyof typeof THREADS, identity: bigint): void {
      Atomics.store(i64, (rowAt(k) + THREADS[did]) / 8, identity);
    },
    /** 32-bit index of a row's word. */
    indexOf: (k: number, word: RowWord): number => (rowAt(k) + ROW[word]) / 4,
    head: (): Record<HeadWord, number> =>
      Object.fromEntries(Object.keys(HEAD).map((word) => [word, get(word as HeadWord)])) as Record<HeadWord, number>,
    states: (): number[] => Array.from({ length: get('items') }, (_, k) => row(k, 'state')),
    /** Free items, from the first on; at most so many as there are items, and one more. */
    freeList(): number[] {
      const list: number[] = [];
      for (let head = get('free'); head !== 0 && list.length <= get('items'); head = row(head - 1, 'next'))
        list.push(head - 1);
      return list;
    },
    lock: lockBytes(memoryOf(area) as LockMemory, 'mutex', at),
    /** The bytes of item k in a shard. */
    content: (k: number, shard: number): number[] => [
      ...u8.slice(itemAt(k, shard), itemAt(k, shard) + get('item_bytes')),
    ],
  };
}
