// Threads that spin. Who looks at a word for the third time with no write by anybody in between, or calls Atomics.pause, can do
// nothing useful now: to switch away costs nothing, and it runs again when somebody has written. It may also stay, once
// between two writes: then it looks on until it stops by itself, or for so long that it counts as endless.

import { type Choices, UNWOUND } from './choices.js';
import * as K from './control.js';
import { COMPARE_EXCHANGE, LOAD, PAUSE } from './operations.js';
import type { Search } from './search.js';

export interface Spinning {
  /** Called at every operation: whether it spins. */
  notice(operation: number, address: number): boolean;
  /** Where it spins: whether it goes on. */
  decide(): void;
  reset(): void;
}

export interface SpinningParts {
  readonly control: K.Control;
  readonly self: number;
  readonly search: Search;
  readonly choices: Choices;
  /** Gives the turn to a thread, and returns when it has come back. */
  readonly hand: (thread: number) => void;
  /** Gives the turn to whoever can run. */
  readonly leave: () => void;
}

export function createSpinning({ control, self, search, choices, hand, leave }: SpinningParts): Spinning {
  const { c, f } = control;
  // What was read last, and how often since the last write by anybody.
  let lastOperation = -1;
  let lastAddress = -1;
  let lastWrites = -1;
  let repeats = 0;
  // How often it has spun since then, and whether it chose to go on.
  let spun = 0;
  let spunWrites = -1;
  let stays = false;

  function prune(): never {
    c[K.PRUNE] = 1;
    c[K.PHASE] = K.UNWIND;
    throw UNWOUND;
  }

  // Whoever can run spins: time passes, and they take turns.
  function idle(): void {
    spun = 0;
    if (!choices.passTime()) f[K.F_CLOCK]! += 1;
    let found = false;
    for (let k = 0; k < (c[K.THREADS] as number); k++) {
      if (k === self || c[K.YIELDED + k] === 0) continue;
      c[K.YIELDED + k] = 0;
      found = true;
    }
    if (!found) return;
    c[K.YIELDED + self] = 1;
    leave();
  }

  return {
    notice(operation, address) {
      if (operation === PAUSE) return true;
      const writes = c[K.WRITES] as number;
      if (writes === lastWrites && operation === lastOperation && address === lastAddress) repeats++;
      else repeats = 0;
      lastWrites = writes;
      lastOperation = operation;
      lastAddress = address;
      return repeats >= 2 && (operation === LOAD || operation === COMPARE_EXCHANGE);
    },

    decide() {
      if (spunWrites !== c[K.WRITES]) {
        spunWrites = c[K.WRITES] as number;
        spun = 0;
        stays = false;
      }
      const endless = ++spun > (c[K.SPIN_LIMIT] as number);
      if (stays) {
        // It stayed by choice, and for ever: nothing that the schedules in which it did not stay lack.
        if (endless) prune();
        return;
      }
      const count = choices.others(0);
      if (count === 0) {
        if (endless) idle();
        return;
      }
      search.demote(self);
      c[K.SCRATCH + count] = self;
      const chosen = c[K.SCRATCH + choices.decide(K.YIELD, count + 1)] as number;
      if (chosen === self) {
        stays = true;
        return;
      }
      c[K.YIELDED + self] = 1;
      choices.event(`T${self} spins`);
      choices.give(chosen);
      hand(chosen);
    },

    reset() {
      lastOperation = -1;
      spunWrites = -1;
    },
  };
}
