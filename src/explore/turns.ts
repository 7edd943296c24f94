// Handing the turn from thread to thread: the receiver spins for a while, if there is a core for it, and then sleeps on a futex
// word of its own. A hand-over to a spinning thread takes well under a microsecond, one through the futex ten times that.

import { type Control, CURRENT, MAX_SPINNERS, SLEEPING, SPINNERS, TURN, TURN_STRIDE } from './control.js';

const MOST = 4000;
const LEAST = 16;

export interface Turns {
  give(thread: number): void;
  /** Returns when this thread has been given the turn. */
  take(): void;
}

/** `atomics` is the real one. */
export function createTurns({ c }: Control, self: number, atomics: Atomics): Turns {
  const mine = TURN + self * TURN_STRIDE;
  const sleeping = SLEEPING + self * TURN_STRIDE;
  const maxSpinners = c[MAX_SPINNERS] as number;
  // How long it spins follows how often that was enough.
  let limit = MOST;

  function spin(): boolean {
    if (atomics.add(c, SPINNERS, 1) >= maxSpinners) {
      atomics.sub(c, SPINNERS, 1);
      return false;
    }
    let got = false;
    for (let k = limit; k > 0; k--) {
      if (atomics.load(c, mine) === 1) {
        got = true;
        break;
      }
    }
    atomics.sub(c, SPINNERS, 1);
    limit = got ? Math.min(MOST, limit + 100) : Math.max(LEAST, limit >> 1);
    return got;
  }

  return {
    give(thread) {
      c[CURRENT] = thread;
      atomics.store(c, TURN + thread * TURN_STRIDE, 1);
      // The receiver says that it sleeps before it looks a last time, so one of the two sees the other.
      if (atomics.load(c, SLEEPING + thread * TURN_STRIDE) === 1) atomics.notify(c, TURN + thread * TURN_STRIDE, 1);
    },

    take() {
      if (!spin()) {
        atomics.store(c, sleeping, 1);
        while (atomics.load(c, mine) === 0) atomics.wait(c, mine, 0);
        atomics.store(c, sleeping, 0);
      }
      atomics.store(c, mine, 0);
    },
  };
}
