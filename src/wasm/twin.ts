// The transitions in JavaScript, for where wasm is off. A thread can be terminated, or cut by a vm timeout, between any
// two Atomics operations here; the comments say what that leaves and who repairs it. test/kill stops at every one.
// `Atomics` is looked up at each call, so that tests can put a stepping one in its place.

import { ENTRY, ENTRY_CREATING, ENTRY_FREE, ENTRY_READY, NAME_BYTES, RANGE_ALIGN } from '../abi/directory.js';
import { endOf, word } from '../abi/field.js';
import { HEADER } from '../abi/header.js';
import { CPU_ID_UNINITIALIZED, REFCOUNT_MAX, SLOT } from '../abi/slot.js';
import type { Views } from '../abi/views.js';
import type { Transitions } from './transitions.js';

const NAME_WORDS = NAME_BYTES / 4;
const PERSISTENT = new Set([
  SLOT.owner.offset,
  SLOT.owner.offset + 4,
  SLOT.generation.offset,
  SLOT.registered_total.offset,
]);

export function createTwin({ i32, u32, i64, u8 }: Views): Transitions {
  const header = (name: keyof typeof HEADER): number => Atomics.load(u32, word(HEADER[name]));
  const featureSize = header('feature_size');
  const slotOffset = header('slot_offset');
  const slotStride = header('slot_stride');
  const capacity = header('slot_capacity');
  const hasHint = header('header_feature_size') >= endOf(HEADER.slot_hint);
  const hasThreadId = featureSize >= endOf(SLOT.thread_id);
  const HIGH_WATER = word(HEADER.slot_high_water);
  const HINT = word(HEADER.slot_hint);

  const slotAt = (i: number): number => slotOffset + i * slotStride;
  const identity = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);
  // Never beyond the table, whatever somebody wrote there.
  const highWater = (): number => Math.min(Atomics.load(u32, HIGH_WATER), capacity);
  const ownerIndex = (at: number): number => (at + SLOT.owner.offset) >>> 3;
  // Two 32-bit loads cost half of one BigInt load. Only a hint for a CAS: the halves may belong to two owners.
  const looksFree = (at: number): boolean => {
    const low = (at + SLOT.owner.offset) >>> 2;
    return Atomics.load(i32, low) === 0 && Atomics.load(i32, low + 1) === 0;
  };

  function reset(at: number, i: number): void {
    let k = 0;
    for (; k + 4 <= featureSize; k += 4) {
      if (!PERSISTENT.has(k)) Atomics.store(i32, (at + k) >>> 2, 0);
    }
    for (; k < featureSize; k++) Atomics.store(u8, at + k, 0);
    Atomics.store(i32, (at + SLOT.cpu_id.offset) >>> 2, CPU_ID_UNINITIALIZED);
    Atomics.store(i32, (at + SLOT.mm_cid.offset) >>> 2, i);
    if (hasThreadId) Atomics.store(i32, (at + SLOT.thread_id.offset) >>> 2, -1);
  }

  function lowerHint(i: number): void {
    if (!hasHint) return;
    for (;;) {
      const hint = Atomics.load(u32, HINT);
      // Stopped before the CAS: the hint stays high until the next who frees, or the next full scan, finds the slot.
      if (hint <= i || Atomics.compareExchange(u32, HINT, hint, i) === hint) return;
    }
  }

  function raiseHint(from: number, i: number): void {
    if (!hasHint || Atomics.compareExchange(u32, HINT, from, i + 1) !== from) return;
    // Whoever freed a skipped slot before the CAS lowered a hint that was low already: look again.
    for (let k = from; k < i; k++) {
      if (looksFree(slotAt(k))) {
        lowerHint(k);
        return;
      }
    }
  }

  function prepare(at: number, i: number, id: bigint, threadId: number): boolean {
    // Stopped anywhere here: the owner is -id, which the same thread finds as a leftover and others reclaim.
    reset(at, i);
    const generation = (at + SLOT.generation.offset) >>> 2;
    Atomics.store(u32, generation, (Atomics.load(u32, generation) + 1) >>> 0 || 1);
    if (hasThreadId) Atomics.store(i32, (at + SLOT.thread_id.offset) >>> 2, threadId);
    return Atomics.compareExchange(i64, ownerIndex(at), -id, id) === -id;
  }

  function leftover(id: bigint, from: number): number {
    const end = highWater();
    for (let i = from; i < end; i++) {
      const owner = Atomics.load(i64, ownerIndex(slotAt(i)));
      if (owner === id || owner === -id) return i;
    }
    return -1;
  }

  function claimBetween(from: number, to: number, hint: number, id: bigint, threadId: number): number {
    for (let i = from; i < to; i++) {
      const at = slotAt(i);
      if (!looksFree(at)) continue;
      // High water first: a claimed slot is never above it. Stopped in between: it is one too high, which only costs a look.
      for (;;) {
        const water = Atomics.load(u32, HIGH_WATER);
        if (water > i || Atomics.compareExchange(u32, HIGH_WATER, water, i + 1) === water) break;
      }
      if (Atomics.compareExchange(i64, ownerIndex(at), 0n, -id) !== 0n) continue;
      if (!prepare(at, i, id, threadId)) continue;
      if (i >= hint) raiseHint(hint, i);
      return i;
    }
    return -1;
  }

  function release(at: number, i: number, low: number, high: number): number {
    const owner = identity(low, high);
    if (Atomics.compareExchange(i64, ownerIndex(at), owner, 0n) !== owner) return 0;
    lowerHint(i);
    return 1;
  }

  return {
    claim(low, high, threadId, leftovers) {
      const id = identity(low, high);
      if (leftovers !== 0) {
        const i = leftover(id, 0);
        if (i >= 0) {
          const at = slotAt(i);
          Atomics.store(i64, ownerIndex(at), -id);
          if (prepare(at, i, id, threadId)) return i;
        }
      }
      const hint = hasHint ? Math.min(Atomics.load(u32, HINT), capacity) : 0;
      const i = claimBetween(hint, capacity, hint, id, threadId);
      return i >= 0 ? i : claimBetween(0, hint, hint, id, threadId);
    },

    first(at, cpu, count) {
      // Stopped before the CAS: claimed, not registered. The next registration of this thread starts here again.
      Atomics.store(u32, (at + SLOT.refcount.offset) >>> 2, count);
      Atomics.store(i32, (at + SLOT.cpu_id_start.offset) >>> 2, cpu);
      const cpuId = (at + SLOT.cpu_id.offset) >>> 2;
      return Atomics.compareExchange(i32, cpuId, CPU_ID_UNINITIALIZED, cpu) === CPU_ID_UNINITIALIZED ? 1 : 0;
    },

    up(at) {
      const refcount = (at + SLOT.refcount.offset) >>> 2;
      for (;;) {
        const count = Atomics.load(u32, refcount);
        if (count === REFCOUNT_MAX) return 0;
        if (Atomics.compareExchange(u32, refcount, count, count + 1) === count) return 1;
      }
    },

    down(at) {
      const refcount = (at + SLOT.refcount.offset) >>> 2;
      for (;;) {
        const count = Atomics.load(u32, refcount);
        if (count <= 1) return 0;
        if (Atomics.compareExchange(u32, refcount, count, count - 1) === count) return 1;
      }
    },

    last(at, i, low, high, anchor) {
      // cpu_id first: refcount 0 under a cpu_id >= 0 would read as a permanent owner.
      Atomics.store(i32, (at + SLOT.cpu_id.offset) >>> 2, CPU_ID_UNINITIALIZED);
      Atomics.store(i32, (at + SLOT.cpu_id_start.offset) >>> 2, 0);
      Atomics.store(u32, (at + SLOT.refcount.offset) >>> 2, 0);
      anchor[0] = -1;
      // Stopped here: the owner is still this thread and no anchor names it: a leftover.
      release(at, i, low, high);
    },

    release,

    drop_leftovers(low, high) {
      const id = identity(low, high);
      for (let i = leftover(id, 0); i >= 0; i = leftover(id, i + 1)) {
        Atomics.store(i64, ownerIndex(slotAt(i)), 0n);
        lowerHint(i);
      }
    },

    create_entry(at, wasLow, wasHigh, low, high, kind, version, size, flags, used, base, limit, length, ...name) {
      const creator = (at + ENTRY.creator.offset) >>> 3;
      const state = (at + ENTRY.state.offset) >>> 2;
      const was = identity(wasLow, wasHigh);
      // Stopped anywhere behind this CAS: an unfinished entry, which its own thread, or anyone once it is dead, takes over.
      if (Atomics.compareExchange(i64, creator, was, identity(low, high)) !== was) return 0;
      Atomics.store(i32, state, ENTRY_CREATING);
      let offset = 0;
      if (used !== 0) {
        const rounded = Math.ceil(size / RANGE_ALIGN) * RANGE_ALIGN;
        for (;;) {
          const taken = Atomics.load(u32, used >>> 2);
          if (rounded > limit - taken) {
            Atomics.store(i32, state, ENTRY_FREE);
            Atomics.store(i64, creator, 0n);
            Atomics.notify(i32, state);
            return 2;
          }
          if (Atomics.compareExchange(u32, used >>> 2, taken, taken + rounded) === taken) {
            offset = base + taken;
            break;
          }
        }
      }
      const put = (field: { offset: number }, value: number): void => {
        Atomics.store(i32, (at + field.offset) >>> 2, value);
      };
      put(ENTRY.kind, kind);
      put(ENTRY.version, version);
      put(ENTRY.size, size);
      put(ENTRY.offset, offset);
      put(ENTRY.flags, flags);
      put(ENTRY.name_length, length);
      for (let k = 0; k < NAME_WORDS; k++) Atomics.store(i32, ((at + ENTRY.name.offset) >>> 2) + k, name[k] ?? 0);
      Atomics.store(i32, state, ENTRY_READY);
      Atomics.notify(i32, state);
      return 1;
    },

    sum(offset) {
      const end = highWater();
      const stride = header('block_stride');
      let at = header('block_offset') + offset;
      let sum = 0n;
      for (let i = 0; i < end; i++, at += stride) sum += Atomics.load(i64, at >>> 3);
      return BigInt.asIntN(64, sum);
    },
  };
}
