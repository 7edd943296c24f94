// From schedule to schedule. Whichever thread holds the turn outside its function goes on here: picks the next thread, ends the
// schedule when nobody can run, unwinds the threads that are still inside their functions, restores the memory and begins
// the next schedule. The caller's thread takes no part.

import { ALL_ENDED, type Choices, DEADLOCK, UNWOUND } from './choices.js';
import type { Conflicts } from './conflicts.js';
import * as K from './control.js';
import type { Search } from './search.js';
import type { Turns } from './turns.js';

export interface Conductor {
  /** Runs until the whole search is over. `first`: this thread begins it. */
  run(first: boolean): void;
}

export interface ConductorParts {
  readonly control: K.Control;
  readonly self: number;
  readonly search: Search;
  readonly choices: Choices;
  readonly turns: Turns;
  readonly conflicts: Conflicts;
  /** Restores the explored memory. */
  readonly restore: () => void;
  /** Runs this thread's function; returns when it has ended or was unwound. */
  readonly enter: () => void;
  /** All threads have ended: the checks at the end of a schedule. */
  readonly ended: () => void;
}

export function createConductor(parts: ConductorParts): Conductor {
  const { control, self, search, choices, turns, conflicts } = parts;
  const { c, f } = control;
  const n = c[K.THREADS] as number;

  function begin(): void {
    parts.restore();
    for (const word of [
      K.OPERATIONS,
      K.TICK,
      K.WRITES,
      K.PREEMPTIONS,
      K.KILLS,
      K.WAITS,
      K.PRUNE,
      K.POINTS,
      K.DEPTH,
      K.REPLAYED,
    ]) {
      c[word] = 0;
    }
    c[K.LAST] = n - 1;
    f[K.F_CLOCK] = 0;
    for (let k = 0; k < n; k++) {
      c[K.STATE + k] = K.NEW;
      c[K.FRESH + k] = 0;
      c[K.DIRTY + k] = 1;
      c[K.YIELDED + k] = 0;
    }
    search.begin();
    c[K.PHASE] = K.RUN;
  }

  function next(): number {
    try {
      return choices.next();
    } catch (error) {
      if (error !== UNWOUND) throw error;
      return DEADLOCK;
    }
  }

  // Where the turn goes from outside a function: a thread, or -1 for nowhere.
  function step(): number {
    if (c[K.PHASE] === K.RUN) {
      const thread = next();
      if (thread >= 0) return thread;
      if (c[K.PHASE] === K.RUN) {
        if (thread === ALL_ENDED) parts.ended();
        else choices.record('deadlock', choices.deadlock());
      }
      return -1;
    }
    for (let k = 0; k < n; k++) if (c[K.INSIDE + k] === 1) return k;
    search.count();
    if (c[K.FAILURE] !== 0 || !search.advance(conflicts.grow)) {
      c[K.PHASE] = K.DONE;
      for (let k = 0; k < n; k++) if (k !== self) turns.give(k);
    } else {
      begin();
    }
    return -1;
  }

  return {
    run(first) {
      if (first) begin();
      else turns.take();
      let mine = !first;
      while (c[K.PHASE] !== K.DONE) {
        if (mine && c[K.PHASE] === K.RUN) parts.enter();
        mine = false;
        const thread = step();
        if (thread < 0) continue;
        if (thread !== self) {
          turns.give(thread);
          turns.take();
        }
        mine = true;
      }
    },
  };
}
