// The scheduler, run by whichever explored thread has the turn: decision points, waits, and the hand-over from thread to thread.
// Sequential consistency only: one operation at a time, seen by all at once.
//
// What is free and what costs. A switch is free where the running thread cannot go on (it blocked, ended, was killed) or says
// that it does nothing useful (Atomics.pause; a third identical read with no write since). Any other switch is a preemption. A
// thread that is given the turn does its next operation at once: to preempt it there would write the same schedule twice.
// A kill is offered only where it differs from one at the last offer: the victim has written since, was notified, or was seen
// alive. Elsewhere nobody could tell the two apart, and the earlier one needs no more preemptions.

import { ALL_ENDED, type Choices, DEADLOCK, UNWOUND } from './choices.js';
import type { Conflicts } from './conflicts.js';
import * as K from './control.js';
import { LIVENESS, LOAD, PAUSE } from './operations.js';
import type { Search } from './search.js';
import { createSpinning } from './spinning.js';
import type { Turns } from './turns.js';

/** What an operation did: nothing, changed who waits at the address, wrote (or woke somebody). */
export type Effect = 0 | 1 | 2;
export const READ: Effect = 0;
export const QUEUED: Effect = 1;
export const WRITTEN: Effect = 2;

export interface Scheduler {
  /** Before an operation. Returns when it may be done; throws where the schedule is over. */
  point(operation: number, address: number, bytes: number): void;
  /** After an operation on the explored memory. */
  done(address: number, bytes: number, effect: Effect): void;
  /** Blocks; true if notified, false when the time is up. */
  block(address: number, timeout: number): boolean;
  /** Wakes so many waiters, first come, first served. */
  wake(address: number, count: number): number;
  /** An explored choice between 0 and count - 1. */
  choose(count: number): number;
  /** The running thread's function begins. */
  enter(): void;
}

export interface Parts {
  readonly control: K.Control;
  readonly self: number;
  readonly search: Search;
  readonly choices: Choices;
  readonly turns: Turns;
  readonly conflicts: Conflicts;
  /** Checked after each operation; with one, every write is observed. */
  readonly invariant: (() => void) | undefined;
  /** Whether the invariant reads an address. */
  readonly observed: (address: number) => unknown;
  /** Called where nobody can go on, in the thread that found it: all have ended. */
  readonly ended: () => void;
}

export function createScheduler({
  control,
  self,
  search,
  choices,
  turns,
  conflicts,
  invariant,
  observed,
  ended,
}: Parts): Scheduler {
  const { c, f } = control;
  const n = c[K.THREADS] as number;

  function hand(thread: number): void {
    turns.give(thread);
    turns.take();
    if (c[K.PHASE] !== K.RUN) throw UNWOUND;
  }

  // This thread cannot go on, or must not.
  function leave(): void {
    const thread = choices.next();
    if (thread === self) return;
    if (thread >= 0) {
      hand(thread);
      return;
    }
    if (thread === DEADLOCK) choices.fail('deadlock', choices.deadlock());
    if (thread === ALL_ENDED) ended();
    throw UNWOUND;
  }

  const spinning = createSpinning({ control, self, search, choices, hand, leave });

  // ---- preemption

  function isVisible(operation: number, address: number, bytes: number): boolean {
    if (c[K.REDUCE] === 0 || c[K.MODE] === K.REPLAY) return true;
    if (operation === LIVENESS) return (c[K.MAX_KILLS] as number) > 0;
    return (
      conflicts.isShared(address, bytes) ||
      (invariant !== undefined && operation !== LOAD && observed(address) !== false)
    );
  }

  function preempt(expired: number): void {
    let count = choices.others(1);
    if (count === 1) return;
    if (c[K.MODE] === K.RANDOM) {
      for (let k = 0; k < (c[K.MAX_PREEMPTIONS] as number); k++) {
        if (c[K.CHANGES + k] === c[K.TICK]) search.demote(self);
      }
    } else if (c[K.MODE] !== K.REPLAY && (c[K.PREEMPTIONS] as number) >= (c[K.LEVEL] as number)) {
      c[K.CUT] = 1;
      if (expired < 0) return;
      // What expired its wait has paid for the switch to it.
      c[K.SCRATCH + 1] = expired;
      count = 2;
    }
    c[K.SCRATCH] = self;
    c[K.POINTS]!++;
    const choice = choices.decide(K.PREEMPT, count);
    if (choice === 0) return;
    const chosen = c[K.SCRATCH + choice] as number;
    if (chosen !== expired) c[K.PREEMPTIONS]!++;
    choices.event(`T${self} is preempted`);
    choices.give(chosen);
    hand(chosen);
    c[K.FRESH + self] = 0;
  }

  function point(operation: number, address: number, bytes: number): void {
    if (c[K.PHASE] !== K.RUN) throw UNWOUND;
    c[K.TICK]!++;
    if (++c[K.OPERATIONS]! > (c[K.MAX_OPERATIONS] as number)) {
      choices.fail('livelock', new Error(`more than ${c[K.MAX_OPERATIONS]} operations in one schedule`));
    }
    const spins = spinning.notice(operation, address);
    if (c[K.FRESH + self] === 1) {
      c[K.FRESH + self] = 0;
      return;
    }
    choices.kills();
    if (c[K.STATE + self] === K.KILLED) leave();
    if (spins) {
      spinning.decide();
      if (operation !== PAUSE) c[K.FRESH + self] = 0;
      return;
    }
    if (!isVisible(operation, address, bytes)) return;
    preempt(choices.expiries());
  }

  return {
    point,

    done(address, bytes, effect) {
      conflicts.note(address, bytes, self, effect !== READ);
      if (effect === WRITTEN || c[K.REDUCE] === 0 || c[K.MODE] === K.REPLAY) c[K.DIRTY + self] = 1;
      if (effect === WRITTEN) {
        c[K.WRITES]!++;
        for (let k = 0; k < n; k++) c[K.YIELDED + k] = 0;
      }
      invariant?.();
    },

    block(address, timeout) {
      c[K.STATE + self] = K.BLOCKED;
      c[K.WAIT_ADDRESS + self] = address;
      c[K.WAIT_ORDER + self] = c[K.WAITS]!++;
      c[K.TIMED_OUT + self] = 0;
      f[K.F_DEADLINE + self] = (f[K.F_CLOCK] as number) + timeout;
      leave();
      return c[K.TIMED_OUT + self] === 0;
    },

    wake(address, count) {
      let woken = 0;
      while (woken < count) {
        let first = -1;
        for (let k = 0; k < n; k++) {
          if (c[K.STATE + k] !== K.BLOCKED || c[K.WAIT_ADDRESS + k] !== address) continue;
          if (first < 0 || (c[K.WAIT_ORDER + k] as number) < (c[K.WAIT_ORDER + first] as number)) first = k;
        }
        if (first < 0) break;
        c[K.STATE + first] = K.READY;
        c[K.DIRTY + first] = 1;
        woken++;
      }
      return woken;
    },

    choose(count) {
      if (c[K.PHASE] !== K.RUN) throw UNWOUND;
      c[K.TICK]!++;
      return count === 1 ? 0 : choices.decide(K.CHOOSE, count);
    },

    enter() {
      spinning.reset();
      c[K.STATE + self] = K.READY;
      c[K.INSIDE + self] = 1;
    },
  };
}
