// How long to look before sleeping. Waking a sleeper costs a system call on one side and up to a tenth of a millisecond on the
// other; looking first saves both where the other thread runs on another core and is quick, and is wasted where not. So it goes on
// while it pays: some failures in a row end it, and it is tried again ever more rarely until it succeeds.

import type { LockSteps } from '../wasm/sync.js';

/** Looks (about half a ns each in wasm) before a sleep. A tool that explores schedules sets them to 0. */
export const SPIN = {
  /** Locks: a critical section that lasts longer than about a microsecond is worth a sleep. */
  lock: 2000,
  /** Waits for an event: as long as a wake-up across cores takes, so that one side that looks can draw the other back to it. */
  event: 200_000,
};

/** So many failures in a row end the looking. */
const PATIENCE = 6;
/** Waits until the first and, at most, the next attempt; doubled at each failure. */
const FIRST_PAUSE = 32;
const LONGEST_PAUSE = 2048;

export class Spinner {
  readonly #kind: keyof typeof SPIN;
  #failures = 0;
  #pause = FIRST_PAUSE;
  #skip = 0;

  constructor(kind: keyof typeof SPIN) {
    this.#kind = kind;
  }

  /** Looks at a word for a while; true once it is no longer this value. */
  look(steps: Pick<LockSteps, 'spin'>, at: number, value: number): boolean {
    if (!this.#worth()) return false;
    const times = SPIN[this.#kind];
    const left = steps.spin(at, value, times);
    // Seen at the first look: that would have been seen without looking on, and says nothing about what that is worth. Where both threads
    // share a core it is how every success comes about.
    if (left === times && left > 0) return true;
    return this.#paid(left > 0);
  }

  /** Tries to take a lock for a while; its token, or 0. */
  lock(steps: LockSteps, at: number): number {
    if (!this.#worth()) return 0;
    const token = steps.spin_lock(at, SPIN[this.#kind]);
    this.#paid(token !== 0);
    return token;
  }

  #worth(): boolean {
    if (this.#skip === 0) return true;
    this.#skip--;
    return false;
  }

  #paid(success: boolean): boolean {
    if (success) {
      this.#failures = 0;
      this.#pause = FIRST_PAUSE;
    } else if (++this.#failures >= PATIENCE) {
      this.#skip = this.#pause;
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    }
    return success;
  }
}
