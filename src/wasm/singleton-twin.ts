// What counting references to a singleton costs, in JavaScript. A thread can be terminated, or cut by a vm timeout, between any two
// operations here: what a dead thread has counted is void, and what one that was cut has counted is held until it ends.
// `Atomics` is looked up at each call, so that a stepping one can be put in its place.

import { SINGLETON, SINGLETON_LIVE, SINGLETON_PHASE_MASK } from '../abi/singleton.js';
import { HOLDER, HOLDER_BYTES, HOLDERS_OFFSET } from '../abi/sync.js';
import type { SingletonSteps } from './singleton.js';
import type { LockViews } from './sync-twin.js';

export function createSingletonTwin({ i32, u32, i64 }: LockViews): SingletonSteps {
  return {
    get(at, row) {
      const state = (at + SINGLETON.state.offset) >>> 2;
      const count = (row + HOLDER.count.offset) >>> 2;
      const phase = (row + HOLDER.phase.offset) >>> 2;
      const word = Atomics.load(i32, state);
      if ((word & SINGLETON_PHASE_MASK) !== SINGLETON_LIVE) return 0;
      const held = i32[count] as number;
      if (i32[phase] === word && held !== 0) {
        if (held === -1) return 0;
        i32[count] = held + 1;
        return Atomics.load(i32, state) === word ? word : -1;
      }
      Atomics.store(i32, count, 0);
      Atomics.store(i32, phase, word);
      // Then the state: whoever leaves LIVE looks at the rows after that, so one of the two sees the other.
      Atomics.store(i32, count, 1);
      return Atomics.load(i32, state) === word ? word : -1;
    },

    next_counted(at, word, from) {
      const end = Atomics.load(u32, (at + SINGLETON.holders_used.offset) >>> 2);
      for (let k = from; k < end; k++) {
        const row = at + HOLDERS_OFFSET + k * HOLDER_BYTES;
        if (Atomics.load(i64, (row + HOLDER.identity.offset) >>> 3) <= 0n) continue;
        const phase = Atomics.load(i32, (row + HOLDER.phase.offset) >>> 2);
        const count = Atomics.load(i32, (row + HOLDER.count.offset) >>> 2);
        if ((phase === word && count !== 0) || (phase < 0 && count === word)) return k;
      }
      return -1;
    },
  };
}
