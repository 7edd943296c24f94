// The fast paths of locks in JavaScript. A thread can be terminated between any two operations here; the comments say what
// that leaves. `Atomics` is looked up at each call, so that a stepping one can be put in its place.

import {
  CONDVAR,
  COUNT_UNDECIDED,
  HOLDER,
  HOLDER_BYTES,
  HOLDERS_OFFSET,
  MUTEX,
  RWLOCK,
  TOKEN_GUARDED,
  WAITERS,
} from '../abi/sync.js';
import type { Halves } from './bound.js';
import { type LockSteps, UNLOCK_DONE, UNLOCK_LOOK, UNLOCK_TOKEN } from './sync.js';

/** What one look costs here, in looks of the wasm. */
const LOOK = 16;

export interface LockViews {
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
}

export function createLockTwin({ i32, u32, i64 }: LockViews, { low, high }: Halves): LockSteps {
  const self = (BigInt(high) << 32n) | BigInt(low >>> 0);
  const owner = (at: number): number => (at + MUTEX.owner.offset) >>> 3;
  const count = (row: number): number => (row + HOLDER.count.offset) >>> 2;

  function lock(at: number): number {
    if (Atomics.compareExchange(i64, owner(at), 0n, self) !== 0n) return 0;
    const token = (at + MUTEX.token.offset) >>> 2;
    const next = ((i32[token] as number) + 1) & ~TOKEN_GUARDED || 1;
    i32[token] = next;
    return next;
  }

  return {
    lock,

    spin_lock(at, times) {
      for (let left = times; left > 0; left -= LOOK) {
        const token = Atomics.load(i64, owner(at)) === 0n ? lock(at) : 0;
        if (token !== 0) return token;
      }
      return 0;
    },

    unlock(at, token, wake) {
      const held = i32[(at + MUTEX.token.offset) >>> 2] as number;
      if (held !== token && (token !== 0 || held < 0)) return UNLOCK_TOKEN;
      const seen = Atomics.compareExchange(i64, owner(at), self, 0n);
      if (seen === self) return UNLOCK_DONE;
      if (seen !== (self | WAITERS)) return UNLOCK_LOOK;
      Atomics.store(i64, owner(at), 0n);
      // Stopped here: a waiter finds the lock free when its bounded sleep ends.
      Atomics.notify(i32, (at + MUTEX.owner.offset + 4) >>> 2, wake >>> 0);
      return UNLOCK_DONE;
    },

    read_lock(at, row) {
      const readers = i32[count(row)] as number;
      if (readers > 0) {
        i32[count(row)] = readers + 1;
        return 1;
      }
      // Not 1 yet: cut before the look at the owner word, this thread would take itself for a reader.
      Atomics.store(i32, count(row), COUNT_UNDECIDED);
      if (Atomics.load(i64, owner(at)) === 0n) {
        i32[count(row)] = 1;
        return 1;
      }
      Atomics.store(i32, count(row), 0);
      Atomics.notify(i32, count(row));
      return 0;
    },

    read_unlock(at, row) {
      const readers = i32[count(row)] as number;
      if (readers <= 0) return 0;
      if (readers > 1) {
        i32[count(row)] = readers - 1;
        return 1;
      }
      Atomics.store(i32, count(row), 0);
      // Stopped here: the writer looks again when its bounded sleep ends.
      if (Atomics.load(i64, owner(at)) !== 0n) Atomics.notify(i32, count(row));
      return 1;
    },

    next_reader(at, from) {
      const end = Atomics.load(u32, (at + RWLOCK.holders_used.offset) >>> 2);
      for (let k = from; k < end; k++) {
        if (Atomics.load(u32, count(at + HOLDERS_OFFSET + k * HOLDER_BYTES)) !== 0) return k;
      }
      return -1;
    },

    signal(at, wake) {
      const waiters = Atomics.load(u32, (at + CONDVAR.waiters.offset) >>> 2);
      if (waiters === 0) return;
      const wakes = (at + CONDVAR.wakes.offset) >>> 2;
      const pending = (Atomics.load(u32, wakes) - Atomics.load(u32, (at + CONDVAR.taken.offset) >>> 2)) >>> 0;
      // Stopped behind this: a waiter finds the wake when its bounded sleep ends.
      if (pending < waiters) Atomics.add(u32, wakes, Math.min(wake >>> 0, waiters - pending));
      const sequence = (at + CONDVAR.sequence.offset) >>> 2;
      Atomics.add(i32, sequence, 1);
      Atomics.notify(i32, sequence, wake >>> 0);
    },

    spin(at, value, times) {
      for (let left = times; left > 0; left -= LOOK) {
        if (Atomics.load(i32, at >>> 2) !== value) return left;
      }
      return 0;
    },
  };
}
