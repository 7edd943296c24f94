// What a pool is made with, checked.

import { invalid, show } from '../abi/errors.js';
import { POISON_BIT, POOL_ITEM_ALIGN } from '../abi/pool.js';
import { coreFor } from '../area/current.js';
import { type ShardedOptions, strideOf } from './shards.js';

export interface PoolOptions extends ShardedOptions {
  /** Bytes of an item in each shard; rounded up to a multiple of 8. */
  readonly item: number;
  /** How many items there are. */
  readonly items: number;
  /**
   * Robust: fill free items with a pattern, so that `alloc()` and `destroy()` find what was written after a free. Costs a pass over the
   * item in every shard for each. Default false.
   */
  readonly robust?: boolean | undefined;
  /** The pattern, 0 to 0x7fffffff. Default 0x5d5d5d5d. */
  readonly poison?: number | undefined;
  /** Bytes from one shard to the next; COEXIST_EINVAL where it is another. Left out: whatever it is (`stride`). */
  readonly stride?: number | undefined;
}

const MOST_ITEMS = 1 << 20;
const POISON = 0x5d5d5d5d;

export interface PoolSettings {
  readonly items: number;
  readonly itemBytes: number;
  readonly robust: boolean;
  /** The pattern as it lies in memory; 0 where free items are not filled. */
  readonly poison: number;
}

/** @throws COEXIST_EINVAL */
export function settled(name: unknown, options: PoolOptions): PoolSettings {
  const { item, items, robust = false, poison = POISON, stride, index = 'cpu', area } = options;
  if (typeof name !== 'string' || name === '') throw invalid('name', name, 'a string of 1 to 74 bytes of UTF-8');
  if (!Number.isInteger(item) || item < 1) throw invalid('item', item, 'a number of bytes, 1 or more');
  if (!Number.isInteger(items) || items < 1 || items > MOST_ITEMS)
    throw invalid('items', items, `an integer from 1 to ${MOST_ITEMS}`);
  if (!Number.isInteger(poison) || poison < 0 || poison >= POISON_BIT)
    throw invalid('poison', poison, 'an integer from 0 to 0x7fffffff');
  const itemBytes = Math.ceil(item / POOL_ITEM_ALIGN) * POOL_ITEM_ALIGN;
  // Before anything is made, since names and ranges live as long as the process.
  const expected = stride === undefined ? undefined : strideOf(coreFor(area), index, itemBytes * items);
  if (stride !== expected) throw invalid('stride', stride, `${expected}, what it is with index ${show(index)}`);
  return { items, itemBytes, robust, poison: robust ? (poison | POISON_BIT) >>> 0 : 0 };
}

/**
 * What an item is to begin with; before one is taken, which nobody would give back.
 * @throws COEXIST_EINVAL
 */
export function requireBytes(init: unknown, most: number): void {
  // Of any realm.
  const bytes = ArrayBuffer.isView(init) && Object.prototype.toString.call(init) === '[object Uint8Array]';
  if (!bytes) throw invalid('init', init, 'a Uint8Array');
  if (init.byteLength > most) throw invalid('init', `${init.byteLength} bytes`, `at most ${most} bytes`);
}
