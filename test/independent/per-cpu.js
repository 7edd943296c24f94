// Per-CPU data of the coexist contract, ABI version 1, written from the contract page alone (clauses 53 to 57): sections and their fence,
// objects, operations, lists, buffers and pools. Numbers in brackets are clauses of that page. `Atomics` only, no wasm code.

import { availableParallelism } from 'node:os';
import { identity, liveness, lookup, open, register } from './implementation.js';
import { clearDied, D, fail, idOf, limitOf, memoryAt, newToken, releaseWord, run, takeWord } from './owner-words.js';

export const DONE = 0;
export const COMPARE_FAILED = 1;
export const ABORTED = -1;

const WORD_MS = 50; // [55]
const LOOK_MS = 50; // [53]
const WORD_BYTES = 16; // [54] the CPU's word, a mutex
const HEAD_BYTES = 64;
const VERSIONS = { list: 65538, buffer: 65539, items: 65540 }; // [56]
const header = {
  slot_offset: 24,
  slot_stride: 28,
  slot_capacity: 32,
  high_water: 36,
  block_offset: 40,
  block_stride: 44,
};
const slot = { cpu_id: 4, rseq_cs: 8, owner: 32 };

/** 32-bit words at byte offsets from the beginning of an area, and what the header says. */
function accessTo(area) {
  const words = new Int32Array(area.buffer);
  const longs = new BigInt64Array(area.buffer);
  const get = (at) => Atomics.load(words, at / 4) >>> 0;
  const geometry = Object.fromEntries(Object.entries(header).map(([name, at]) => [name, get(at)]));
  return {
    words,
    longs,
    bytes: new Uint8Array(area.buffer),
    get,
    ...geometry,
    set: (at, value) => Atomics.store(words, at / 4, value | 0),
    add: (at, n) => Atomics.add(words, at / 4, n | 0),
    cas: (at, from, to) => Atomics.compareExchange(words, at / 4, from | 0, to | 0) === (from | 0),
    slotAt: (i, field) => geometry.slot_offset + i * geometry.slot_stride + field,
    /** [44] */
    constant(at, value, name) {
      const found = Atomics.compareExchange(words, at / 4, 0, value | 0) >>> 0;
      if (found !== 0 && found !== value >>> 0) fail('EKIND', `${name} is ${found}, not ${value}`);
    },
  };
}

/** [54] An object with a shard for each CPU, or for each slot. It holds a registration. */
function shardsOf(name, { bytes, version = 1, index = 'cpu', area: given }) {
  const area = given.inspect ? given : open(given);
  const m = accessTo(area);
  let at;
  if (index === 'cpu') {
    const cpus = lookup(area, { name: 'coexist.cpus', kind: 'cpus', version: 1, size: 4 }).offset;
    m.cas(cpus, 0, Math.min(Math.max(availableParallelism(), 1), 4096));
    const count = m.get(cpus);
    const stride = Math.ceil((WORD_BYTES + bytes) / 64) * 64;
    const { offset } = lookup(area, { name, kind: 'percpu', version, size: HEAD_BYTES + count * stride });
    m.constant(offset, count, `${name}: shards`);
    m.constant(offset + 4, stride, `${name}: stride`);
    at = { count, stride, first: offset + HEAD_BYTES + WORD_BYTES };
  } else {
    const { offset } = lookup(area, { name, kind: 'key', version, size: bytes });
    at = { count: m.slot_capacity, stride: m.block_stride, first: m.block_offset + offset };
  }
  const registration = register({ area });
  const { slot: own } = registration;
  return {
    ...at,
    m,
    area,
    index,
    own,
    at: (shard) => at.first + shard * at.stride,
    start: () => (index === 'slot' ? own : m.get(m.slotAt(own, slot.cpu_id)) % at.count),
    dispose: () => registration.unregister(),
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Sections [53] and operations [55]

// What a thread announces differs from its section before, whoever else announces for the same thread.
let sections = BigInt(Math.floor(Math.random() * 2 ** 31)) << 24n;
const announcement = (operation) => BigInt.asIntN(64, (++sections << 8n) | BigInt(operation));

/** [55] Holds a CPU's word; gives the way to leave it, or undefined where another kept it too long. */
function hold({ area }, word) {
  const m = memoryAt(area.memory ?? area.buffer, word);
  if (idOf(m.loadLong(0)) !== identity()) {
    try {
      run(takeWord(m, false, limitOf({ timeout: WORD_MS })));
    } catch (error) {
      if (error.code !== 'COEXIST_ETIMEDOUT') throw error;
      return undefined;
    }
  } // else it was cut inside, and goes on
  const token = newToken(m, false);
  if (m.loadLong(0) & D) clearDied(m);
  return () => releaseWord(m, token);
}

function section(shards, operation, shard, steps) {
  const { m, index, own } = shards;
  if (shard !== shards.start()) return ABORTED;
  const cs = m.slotAt(own, slot.rseq_cs) / 8;
  const byCpu = index === 'cpu';
  const leave = byCpu && operation !== 4 ? hold(shards, shards.at(shard) - WORD_BYTES) : () => {};
  if (leave === undefined) return ABORTED;
  Atomics.store(m.longs, cs, announcement(operation));
  // By CPU a CAS from the value read, by slot a store.
  const commit = (at, from, to) => (byCpu ? m.cas(at, from, to) : m.set(at, to) === (to | 0));
  let result;
  try {
    result = steps(commit, byCpu);
  } finally {
    Atomics.store(m.longs, cs, 0n);
    leave();
  }
  return result;
}

/** The operations of [55] on an object's shards, by librseq's names. */
function operationsOn(shards) {
  const { m, index } = shards;
  const elsewhere = (shard) => shard !== shards.start();
  const pointer = (at) => {
    if (at === 0 || at % 4 !== 0 || at > shards.area.buffer.byteLength - 4) fail('EINVAL', `${at} leads nowhere`);
    return at;
  };
  const is = (at, value) => m.get(at) === value >>> 0;
  return {
    load_cbne_store(v, expect, value, shard) {
      if (elsewhere(shard)) return ABORTED;
      if (index === 'cpu') return m.cas(v, expect, value) ? DONE : COMPARE_FAILED;
      if (!is(v, expect)) return COMPARE_FAILED;
      m.set(v, value);
      return DONE;
    },
    load_add_store(v, count, shard) {
      if (elsewhere(shard)) return ABORTED;
      if (index === 'cpu') m.add(v, count);
      else m.set(v, m.get(v) + count);
      return DONE;
    },
    load_cbeq_store_add_load_store: (v, expectnot, offset, load, shard) =>
      section(shards, 3, shard, (commit) => {
        const head = m.get(v);
        if (head === expectnot >>> 0) return COMPARE_FAILED;
        if (!commit(v, head, m.get(pointer(pointer(head) + offset)))) return ABORTED;
        load[0] = head;
        return DONE;
      }),
    load_add_load_load_add_store: (p, offset, count, shard) =>
      section(shards, 4, shard, (_, byCpu) => {
        const q = pointer(m.get(pointer(pointer(m.get(p)) + offset)));
        if (byCpu) m.add(q, count);
        else m.set(q, m.get(q) + count);
        return DONE;
      }),
    load_cbne_store_store: (v, expect, v2, value2, value, shard) =>
      section(shards, 5, shard, (commit) => {
        if (!is(v, expect)) return COMPARE_FAILED;
        m.set(v2, value2);
        return commit(v, expect, value) ? DONE : ABORTED;
      }),
    load_cbne_load_cbne_store: (v, expect, v2, expect2, value, shard) =>
      section(shards, 6, shard, (commit) => {
        if (!is(v, expect) || !is(v2, expect2)) return COMPARE_FAILED;
        return commit(v, expect, value) ? DONE : ABORTED;
      }),
    load_cbne_memcpy_store: (v, expect, destination, source, length, value, shard) =>
      section(shards, 7, shard, (commit) => {
        if (!is(v, expect)) return COMPARE_FAILED;
        m.bytes.copyWithin(destination, source, source + length);
        return commit(v, expect, value) ? DONE : ABORTED;
      }),
  };
}

export function perCpu(name, options) {
  const shards = shardsOf(name, options);
  return { ...shards, ops: operationsOn(shards) };
}

/** [53] Returns when no section that has begun in another thread can still commit. */
export function fence(given, options) {
  const area = given.inspect ? given : open(given);
  const m = accessTo(area);
  const limit = limitOf(options);
  const me = identity();
  for (let i = 0, end = Math.min(m.get(header.high_water), m.slot_capacity); i < end; i++) {
    const owner = Atomics.load(m.longs, m.slotAt(i, slot.owner) / 8);
    const announced = Atomics.load(m.longs, m.slotAt(i, slot.rseq_cs) / 8);
    if (owner <= 0n || owner === me || announced === 0n) continue;
    const over = () =>
      Atomics.load(m.longs, m.slotAt(i, slot.rseq_cs) / 8) !== announced ||
      Atomics.load(m.longs, m.slotAt(i, slot.owner) / 8) !== owner;
    while (!over() && liveness(owner) !== 'dead') {
      limit.check();
      const low = m.slotAt(i, slot.rseq_cs) / 4;
      Atomics.wait(m.words, low, Number(BigInt.asIntN(32, announced)), Math.min(LOOK_MS, limit.left()));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Structures [56]

/** Operates on the thread's shard until it was not aborted. */
function onShard(shards, operate) {
  for (;;) {
    const shard = shards.start();
    const status = operate(shard, shards.at(shard));
    if (status !== ABORTED) return status;
  }
}

export function list(name, { next = 0, ...options }) {
  const shards = shardsOf(name, { ...options, bytes: 4, version: VERSIONS.list });
  const ops = operationsOn(shards);
  const { m } = shards;
  return {
    ...shards,
    push: (node) =>
      onShard(shards, (shard, head) => {
        const first = m.get(head);
        m.set(node + next, first);
        const status = ops.load_cbne_store(head, first, node, shard);
        return status === DONE ? DONE : ABORTED;
      }),
    pop() {
      const load = [0];
      const status = onShard(shards, (shard, head) => ops.load_cbeq_store_add_load_store(head, 0, next, load, shard));
      return status === DONE ? load[0] : 0;
    },
    *nodes(shard) {
      for (let node = m.get(shards.at(shard)); node !== 0; node = m.get(node + next)) yield node;
    },
  };
}

export function buffer(name, { capacity, ...options }) {
  const shards = shardsOf(name, { ...options, bytes: 8 + 4 * capacity, version: VERSIONS.buffer });
  const ops = operationsOn(shards);
  const { m, index } = shards;
  const entry = (v, k) => v + 8 + 4 * k;
  const shardsHere = index === 'cpu' ? Array.from({ length: shards.count }, (_, k) => k) : [shards.own];
  for (const shard of shardsHere) m.constant(shards.at(shard) + 4, capacity, `${name}: capacity`);
  const again = (status) => (status === COMPARE_FAILED ? ABORTED : status);
  return {
    ...shards,
    push: (value) =>
      onShard(shards, (shard, v) => {
        const used = m.get(v);
        if (used >= capacity) return COMPARE_FAILED;
        return again(ops.load_cbne_store_store(v, used, entry(v, used), value, used + 1, shard));
      }) === DONE,
    pop() {
      let value;
      const status = onShard(shards, (shard, v) => {
        const used = m.get(v);
        if (used === 0) return COMPARE_FAILED;
        value = m.get(entry(v, used - 1));
        return again(ops.load_cbne_load_cbne_store(v, used, entry(v, used - 1), value, used - 1, shard));
      });
      return status === DONE ? value : undefined;
    },
    entries: (shard) => Array.from({ length: m.get(shards.at(shard)) }, (_, k) => m.get(entry(shards.at(shard), k))),
  };
}
