// What is chosen at a decision point besides the running thread's preemption: kills, early expiries of waits, and which thread
// follows one that cannot go on.

import type { FailureKind } from './control.js';
import * as K from './control.js';
import type { Search } from './search.js';

/** Answers of `next` that are no thread. */
export const ALL_ENDED = -1;
export const DEADLOCK = -2;

/** Thrown by every operation of a thread whose schedule is over, to get it out of its function. */
export const UNWOUND: unknown = new Error('the explorer ends this thread: its schedule is over');

export interface Watcher {
  /** Something that belongs into a trace but is no operation. */
  event(text: string): void;
  failed(kind: FailureKind, error: unknown): void;
}

export interface Choices {
  /** Ends the schedule with a failure. */
  record(kind: FailureKind, error: unknown): void;
  /** The same, and leaves the thread's function. */
  fail(kind: FailureKind, error: unknown): never;
  /** As `Search.decide`; fails where the options differ from those of the last time. */
  decide(kind: number, count: number): number;
  kills(): void;
  /** The thread whose wait expired early, or -1. */
  expiries(): number;
  /** Puts the threads that could run instead into SCRATCH from `from` on; the new length. */
  others(from: number): number;
  /** Moves the clock to the earliest deadline of a wait and wakes whoever waits for it; false if there is none. */
  passTime(): boolean;
  /** What to say of a deadlock. */
  deadlock(): Error;
  /** A line in the trace that is no operation. */
  event(text: string): void;
  /** Marks the thread as the one that runs from here on. */
  give(thread: number): void;
  /** Which thread has the turn next, when this one cannot go on. */
  next(): number;
}

export function createChoices({ c, f }: K.Control, self: number, search: Search, watcher: Watcher): Choices {
  const n = c[K.THREADS] as number;
  const of = (base: number, thread: number): number => c[base + thread] as number;
  const replaying = (): boolean => c[K.MODE] === K.REPLAY;

  function record(kind: FailureKind, error: unknown): void {
    if (c[K.PHASE] !== K.RUN) return;
    c[K.FAILURE] = K.FAILURES.indexOf(kind);
    c[K.FAILED_THREAD] = self;
    c[K.PHASE] = K.UNWIND;
    watcher.failed(kind, error);
  }

  function fail(kind: FailureKind, error: unknown): never {
    record(kind, error);
    throw UNWOUND;
  }

  function decide(kind: number, count: number): number {
    const choice = search.decide(kind, count);
    if (choice >= 0) return choice;
    return fail(
      'nondeterminism',
      new Error(
        'the same decisions led to other options: the explored code depends on something the explorer does not control',
      ),
    );
  }

  function kills(): void {
    let least = 0;
    while ((c[K.KILLS] as number) < (c[K.MAX_KILLS] as number) || replaying()) {
      let count = 1;
      c[K.SCRATCH] = -1;
      for (let k = least; k < n; k++) {
        if (of(K.DIRTY, k) === 1 && of(K.STATE, k) !== K.KILLED) c[K.SCRATCH + count++] = k;
      }
      if (count === 1) return;
      const choice = decide(K.KILL, count);
      if (choice === 0) {
        for (let k = 1; k < count; k++) c[K.DIRTY + of(K.SCRATCH, k)] = 0;
        return;
      }
      const victim = of(K.SCRATCH, choice);
      c[K.STATE + victim] = K.KILLED;
      c[K.KILLS]!++;
      watcher.event(`T${victim} is killed`);
      // Two kills at one place have no order.
      least = victim + 1;
    }
  }

  function expire(thread: number): void {
    f[K.F_CLOCK] = Math.max(f[K.F_CLOCK] as number, f[K.F_DEADLINE + thread] as number);
    c[K.STATE + thread] = K.READY;
    c[K.TIMED_OUT + thread] = 1;
    watcher.event(`the wait of T${thread} times out; ${f[K.F_CLOCK]} ms have passed`);
  }

  function expiries(): number {
    let least = 0;
    let expired = -1;
    while (c[K.EXPIRE_ANY] === 1) {
      let count = 1;
      c[K.SCRATCH] = -1;
      for (let k = least; k < n; k++) {
        if (of(K.STATE, k) === K.BLOCKED && f[K.F_DEADLINE + k] !== Number.POSITIVE_INFINITY)
          c[K.SCRATCH + count++] = k;
      }
      if (count === 1) break;
      if (c[K.MODE] !== K.RANDOM && !replaying() && (c[K.PREEMPTIONS] as number) >= (c[K.LEVEL] as number)) {
        c[K.CUT] = 1;
        break;
      }
      const choice = decide(K.EXPIRE, count);
      if (choice === 0) break;
      expired = of(K.SCRATCH, choice);
      c[K.PREEMPTIONS]!++;
      expire(expired);
      least = expired + 1;
    }
    return expired;
  }

  // In turn from the running thread on, so that the first option is a fair one.
  function collect(from: number, yielded: number): number {
    let count = from;
    for (let step = 1; step <= n; step++) {
      const k = ((c[K.LAST] as number) + step) % n;
      const state = of(K.STATE, k);
      if ((state === K.READY || state === K.NEW) && of(K.YIELDED, k) === yielded) c[K.SCRATCH + count++] = k;
    }
    return count;
  }

  function others(from: number): number {
    let count = collect(from, 0);
    // Itself comes last where it can run.
    if (count > from && of(K.SCRATCH, count - 1) === self) count--;
    return count;
  }

  function passTime(): boolean {
    let earliest = Number.POSITIVE_INFINITY;
    for (let k = 0; k < n; k++) {
      if (of(K.STATE, k) === K.BLOCKED) earliest = Math.min(earliest, f[K.F_DEADLINE + k] as number);
    }
    if (earliest === Number.POSITIVE_INFINITY) return false;
    for (let k = 0; k < n; k++) {
      if (of(K.STATE, k) === K.BLOCKED && f[K.F_DEADLINE + k] === earliest) expire(k);
    }
    return true;
  }

  function give(thread: number): void {
    c[K.FRESH + thread] = 1;
    c[K.YIELDED + thread] = 0;
    c[K.LAST] = thread;
  }

  function choose(count: number): number {
    const chosen = of(K.SCRATCH, count === 1 ? 0 : decide(K.SWITCH, count));
    give(chosen);
    return chosen;
  }

  function next(): number {
    for (;;) {
      c[K.TICK]!++;
      kills();
      expiries();
      const ready = collect(0, 0);
      if (ready > 0) return choose(ready);
      const spinning = collect(0, 1);
      // Everybody waits for somebody else's write; one of them may stop spinning by itself.
      if (spinning > 0) return choose(spinning);
      if (passTime()) continue;
      for (let k = 0; k < n; k++) if (of(K.STATE, k) === K.BLOCKED) return DEADLOCK;
      return ALL_ENDED;
    }
  }

  function deadlock(): Error {
    const blocked: string[] = [];
    for (let k = 0; k < n; k++) if (of(K.STATE, k) === K.BLOCKED) blocked.push(`T${k}`);
    return new Error(`nobody can run: ${blocked.join(' and ')} ${blocked.length === 1 ? 'waits' : 'wait'} for ever`);
  }

  return { record, fail, decide, kills, expiries, others, passTime, deadlock, event: watcher.event, give, next };
}
