// How long to look before sleeping. Waking a sleeper costs a system call on one side and microseconds on the other; looking a
// little first saves both where the owner is quick and on another core, and is wasted where it is not. So the budget follows
// what looking has brought: it grows when a look succeeded, halves when not, and is tried again now and then once it is gone.

import type { LockSteps } from '../wasm/sync.js';

/** Upper bounds, in looks (a few ns each). A tool that explores schedules sets them to 0. */
export const SPIN = {
  /** Locks: a critical section that lasts longer than about a microsecond is worth a sleep. */
  lock: 200,
  /** Waits for an event: up to about the time that a wake-up across cores takes. */
  event: 20_000,
};

const SMALLEST = 16;
/** Once the budget is gone, one wait in so many looks again. */
const PROBE_EVERY = 64;

export class Spinner {
  readonly #kind: keyof typeof SPIN;
  #budget: number;
  #skipped = 0;

  constructor(kind: keyof typeof SPIN) {
    this.#kind = kind;
    this.#budget = SPIN[kind];
  }

  /** Looks at a word for a while; true once it is no longer this value. */
  spin(steps: LockSteps, at: number, value: number): boolean {
    const most = SPIN[this.#kind];
    let times = Math.min(this.#budget, most);
    if (times < SMALLEST) {
      if (++this.#skipped < PROBE_EVERY) return false;
      this.#skipped = 0;
      times = most;
    }
    const left = steps.spin(at, value, times);
    if (left === 0) {
      this.#budget >>>= 1;
      return false;
    }
    // Twice what it took this time is likely to do next time.
    this.#budget = Math.min(most, Math.max(this.#budget, 2 * (times - left) + SMALLEST));
    return true;
  }
}
