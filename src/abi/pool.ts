// A pool of items that lie in every shard at once (docs/ABI.md, clause 57). The states of an item are the truth; the list of free
// items and the counts are made from them again whenever a thread died, or was cut, while it held the pool's lock.
//
//   state         who may use the item                    how it is left
//   0 never       nobody                                  allocate: to 1, in order of index
//   1 allocated   whoever allocated it, and whom it told  free: to 2; corrupt when it was taken: to 3
//   2 free        nobody: it is on the free list          allocate: to 1
//   3 set aside   nobody: it was written while free       never

import { i64, u32 } from './field.js';

export const POOL = {
  owner: i64(0),
  token: u32(8),
  items: u32(12),
  item_bytes: u32(16),
  poison: u32(20),
  free: u32(24),
  fresh: u32(28),
  allocated: u32(32),
  destroyed: u32(36),
} as const;
export const POOL_BYTES = 64;

export const POOL_ITEM = {
  allocated_by: i64(0),
  freed_by: i64(8),
  state: u32(16),
  next: u32(20),
  dirty: u32(24),
  reserved: u32(28),
} as const;
export const POOL_ITEM_BYTES = 32;

export const ITEM_NEVER = 0;
export const ITEM_ALLOCATED = 1;
export const ITEM_FREE = 2;
export const ITEM_SET_ASIDE = 3;

/** What the shards of a pool's items are called: the pool's name and this. */
export const POOL_ITEMS_SUFFIX = ':items';
/** What the bytes of an item are rounded up to a multiple of. */
export const POOL_ITEM_ALIGN = 8;
/** What `poison` is where free items are not filled. */
export const NOT_POISONED = 1;
/** Set in `poison` where they are. */
export const POISON_BIT = 0x80000000;
