// The pool of the coexist contract, ABI version 1, written from the contract page alone (clause 57). Numbers in brackets are clauses.

import { identity, liveness, lookup } from './implementation.js';
import { clearDied, D, fail, idOf, limitOf, memoryAt, newToken, releaseWord, run, takeWord } from './owner-words.js';
import { perCpu } from './per-cpu.js';

const POOL = { items: 12, item_bytes: 16, poison: 20, free: 24, fresh: 28, allocated: 32, destroyed: 36 };
const ROW = { allocated_by: 0, freed_by: 8, state: 16, next: 20, dirty: 24 };
const [HEAD_BYTES, ROW_BYTES, HIGH_WATER] = [64, 32, 36];
const [ALLOCATED, FREE, ASIDE] = [1, 2, 3];
const NOT_POISONED = 1;

/** `poison` as it lies in memory; left out, free items are not filled. */
export function pool(name, { item, items, poison = NOT_POISONED, ...options }) {
  const bytes = Math.ceil(item / 8) * 8;
  const shards = perCpu(`${name}:items`, { ...options, bytes: bytes * items, version: 65540 });
  const { m, area } = shards;
  const { offset: at } = lookup(area, { name, kind: 'pool', version: 1, size: HEAD_BYTES + ROW_BYTES * items });
  m.constant(at + POOL.items, items, 'items');
  m.constant(at + POOL.item_bytes, bytes, 'item_bytes');
  m.constant(at + POOL.poison, poison, 'poison');
  const lock = memoryAt(area.memory ?? area.buffer, at);
  const row = (i, field) => at + HEAD_BYTES + ROW_BYTES * i + ROW[field];
  const state = (i) => m.get(row(i, 'state'));
  const by = (i, did) => Atomics.load(m.longs, row(i, did) / 8);
  const first = (i) => shards.at(0) + i * bytes;
  const copies = (i, count) => Array.from({ length: count }, (_, shard) => first(i) + shard * shards.stride);

  function rebuild() {
    let [free, fresh, allocated] = [0, 0, 0];
    for (let i = items - 1; i >= 0; i--) {
      if (state(i) !== 0 && fresh === 0) fresh = i + 1;
      if (state(i) === ALLOCATED) allocated++;
      if (state(i) !== FREE) continue;
      m.set(row(i, 'next'), free);
      free = i + 1;
    }
    m.set(at + POOL.free, free);
    m.set(at + POOL.fresh, fresh);
    m.set(at + POOL.allocated, allocated);
  }

  function locked(act) {
    const cut = idOf(lock.loadLong(0)) === identity();
    const dead = cut ? 0n : run(takeWord(lock, false, limitOf()));
    const token = newToken(lock, false);
    if (cut || dead !== 0n) rebuild();
    if (lock.loadLong(0) & D) clearDied(lock);
    try {
      if (m.get(at + POOL.destroyed) !== 0) fail('EGONE', 'the pool was destroyed');
      return act();
    } finally {
      releaseWord(lock, token);
    }
  }

  function alloc(init) {
    const i = locked(() => {
      const head = m.get(at + POOL.free);
      const index = head === 0 ? m.get(at + POOL.fresh) : head - 1;
      if (index >= items) fail(head === 0 ? 'ENOSPC' : 'EBROKEN', 'no item to give');
      if (state(index) !== (head === 0 ? 0 : FREE)) fail('EBROKEN', 'the first item is not free');
      Atomics.store(m.longs, row(index, 'allocated_by') / 8, identity());
      m.set(row(index, 'state'), ALLOCATED);
      if (head === 0) m.set(at + POOL.fresh, index + 1);
      else m.set(at + POOL.free, m.get(row(index, 'next')));
      m.add(at + POOL.allocated, 1);
      return index;
    });
    for (const copy of copies(i, m.get(row(i, 'dirty')))) {
      for (let k = 0; poison !== NOT_POISONED && k < bytes; k += 4) {
        if (m.get(copy + k) === poison >>> 0) continue;
        locked(() => {
          m.set(row(i, 'state'), ASIDE);
          rebuild();
        });
        fail('EBROKEN', `item ${first(i)} was written at ${copy + k} after ${by(i, 'freed_by')} had freed it`);
      }
      m.bytes.fill(0, copy, copy + bytes);
    }
    if (init !== undefined) {
      m.set(row(i, 'dirty'), shards.count);
      for (const copy of copies(i, shards.count)) m.bytes.set(init, copy);
    }
    return first(i);
  }

  function free(item) {
    const i = (item - shards.at(0)) / bytes;
    if (!Number.isInteger(i) || i < 0 || i >= items) fail('EINVAL', `${item} is no item`);
    if (state(i) !== ALLOCATED) fail('EINVAL', `${item} is not allocated`);
    const reached = shards.index === 'cpu' ? shards.count : Math.min(m.get(HIGH_WATER), m.slot_capacity);
    if (m.get(row(i, 'dirty')) < reached) m.set(row(i, 'dirty'), reached);
    if (poison !== NOT_POISONED)
      for (const copy of copies(i, m.get(row(i, 'dirty')))) m.words.fill(poison | 0, copy / 4, (copy + bytes) / 4);
    locked(() => {
      if (state(i) !== ALLOCATED) fail('EINVAL', `${item} is not allocated`);
      Atomics.store(m.longs, row(i, 'freed_by') / 8, identity());
      m.set(row(i, 'state'), FREE);
      m.set(row(i, 'next'), m.get(at + POOL.free));
      m.set(at + POOL.free, i + 1);
      m.add(at + POOL.allocated, -1);
    });
  }

  const held = () => Array.from({ length: items }, (_, i) => i).filter((i) => state(i) === ALLOCATED);
  return {
    ...shards,
    alloc,
    free,
    allocated: () => held().map((i) => ({ item: first(i), owner: by(i, 'allocated_by') })),
    freeDead: () => {
      const dead = held().filter((i) => liveness(by(i, 'allocated_by')) === 'dead');
      for (const i of dead) free(first(i));
      return dead.length;
    },
  };
}
