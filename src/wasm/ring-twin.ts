// What a ring's writer does, in JavaScript. A thread can be terminated, or cut by a vm timeout, between any two operations here; the
// comments say what that leaves. `Atomics` is looked up at each call, so that a stepping one can be put in its place.

import { RECORD, RECORD_PAD, RING, RING_BYTES, recordSize } from '../abi/ring.js';
import type { Views } from '../abi/views.js';
import type { RingSteps } from './ring.js';

export function createRingTwin({ u32, i64 }: Pick<Views, 'u32' | 'i64'>): RingSteps {
  const headOf = (at: number): number => (at + RING.head.offset) >>> 3;
  const tailOf = (at: number): number => (at + RING.tail.offset) >>> 3;
  const attemptedOf = (at: number): number => (at + RING.attempted.offset) >>> 3;

  return {
    head: (at) => Number(Atomics.load(i64, headOf(at))),

    make_room(at, capacity, need) {
      // Its own word.
      const tail = i64[tailOf(at)] as bigint;
      for (;;) {
        const head = Atomics.load(i64, headOf(at));
        if (BigInt.asUintN(64, tail + BigInt(need) - head) <= BigInt(capacity)) return Number(head);
        const place = Number(head & BigInt(capacity - 1));
        const length = u32[(at + RING_BYTES + place) >>> 2] as number;
        const next = head + BigInt(length === RECORD_PAD ? capacity - place : sizeOf(length));
        // A next one beyond tail: no such record can be, so everything goes. Stopped behind the CAS: a record less is pending.
        Atomics.compareExchange(i64, headOf(at), head, next <= tail ? next : tail);
      }
    },

    commit(at, record, length, generation, bytes) {
      const attempted = Atomics.load(i64, attemptedOf(at));
      u32[(record + RECORD.length.offset) >>> 2] = length;
      u32[(record + RECORD.generation.offset) >>> 2] = generation;
      i64[(record + RECORD.sequence.offset) >>> 3] = attempted;
      Atomics.store(i64, attemptedOf(at), attempted + 1n);
      // Stopped here: an attempt that counts as dropped; the next one overwrites its bytes.
      Atomics.store(i64, tailOf(at), (i64[tailOf(at)] as bigint) + BigInt(bytes));
    },

    drop(at) {
      Atomics.add(i64, attemptedOf(at), 1n);
    },

    next_pending(at, stride, from, end) {
      for (let k = from; k < end; k++) {
        const ring = at + k * stride;
        if (Atomics.load(i64, headOf(ring)) !== Atomics.load(i64, tailOf(ring))) return k;
      }
      return -1;
    },
  };
}

/** Also of a length that cannot be, without overflow. */
const sizeOf = (length: number): number => (length > 0x7fffffff - 32 ? length : recordSize(length));
