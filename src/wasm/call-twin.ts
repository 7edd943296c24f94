// The hot steps of a call in JavaScript. A thread can be terminated, or cut by a vm timeout, between any two operations here; the
// comments say what that leaves. `Atomics` is looked up at each call, so that a stepping one can be put in its place.

import {
  BELL_ASLEEP,
  BELL_AWAKE,
  CELL,
  CHANNEL,
  CHANNEL_CELLS_OFFSET,
  PHASE_GONE,
  PHASE_MASK,
  PHASE_REQUEST,
  TICKET_SHIFT,
} from '../abi/call.js';
import type { Views } from '../abi/views.js';
import type { Halves } from './bound.js';
import { type CallSteps, CLAIM_NONE, CLAIM_OVER, LEFT_GIVEN_UP, LEFT_NOTHING, LEFT_RUNG } from './call.js';

/** What one look costs here, in looks of the wasm. */
const LOOK = 16;

export function createCallTwin(
  { i32, i64 }: Pick<Views, 'i32' | 'i64'>,
  { low, high }: Halves,
  bells: number,
  stride: number,
): CallSteps {
  const self = (BigInt(high) << 32n) | BigInt(low >>> 0);
  const word = (at: number, field: { readonly offset: number }): number => (at + field.offset) >>> 2;
  const callerOf = (cell: number): number => (cell + CELL.caller.offset) >>> 3;

  const open = (at: number, epoch: number): boolean =>
    Atomics.load(i32, word(at, CHANNEL.epoch)) === (epoch | 0) &&
    Atomics.load(i64, (at + CHANNEL.server.offset) >>> 3) !== 0n;

  function ring(bell: number): void {
    if (Atomics.load(i32, bell >>> 2) !== BELL_ASLEEP) return;
    Atomics.compareExchange(i32, bell >>> 2, BELL_ASLEEP, BELL_AWAKE);
    // Stopped here: whoever waits for what the sleeper does wakes it after 50 ms.
    Atomics.notify(i32, bell >>> 2);
  }

  function freed(at: number): void {
    if (Atomics.load(i32, word(at, CHANNEL.waiters)) === 0) return;
    Atomics.store(i32, word(at, CHANNEL.waiters), 0);
    // Stopped here: who waits for a cell looks again after 50 ms.
    Atomics.add(i32, word(at, CHANNEL.freed), 1);
    Atomics.notify(i32, word(at, CHANNEL.freed));
  }

  function leave(cell: number, taken: number, phase: number): number {
    const state = word(cell, CELL.state);
    if (Atomics.compareExchange(i32, state, taken, (taken & ~PHASE_MASK) | phase) !== taken) return LEFT_NOTHING;
    // Stopped here: a caller that waits finds the reply after 50 ms; one that gave up finds the phase left, and frees the cell.
    if (Atomics.load(i64, callerOf(cell)) < 0n) return LEFT_GIVEN_UP;
    ring(bells + Atomics.load(i32, word(cell, CELL.slot)) * stride);
    return LEFT_RUNG;
  }

  return {
    ring,
    freed,
    leave,

    claim(at, cells, bytes, hint, epoch) {
      if (!open(at, epoch)) return CLAIM_OVER;
      for (let left = cells, k = hint; left > 0; left--, k = k + 1 === cells ? 0 : k + 1) {
        const cell = at + CHANNEL_CELLS_OFFSET + k * bytes;
        if (Atomics.load(i64, callerOf(cell)) !== 0n) continue;
        if (Atomics.compareExchange(i64, callerOf(cell), 0n, self) !== 0n) continue;
        // Stopped here: the cell is this thread's until that ends; what is late for its last call finds it left.
        const state = word(cell, CELL.state);
        Atomics.store(i32, state, (Atomics.load(i32, state) + (1 << TICKET_SHIFT)) & ~PHASE_MASK);
        return k;
      }
      return CLAIM_NONE;
    },

    post(at, cell, k, epoch, method, slot, port, bell) {
      i32[word(cell, CELL.epoch)] = epoch;
      i32[word(cell, CELL.method)] = method;
      i32[word(cell, CELL.slot)] = slot;
      i32[word(cell, CELL.port)] = port;
      const state = word(cell, CELL.state);
      Atomics.store(i32, state, (Atomics.load(i32, state) & ~PHASE_MASK) | PHASE_REQUEST);
      // Stopped here: nobody sees the request, and whoever claims the dead caller's cell takes it back.
      Atomics.or(i32, word(at, CHANNEL.ready), 1 << k);
      ring(bell);
      return open(at, epoch) ? 1 : 0;
    },

    spin(at, request, times) {
      for (let left = times; left > 0; left -= LOOK) {
        if ((Atomics.load(i32, at >>> 2) - request) >>> 0 > 1) return left;
      }
      return 0;
    },

    free(at, cell) {
      Atomics.store(i64, callerOf(cell), 0n);
      freed(at);
    },

    ready(at) {
      if (Atomics.load(i32, word(at, CHANNEL.ready)) === 0) return 0;
      // Stopped behind this, in a thread that goes on: the callers set their bits again after 50 ms.
      return Atomics.exchange(i32, word(at, CHANNEL.ready), 0);
    },

    spin_ready(at, times) {
      for (let left = times; left > 0; left -= LOOK) {
        if (Atomics.load(i32, word(at, CHANNEL.ready)) !== 0) return left;
      }
      return 0;
    },

    take(cell, epoch) {
      const state = word(cell, CELL.state);
      const seen = Atomics.load(i32, state);
      if ((seen & PHASE_MASK) !== PHASE_REQUEST) return 0;
      // Before the exchange: behind it, a caller whose epoch is over may leave the cell to the next one.
      const of = Atomics.load(i32, word(cell, CELL.epoch));
      const taken = seen + 1;
      if (Atomics.compareExchange(i32, state, seen, taken) !== seen) return 0;
      if (of === (epoch | 0)) return taken;
      leave(cell, taken, PHASE_GONE);
      return 0;
    },
  };
}
