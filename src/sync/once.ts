// Something that happens once in the process, whoever comes first, and whoever dies while doing it (docs/ABI.md, clause 46). Poison
// and force are those of Rust's std::sync::Once.

import { CoexistError } from '../abi/errors.js';
import { LOCK_ALIGN, ONCE_BYTES, ONCE_DONE, ONCE_DONE_HIGH, ONCE_POISONED, WAITERS } from '../abi/sync.js';
import { contend } from './owner-word.js';
import { isPlace, type LockMemory, type NamedOptions, named, type Place, placed } from './place.js';
import { block, Limits, suspend, type Waiting, type WaitOptions } from './wait.js';

/** What the initialiser is told. */
export interface OnceState {
  /** Whether an earlier initialiser threw; only with `callForce`. */
  readonly poisoned: boolean;
  /** Whether an earlier initialiser's thread died half-way. */
  readonly ownerDied: boolean;
}

/** How a call goes on: there is nothing to do, or the initialiser is this thread's to run. */
type Turn = 'done' | OnceState;

/**
 * A Once of the process: the same name is the same one in every thread and every copy.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export class Once {
  /** Bytes that a placed Once takes. Zeroed memory is one that has not run. */
  static readonly BYTES = ONCE_BYTES;
  static readonly ALIGN = LOCK_ALIGN;

  readonly #place: Place;
  #done = false;

  /** A Once in the caller's own memory. @throws COEXIST_EINVAL */
  static at(buffer: LockMemory, offset: number): Once {
    return new Once(placed(buffer, offset, ONCE_BYTES));
  }

  constructor(name: string, options?: NamedOptions);
  /** @internal */
  constructor(place: Place);
  constructor(where: string | Place, options?: NamedOptions) {
    this.#place = isPlace(where) ? where : named(where, 'once', () => ({ size: ONCE_BYTES, holders: 0 }), options);
  }

  /** Whether the initialiser has run to its end, so that what it did can be seen. */
  isCompleted(): boolean {
    // hot: a field of the view, set after one atomic load
    if (this.#done) return true;
    this.#done = Atomics.load(this.#place.ground.views.i32, this.#high) === ONCE_DONE_HIGH;
    return this.#done;
  }

  /**
   * Runs the initialiser unless one has run; waits, blocking, while another thread does. True where this call ran it. If it throws,
   * the Once is poisoned and the error passes on. If its thread dies, a waiter runs its own.
   * @throws COEXIST_EPOISONED, COEXIST_EDEADLK (from inside the initialiser), COEXIST_ETIMEDOUT, COEXIST_EABORTED,
   * COEXIST_EUNSUPPORTED, COEXIST_EINVAL; the initialiser has not run then
   */
  call(initialise: (state: OnceState) => void, options?: WaitOptions): boolean {
    return this.isCompleted() ? false : this.#call(initialise, options, false);
  }

  /** As `call()`, but a poisoned Once is run again, and told so. */
  callForce(initialise: (state: OnceState) => void, options?: WaitOptions): boolean {
    return this.isCompleted() ? false : this.#call(initialise, options, true);
  }

  /** As `call()`, without blocking; the initialiser may be asynchronous. */
  async callAsync(initialise: (state: OnceState) => unknown, options?: WaitOptions): Promise<boolean> {
    return this.isCompleted() ? false : this.#callAsync(initialise, options, false);
  }

  /** As `callForce()`, without blocking; the initialiser may be asynchronous. */
  async callForceAsync(initialise: (state: OnceState) => unknown, options?: WaitOptions): Promise<boolean> {
    return this.isCompleted() ? false : this.#callAsync(initialise, options, true);
  }

  #call(initialise: (state: OnceState) => void, options: WaitOptions | undefined, force: boolean): boolean {
    const limits = new Limits(options, false);
    const turn = block(this.#turn(limits, force), this.#place.ground.views.i32);
    if (turn === 'done') return false;
    let outcome = ONCE_POISONED;
    try {
      initialise(turn);
      outcome = ONCE_DONE;
    } finally {
      this.#finish(outcome);
    }
    return true;
  }

  async #callAsync(
    initialise: (state: OnceState) => unknown,
    options: WaitOptions | undefined,
    force: boolean,
  ): Promise<boolean> {
    const limits = new Limits(options, true);
    const turn = await suspend(this.#turn(limits, force), this.#place.ground.views.i32, limits.signal);
    if (turn === 'done') return false;
    let outcome = ONCE_POISONED;
    try {
      await initialise(turn);
      outcome = ONCE_DONE;
    } finally {
      this.#finish(outcome);
    }
    return true;
  }

  #turn(limits: Limits, force: boolean): Waiting<Turn> {
    const { views, self } = this.#place.ground;
    return contend<Turn>(this.#place, limits, {
      enter: (seen) => {
        if (seen === ONCE_DONE) return 'done';
        if (seen === ONCE_POISONED && !force) throw poisoned(this.#place);
        if (seen !== 0n && seen !== ONCE_POISONED) return undefined;
        if (Atomics.compareExchange(views.i64, this.#place.at >>> 3, seen, self) !== seen) return undefined;
        return { poisoned: seen !== 0n, ownerDied: false };
      },
      mark: 0n,
      adopt: () => ({ poisoned: false, ownerDied: true }),
    });
  }

  #finish(outcome: bigint): void {
    const { i32, i64 } = this.#place.ground.views;
    if ((Atomics.exchange(i64, this.#place.at >>> 3, outcome) & WAITERS) !== 0n) Atomics.notify(i32, this.#high);
  }

  get #high(): number {
    return (this.#place.at + 4) >>> 2;
  }
}

function poisoned(place: Place): CoexistError {
  return new CoexistError('COEXIST_EPOISONED', `the initialiser of ${place.label} threw`, {
    found: 'a poisoned Once',
    expected: 'one that has not failed',
    remedy: 'Look at what the first call threw; run it again with callForce() once that is mended.',
  });
}
