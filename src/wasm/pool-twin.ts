// The pool's transitions in JavaScript. A thread can be terminated, or cut by a vm timeout, between any two operations here: the
// state of the item is the truth, and whoever takes the lock over makes the rest from the states again.
// `Atomics` is looked up at each call, so that a stepping one can be put in its place.

import { ITEM_ALLOCATED, ITEM_FREE, ITEM_NEVER, POOL, POOL_BYTES, POOL_ITEM, POOL_ITEM_BYTES } from '../abi/pool.js';
import { TOKEN_GUARDED } from '../abi/sync.js';
import type { Views } from '../abi/views.js';
import type { Halves } from './bound.js';
import { POOL_BUSY, POOL_CORRUPT, POOL_EMPTY, POOL_GONE, POOL_NOT_ALLOCATED } from './outcomes.js';
import type { PoolSteps } from './pool.js';

export function createPoolTwin({ i32, u32, i64, u8 }: Views, { low, high }: Halves): PoolSteps {
  const self = (BigInt(high) << 32n) | BigInt(low >>> 0);
  const rowOf = (at: number, index: number): number => at + POOL_BYTES + index * POOL_ITEM_BYTES;

  function locked(at: number, held: number, change: () => number): number {
    const owner = (at + POOL.owner.offset) >>> 3;
    if (held === 0) {
      if (Atomics.compareExchange(i64, owner, 0n, self) !== 0n) return POOL_BUSY;
      const token = (at + POOL.token.offset) >>> 2;
      i32[token] = ((i32[token] as number) + 1) & ~TOKEN_GUARDED || 1;
    }
    const result = Atomics.load(u32, (at + POOL.destroyed.offset) >>> 2) !== 0 ? POOL_GONE : change();
    if (held === 0 && Atomics.compareExchange(i64, owner, self, 0n) !== self) {
      Atomics.store(i64, owner, 0n);
      // Stopped here: a waiter finds the lock free when its bounded sleep ends.
      Atomics.notify(i32, (at + POOL.owner.offset + 4) >>> 2, 1);
    }
    return result;
  }

  return {
    allocate: (at, held) =>
      locked(at, held, () => {
        const [free, fresh] = [(at + POOL.free.offset) >>> 2, (at + POOL.fresh.offset) >>> 2];
        const items = u32[(at + POOL.items.offset) >>> 2] as number;
        const head = u32[free] as number;
        if (head > items) return POOL_CORRUPT;
        const index = head === 0 ? (u32[fresh] as number) : head - 1;
        if (index >= items) return POOL_EMPTY;
        const row = rowOf(at, index);
        const state = (row + POOL_ITEM.state.offset) >>> 2;
        if (u32[state] !== (head === 0 ? ITEM_NEVER : ITEM_FREE)) return POOL_CORRUPT;
        i64[(row + POOL_ITEM.allocated_by.offset) >>> 3] = self;
        Atomics.store(u32, state, ITEM_ALLOCATED);
        if (head === 0) u32[fresh] = index + 1;
        else u32[free] = u32[(row + POOL_ITEM.next.offset) >>> 2] as number;
        u32[(at + POOL.allocated.offset) >>> 2]!++;
        return index;
      }),

    free: (at, held, index) =>
      locked(at, held, () => {
        const row = rowOf(at, index);
        const state = (row + POOL_ITEM.state.offset) >>> 2;
        if (u32[state] !== ITEM_ALLOCATED) return POOL_NOT_ALLOCATED;
        i64[(row + POOL_ITEM.freed_by.offset) >>> 3] = self;
        Atomics.store(u32, state, ITEM_FREE);
        const free = (at + POOL.free.offset) >>> 2;
        u32[(row + POOL_ITEM.next.offset) >>> 2] = u32[free] as number;
        u32[free] = index + 1;
        u32[(at + POOL.allocated.offset) >>> 2]!--;
        return 0;
      }),

    zero(item, bytes, stride, shards) {
      for (let k = 0; k < shards; k++) u8.fill(0, item + k * stride, item + k * stride + bytes);
    },

    fill(item, bytes, pattern) {
      i32.fill(pattern, item >>> 2, (item + bytes) >>> 2);
    },

    differs(item, bytes, pattern) {
      for (let at = item; at < item + bytes; at += 4) if (i32[at >>> 2] !== (pattern | 0)) return at;
      return -1;
    },
  };
}
