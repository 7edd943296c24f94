// The rows of a pool (docs/ABI.md, clause 57) as its checks and its repair see them.

import { ITEM_ALLOCATED, ITEM_FREE, ITEM_NEVER, POOL, POOL_BYTES, POOL_ITEM, POOL_ITEM_BYTES } from '../abi/pool.js';
import type { Views } from '../abi/views.js';

/** A pool's memory: views, and the byte offset of the pool. */
export interface PoolRows {
  readonly views: Views;
  readonly at: number;
  readonly items: number;
}

type Word = Exclude<keyof typeof POOL_ITEM, 'allocated_by' | 'freed_by'>;

const rowOf = ({ at }: PoolRows, index: number): number => at + POOL_BYTES + index * POOL_ITEM_BYTES;

export const poolWord = ({ at }: PoolRows, name: keyof typeof POOL): number => (at + POOL[name].offset) >>> 2;
export const itemWord = (rows: PoolRows, index: number, name: Word): number =>
  (rowOf(rows, index) + POOL_ITEM[name].offset) >>> 2;

export const stateOf = (rows: PoolRows, index: number): number =>
  Atomics.load(rows.views.u32, itemWord(rows, index, 'state'));

/** Identity of the thread that allocated, or freed, the item last. */
export const threadOf = (rows: PoolRows, index: number, did: 'allocated_by' | 'freed_by'): bigint =>
  Atomics.load(rows.views.i64, (rowOf(rows, index) + POOL_ITEM[did].offset) >>> 3);

/** Makes the list and the counts from the states, which are the truth. Under the lock. */
export function rebuild(rows: PoolRows): void {
  const { u32 } = rows.views;
  let [free, fresh, allocated] = [0, 0, 0];
  for (let index = rows.items - 1; index >= 0; index--) {
    const state = stateOf(rows, index);
    if (state !== ITEM_NEVER && fresh === 0) fresh = index + 1;
    if (state === ITEM_ALLOCATED) allocated++;
    if (state !== ITEM_FREE) continue;
    Atomics.store(u32, itemWord(rows, index, 'next'), free);
    free = index + 1;
  }
  Atomics.store(u32, poolWord(rows, 'free'), free);
  Atomics.store(u32, poolWord(rows, 'fresh'), fresh);
  Atomics.store(u32, poolWord(rows, 'allocated'), allocated);
}

/** What is wrong with the free list; undefined where it leads to every free item once. Under the lock. */
export function listFault(rows: PoolRows): string | undefined {
  const { u32 } = rows.views;
  let left = 0;
  for (let index = 0; index < rows.items; index++) if (stateOf(rows, index) === ITEM_FREE) left++;
  let head = Atomics.load(u32, poolWord(rows, 'free'));
  for (; head !== 0 && left > 0; left--) {
    if (head > rows.items) return `it leads to item ${head - 1} of ${rows.items}`;
    if (stateOf(rows, head - 1) !== ITEM_FREE) return `it leads to item ${head - 1}, which is not free`;
    head = Atomics.load(u32, itemWord(rows, head - 1, 'next'));
  }
  if (left > 0) return `it ends ${left} free items early`;
  return head === 0 ? undefined : `it goes on behind the last free item, to item ${head - 1}`;
}
