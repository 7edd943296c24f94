// A condition variable (docs/ABI.md, clause 47). A waiter remembers the sequence it began at; a notification counts a wake, then moves
// the sequence, then wakes sleepers. A waiter returns when the sequence has moved and it could take one of the wakes. So a wake goes to
// somebody who was waiting when it was given, it is not lost with a thread that died of it, and one wake is one return.

import { CONDVAR, CONDVAR_BYTES, LOCK_ALIGN } from '../abi/sync.js';
import type { LockSteps } from '../wasm/sync.js';
import { isPlace, type LockMemory, type NamedOptions, named, type Place, placed } from './place.js';
import { Spinner } from './spin.js';
import { block, Limits, suspend, type Waiting, type WaitOptions } from './wait.js';

const EVERYBODY = 0xffffffff;

/** What a Condvar needs of the guard it is given: that of a Mutex, from any copy. */
export interface RelockableGuard {
  unlock(): void;
  relock(): void;
  relockAsync(): Promise<void>;
}

/**
 * A condition variable of the process: the same name is the same one in every thread and every copy. The guard is taken again
 * before any of its waits returns or throws, whatever the time: look at its `ownerDied`.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export class Condvar {
  /** Bytes that a placed condition variable takes. Zeroed memory is one without waiters. */
  static readonly BYTES = CONDVAR_BYTES;
  static readonly ALIGN = LOCK_ALIGN;

  readonly #place: Place;
  readonly #steps: LockSteps;
  readonly #at: number;
  readonly #spinner = new Spinner('event');

  /** A condition variable in the caller's own memory. @throws COEXIST_EINVAL */
  static at(buffer: LockMemory, offset: number): Condvar {
    return new Condvar(placed(buffer, offset, CONDVAR_BYTES));
  }

  constructor(name: string, options?: NamedOptions);
  /** @internal */
  constructor(place: Place);
  constructor(where: string | Place, options?: NamedOptions) {
    this.#place = isPlace(where)
      ? where
      : named(where, 'condvar', () => ({ size: CONDVAR_BYTES, holders: 0 }), options);
    this.#steps = this.#place.ground.steps;
    this.#at = this.#place.at;
  }

  /** Wakes one waiter, if there is one. hot: one wasm call */
  notify(): void {
    this.#steps.signal(this.#at, 1);
  }

  /** Wakes everybody who is waiting now. */
  notifyAll(): void {
    this.#steps.signal(this.#at, EVERYBODY);
  }

  /**
   * Releases the guard, waits for a notification, takes the guard again. May rarely return without one (where another waiter has died, or gave up at that moment):
   * check the condition again, or use `waitFor`.
   * @throws COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED: the guard is held again; COEXIST_ENOTOWNER: it was not
   * held; COEXIST_ENOTRECOVERABLE: it cannot be taken again; COEXIST_EINVAL
   */
  wait(guard: RelockableGuard, options?: WaitOptions): void {
    const limits = new Limits(options, false);
    const sequence = this.#begin(guard);
    let woken = false;
    try {
      woken = this.#spun(sequence) || block(this.#moved(sequence, limits, false), this.#place.ground.views.i32);
    } finally {
      this.#end(woken);
      guard.relock();
    }
  }

  /** As `wait()`, without blocking. */
  async waitAsync(guard: RelockableGuard, options?: WaitOptions): Promise<void> {
    const limits = new Limits(options, true);
    const sequence = this.#begin(guard);
    let woken = false;
    try {
      woken = await suspend(this.#moved(sequence, limits, false), this.#place.ground.views.i32, limits.signal);
    } finally {
      this.#end(woken);
      await guard.relockAsync();
    }
  }

  /**
   * Waits until the predicate, called with the guard held, is true. It is looked at after each notification, and now and then
   * without one, since whoever made it true may have died before saying so.
   * @throws as `wait()`, and what the predicate throws
   */
  waitFor(guard: RelockableGuard, predicate: () => boolean, options?: WaitOptions): void {
    const limits = new Limits(options, false);
    while (!predicate()) {
      const sequence = this.#begin(guard);
      let woken = false;
      try {
        woken = this.#spun(sequence) || block(this.#moved(sequence, limits, true), this.#place.ground.views.i32);
      } finally {
        this.#end(woken);
        guard.relock();
      }
    }
  }

  /** As `waitFor()`, without blocking. */
  async waitForAsync(guard: RelockableGuard, predicate: () => boolean, options?: WaitOptions): Promise<void> {
    const limits = new Limits(options, true);
    while (!predicate()) {
      const sequence = this.#begin(guard);
      let woken = false;
      try {
        woken = await suspend(this.#moved(sequence, limits, true), this.#place.ground.views.i32, limits.signal);
      } finally {
        this.#end(woken);
        await guard.relockAsync();
      }
    }
  }

  // Counted as a waiter before the guard is released: whoever takes it then and notifies, sees one.
  #begin(guard: RelockableGuard): number {
    const { i32 } = this.#place.ground.views;
    Atomics.add(i32, this.#word('waiters'), 1);
    try {
      const sequence = Atomics.load(i32, this.#word('sequence'));
      guard.unlock();
      return sequence;
    } catch (error) {
      this.#end(false);
      throw error;
    }
  }

  #end(woken: boolean): void {
    const { u32 } = this.#place.ground.views;
    Atomics.sub(u32, this.#word('waiters'), 1);
    if (woken) return;
    // A wake that was given for this one alone goes with it. The order matters: where nobody has taken one since, there were more
    // wakes than waiters when these were read, and whoever comes later brings its own.
    const taken = Atomics.load(u32, this.#word('taken'));
    const pending = (Atomics.load(u32, this.#word('wakes')) - taken) >>> 0;
    if (pending <= Atomics.load(u32, this.#word('waiters'))) return;
    Atomics.compareExchange(u32, this.#word('taken'), taken, (taken + 1) >>> 0);
  }

  #spun(sequence: number): boolean {
    return this.#spinner.look(this.#steps, this.#at + CONDVAR.sequence.offset, sequence) && this.#take();
  }

  // True when a wake was taken; with `glances`, false when a bounded sleep has ended.
  *#moved(begun: number, limits: Limits, glances: boolean): Waiting<boolean> {
    const { i32 } = this.#place.ground.views;
    const index = this.#word('sequence');
    let slept = false;
    let woken = false;
    let handedOn = false;
    for (;;) {
      const sequence = Atomics.load(i32, index);
      if (sequence !== begun && this.#take()) return true;
      // This thread may have been woken for a notification that came before it began: that is for one who was there then.
      // Once: two such waiters must not wake each other for ever.
      if (woken && !handedOn && sequence === begun && this.#pending() > 0) {
        handedOn = true;
        Atomics.notify(i32, index, 1);
      }
      const over = limits.over('a notification');
      if (over !== undefined) throw over;
      if (slept && glances) return false;
      woken = !(yield { index, value: sequence, ms: limits.slice() });
      slept = true;
    }
  }

  #pending(): number {
    const { u32 } = this.#place.ground.views;
    return (Atomics.load(u32, this.#word('wakes')) - Atomics.load(u32, this.#word('taken'))) >>> 0;
  }

  #take(): boolean {
    const { u32 } = this.#place.ground.views;
    const index = this.#word('taken');
    for (;;) {
      const taken = Atomics.load(u32, index);
      if (Atomics.load(u32, this.#word('wakes')) === taken) return false;
      if (Atomics.compareExchange(u32, index, taken, (taken + 1) >>> 0) === taken) return true;
    }
  }

  #word(field: keyof typeof CONDVAR): number {
    return (this.#at + CONDVAR[field].offset) >>> 2;
  }
}
