// The per-CPU operations under librseq's names (include/rseq/pseudocode.h there): what is done, step by step, is the name. The
// shard is where `perCpu.start()` said the thread is; v and other pointers are byte offsets in the area; words are 32 bits.
//
//   for (;;) {
//     const shard = counts.start();
//     if (ops.load_add_store(counts, counts.at(shard), 1, shard) === ops.DONE) break;
//   }

import { invalid } from '../abi/errors.js';
import { OPERATIONS } from '../abi/percpu.js';
import { add, checkRange, compareAndStore, type Order, type Status, section } from './operations.js';
import { type PerCpu, shardsBehind } from './per-cpu.js';

export { ABORTED, COMPARE_FAILED, DONE, type Order, type Status, UNREGISTERED, UNSUPPORTED } from './operations.js';

/** Where an operation leaves the pointer it found: an array, or anything with an element 0. */
export type PointerTarget = { [index: number]: number };

/**
 * If *v is `expect`: *v = `value`.
 * @throws COEXIST_EINVAL
 */
export function load_cbne_store(
  perCpu: PerCpu,
  v: number,
  expect: number,
  value: number,
  shard: number,
  order: Order = 'relaxed',
): Status {
  return compareAndStore(shardsBehind(perCpu), v, expect, value, shard, order);
}

/**
 * *v = *v + `count`.
 * @throws COEXIST_EINVAL
 */
export function load_add_store(
  perCpu: PerCpu,
  v: number,
  count: number,
  shard: number,
  order: Order = 'relaxed',
): Status {
  return add(shardsBehind(perCpu), v, count, shard, order);
}

/**
 * If h = *v is not `expectnot`: load[0] = h, *v = *(h + `offset`). Takes the first node off a list.
 * @throws COEXIST_EINVAL, also where h leads out of the area; nothing changed
 */
export function load_cbeq_store_add_load_store(
  perCpu: PerCpu,
  v: number,
  expectnot: number,
  offset: number,
  load: PointerTarget,
  shard: number,
  order: Order = 'relaxed',
): Status {
  const { load_cbeq_store_add_load_store: op } = OPERATIONS;
  return section(shardsBehind(perCpu), op, shard, order, v, expectnot, offset, 0, 0, 0, load);
}

/**
 * q = *(*p + `offset`), *q = *q + `count`.
 * @throws COEXIST_EINVAL, also where a pointer leads out of the area; nothing changed
 */
export function load_add_load_load_add_store(
  perCpu: PerCpu,
  p: number,
  offset: number,
  count: number,
  shard: number,
  order: Order = 'relaxed',
): Status {
  const { load_add_load_load_add_store: op } = OPERATIONS;
  return section(shardsBehind(perCpu), op, shard, order, p, offset, count, 0, 0);
}

/**
 * If *v is `expect`: *v2 = `value2`, *v = `value`. Only the second store counts: the first may happen without it.
 * @throws COEXIST_EINVAL
 */
export function load_cbne_store_store(
  perCpu: PerCpu,
  v: number,
  expect: number,
  v2: number,
  value2: number,
  value: number,
  shard: number,
  order: Order = 'relaxed',
): Status {
  const shards = shardsBehind(perCpu);
  checkRange(shards, 'v2', v2, 4);
  return section(shards, OPERATIONS.load_cbne_store_store, shard, order, v, expect, value, v2, value2);
}

/**
 * If *v is `expect` and *v2 is `expect2`: *v = `value`.
 * @throws COEXIST_EINVAL
 */
export function load_cbne_load_cbne_store(
  perCpu: PerCpu,
  v: number,
  expect: number,
  v2: number,
  expect2: number,
  value: number,
  shard: number,
  order: Order = 'relaxed',
): Status {
  const shards = shardsBehind(perCpu);
  checkRange(shards, 'v2', v2, 4);
  return section(shards, OPERATIONS.load_cbne_load_cbne_store, shard, order, v, expect, value, v2, expect2);
}

/**
 * If *v is `expect`: copy `length` bytes from `source` to `destination`, *v = `value`. The copy may happen without the store.
 * @throws COEXIST_EINVAL
 */
export function load_cbne_memcpy_store(
  perCpu: PerCpu,
  v: number,
  expect: number,
  destination: number,
  source: number,
  length: number,
  value: number,
  shard: number,
  order: Order = 'relaxed',
): Status {
  const shards = shardsBehind(perCpu);
  if (!Number.isInteger(length) || length < 0) throw invalid('length', length, 'a number of bytes, 0 or more');
  checkRange(shards, 'destination', destination, length);
  checkRange(shards, 'source', source, length);
  const { load_cbne_memcpy_store: op } = OPERATIONS;
  return section(shards, op, shard, order, v, expect, value, destination, source, length);
}
