// A counting semaphore whose guarded permits come back when their thread dies (docs/ABI.md, clause 50). Permits are not stored but
// derived: those it was made with, plus those released, less what the rows of the holders say. So every change is one
// store, made under the inner lock, and a thread that dies between two of them leaves nothing half done.

import { CoexistError, invalid } from '../abi/errors.js';
import { bytesWithHolders, LOCK_ALIGN, PLACED_HOLDERS, SEMAPHORE } from '../abi/sync.js';
import { dispose } from '../host/dispose.js';
import {
  countIndex,
  type HoldersOptions,
  identityIndex,
  namedSize,
  ownRow,
  placedHolders,
  rowAt,
  rowsUsed,
  settle,
  settleHolders,
  takeRow,
} from './holders.js';
import { enter, leave } from './inner-lock.js';
import { isDead, Looks, releasedAlready } from './owner-word.js';
import { isPlace, type LockMemory, type NamedOptions, named, type Place, placed } from './place.js';
import { block, Limits, suspend, type Waiting, type WaitOptions } from './wait.js';

const MOST = 0x7fffffff;

export interface SemaphoreOptions extends HoldersOptions {
  /** Permits it is made with, 0 to 2147483646. */
  readonly permits: number;
}

export interface AcquireOptions extends WaitOptions {
  /** How many to take at once. Default 1. */
  readonly permits?: number | undefined;
}

/** What was taken, and whether it was a dead thread's before. */
interface Taken {
  readonly permits: number;
  readonly ownerDied: boolean;
}

let give: (semaphore: Semaphore, permits: number) => void;
let consume: (semaphore: Semaphore, permits: number) => void;
let labelOf: (semaphore: Semaphore) => string;

/**
 * A semaphore of the process: the same name is the same one in every thread and every copy.
 * @throws COEXIST_EKIND (also: made with other permits), COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export class Semaphore {
  /** Bytes that a placed semaphore with 60 holders takes. Zeroed memory is one that is still to be made. */
  static readonly BYTES = bytesWithHolders(PLACED_HOLDERS);
  static readonly ALIGN = LOCK_ALIGN;

  readonly #place: Place;
  readonly #permits: number;

  /** Bytes of a placed semaphore with so many holders. */
  static bytes(holders: number): number {
    return bytesWithHolders(placedHolders({ holders }));
  }

  /** A semaphore in the caller's own memory. @throws COEXIST_EINVAL, COEXIST_EKIND */
  static at(buffer: LockMemory, offset: number, options: SemaphoreOptions): Semaphore {
    const holders = placedHolders(options);
    return new Semaphore(placed(buffer, offset, bytesWithHolders(holders), holders), options);
  }

  constructor(name: string, options: SemaphoreOptions & NamedOptions);
  /** @internal */
  constructor(place: Place, options: SemaphoreOptions);
  constructor(where: string | Place, options: SemaphoreOptions & NamedOptions) {
    const permits = options?.permits;
    if (!Number.isInteger(permits) || permits < 0 || permits >= MOST) {
      throw invalid('permits', permits, `an integer from 0 to ${MOST - 1}`);
    }
    this.#place = isPlace(where) ? where : named(where, 'semaphore', namedSize(options), options);
    this.#permits = permits;
    settleHolders(this.#place);
    // One more than there are, so that 0 is "not made yet".
    settle(this.#place, SEMAPHORE.permits, 'permits + 1', permits + 1);
  }

  /**
   * Takes permits, blocking until there are enough. They belong to this thread: if it dies, they come back, and the guard of
   * whoever gets them says `ownerDied`.
   * @throws COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED, COEXIST_EFULL, COEXIST_EINVAL; nothing was taken then
   */
  acquire(options?: AcquireOptions): SemaphoreGuard {
    const quick = options === undefined ? this.#quick() : undefined;
    if (quick !== undefined) return new SemaphoreGuard(this, quick);
    const limits = new Limits(options, false);
    const waiting = this.#acquire(wanted(options), limits);
    return new SemaphoreGuard(this, block(waiting, this.#place.ground.views.i32));
  }

  /** As `acquire()`, without blocking. */
  async acquireAsync(options?: AcquireOptions): Promise<SemaphoreGuard> {
    const quick = options === undefined ? this.#quick() : undefined;
    if (quick !== undefined) return new SemaphoreGuard(this, quick);
    const limits = new Limits(options, true);
    const waiting = this.#acquire(wanted(options), limits);
    return new SemaphoreGuard(this, await suspend(waiting, this.#place.ground.views.i32, limits.signal));
  }

  /** Takes permits if there are enough, those of dead threads included; undefined if not. */
  tryAcquire(permits = 1): SemaphoreGuard | undefined {
    try {
      return this.acquire({ permits, timeout: 0 });
    } catch (error) {
      if ((error as CoexistError).code === 'COEXIST_ETIMEDOUT') return undefined;
      throw error;
    }
  }

  /**
   * Adds permits that no guard holds, for instance to announce that something is there to be taken. Waits, blocking, for a few
   * steps of other threads at most.
   * @throws COEXIST_EINVAL, COEXIST_EOVERFLOW; nothing changed
   */
  release(permits = 1): void {
    checkPermits(permits);
    this.#change(() => {
      const { i32 } = this.#place.ground.views;
      const index = this.#word('released');
      const released = Atomics.load(i32, index);
      if (this.#permits + released + permits >= MOST) {
        throw new CoexistError('COEXIST_EOVERFLOW', `${this.#place.label} would have more than ${MOST - 1} permits`, {
          found: this.#permits + released + permits,
          expected: `at most ${MOST - 1}`,
          remedy: 'Release only what was acquired, or what there is to be taken.',
        });
      }
      Atomics.store(i32, index, released + permits);
    });
  }

  /** Permits that could be taken just now. */
  available(): number {
    const { i32, i64 } = this.#place.ground.views;
    let held = 0;
    for (let k = 0, end = rowsUsed(this.#place); k < end; k++) {
      const row = rowAt(this.#place, k);
      const count = Atomics.load(i32, countIndex(row));
      if (count !== 0 && Atomics.load(i64, identityIndex(row)) > 0n) held += count;
    }
    return this.#permits + Atomics.load(i32, this.#word('released')) - held;
  }

  // One permit, if it is there and nobody is inside: most acquisitions are this, and need nothing that a wait needs.
  #quick(): Taken | undefined {
    const token = this.#place.ground.steps.lock(this.#place.at);
    if (token === 0) return undefined;
    try {
      return this.available() >= 1 ? this.#take(1, false) : undefined;
    } finally {
      leave(this.#place, token);
    }
  }

  // Under the inner lock, where there are enough.
  #take(permits: number, ownerDied: boolean): Taken {
    const { i32 } = this.#place.ground.views;
    let row = ownRow(this.#place);
    let died = ownerDied;
    if (row === undefined) {
      const before = this.available();
      row = takeRow(this.#place);
      // It was a dead holder's row, and what that held came back.
      died ||= this.available() > before;
    }
    Atomics.store(i32, countIndex(row), Atomics.load(i32, countIndex(row)) + permits);
    return { permits, ownerDied: died };
  }

  *#acquire(permits: number, limits: Limits): Waiting<Taken> {
    const { i32 } = this.#place.ground.views;
    const [turn, waiters] = [this.#word('turn'), this.#word('waiters')];
    const looks = new Looks();
    let ownerDied = false;
    let waited = false;
    for (;;) {
      const token = yield* enter(this.#place, limits.async);
      let over: CoexistError | undefined;
      let now = 0;
      try {
        let enough = this.available() >= permits;
        if (!enough) {
          over = limits.over(this.#place.label);
          // Once more before giving up: a wait shorter than a slice must not miss a dead holder for ever.
          if (looks.due() || over !== undefined) {
            ownerDied = this.#sweep() || ownerDied;
            enough = this.available() >= permits;
          }
        }
        if (enough) return this.#take(permits, ownerDied);
        now = Atomics.load(i32, turn);
        // Whoever gives up clears what says that somebody waits; the others wake up and set it again.
        if (over === undefined) Atomics.store(i32, waiters, 1);
        else if (waited) this.#wake();
      } finally {
        leave(this.#place, token);
        if (over !== undefined && waited) Atomics.notify(i32, turn);
      }
      if (over !== undefined) throw over;
      waited = true;
      looks.woke(yield { index: turn, value: now, ms: limits.slice() });
    }
  }

  // Under the inner lock: takes from the dead what they held; true where that was anything.
  #sweep(): boolean {
    const { i32, i64 } = this.#place.ground.views;
    let found = false;
    for (let k = 0, end = rowsUsed(this.#place); k < end; k++) {
      const row = rowAt(this.#place, k);
      if (Atomics.load(i32, countIndex(row)) === 0) continue;
      const holder = Atomics.load(i64, identityIndex(row));
      if (holder <= 0n || !isDead(this.#place, holder)) continue;
      Atomics.store(i32, countIndex(row), 0);
      Atomics.store(i64, identityIndex(row), 0n);
      found = true;
    }
    return found;
  }

  // Under the inner lock: true where somebody is to be woken after it was left.
  #wake(): boolean {
    const { i32 } = this.#place.ground.views;
    if (Atomics.load(i32, this.#word('waiters')) === 0) return false;
    Atomics.add(i32, this.#word('turn'), 1);
    Atomics.store(i32, this.#word('waiters'), 0);
    return true;
  }

  #change(change: () => void): void {
    const { i32 } = this.#place.ground.views;
    const token = this.#place.ground.steps.lock(this.#place.at) || block(enter(this.#place, false), i32);
    let wake = false;
    try {
      change();
      wake = this.#wake();
    } finally {
      leave(this.#place, token);
      if (wake) Atomics.notify(i32, this.#word('turn'));
    }
  }

  // Takes from this thread's row; the row is free again where nothing is left in it.
  #fromRow(permits: number, before?: () => void): void {
    const { i32, i64 } = this.#place.ground.views;
    const row = ownRow(this.#place);
    const count = row === undefined ? 0 : Atomics.load(i32, countIndex(row));
    if (row === undefined || count < permits) throw releasedAlready(this.#place.label);
    before?.();
    Atomics.store(i32, countIndex(row), count - permits);
    if (count === permits) Atomics.store(i64, identityIndex(row), 0n);
  }

  #word(field: keyof typeof SEMAPHORE): number {
    return (this.#place.at + SEMAPHORE[field].offset) >>> 2;
  }

  static {
    give = (semaphore, permits) => semaphore.#change(() => semaphore.#fromRow(permits));
    consume = (semaphore, permits) =>
      semaphore.#change(() => {
        const { i32 } = semaphore.#place.ground.views;
        // First the permits, then the row: in between there are too few, never too many.
        semaphore.#fromRow(permits, () => Atomics.sub(i32, semaphore.#word('released'), permits));
      });
    labelOf = (semaphore) => semaphore.#place.label;
  }
}

/** Permits that this thread holds. */
export class SemaphoreGuard {
  readonly semaphore: Semaphore;
  readonly permits: number;
  /** Whether permits of a thread that died holding them were taken back on the way. */
  readonly ownerDied: boolean;
  #held = true;

  /** @internal */
  constructor(semaphore: Semaphore, { permits, ownerDied }: Taken) {
    this.semaphore = semaphore;
    this.permits = permits;
    this.ownerDied = ownerDied;
  }

  /** Whether the permits are still held. */
  get held(): boolean {
    return this.#held;
  }

  /** Gives the permits back. @throws COEXIST_ENOTOWNER when that was done already; nothing changed */
  release(): void {
    this.#end();
    give(this.semaphore, this.permits);
  }

  /** Uses the permits up: they do not come back, whatever becomes of this thread. @throws COEXIST_ENOTOWNER */
  forget(): void {
    this.#end();
    consume(this.semaphore, this.permits);
  }

  /** As `release()`, but does nothing when the permits were given back or used up already. */
  [dispose](): void {
    if (this.#held) this.release();
  }

  #end(): void {
    if (!this.#held) throw releasedAlready(labelOf(this.semaphore));
    this.#held = false;
  }
}

function wanted(options: AcquireOptions | undefined): number {
  return options?.permits === undefined ? 1 : checkPermits(options.permits);
}

function checkPermits(permits: number): number {
  if (Number.isInteger(permits) && permits >= 1 && permits < MOST) return permits;
  throw invalid('permits', permits, `an integer from 1 to ${MOST - 1}`);
}
