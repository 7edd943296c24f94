// A mutual-exclusion lock that survives its owner. All state lies in 16 bytes of shared memory (docs/ABI.md, clause 45): any
// number of views of it, from any copy in any thread, are the same lock.

import { LOCK_ALIGN, MUTEX_BYTES } from '../abi/sync.js';
import { dispose } from '../host/dispose.js';
import { type LockSteps, UNLOCK_DONE } from '../wasm/sync.js';
import { guardToken, type Hold, LastLook, markConsistent, takeOwnerWord, unlockSlow } from './owner-word.js';
import { isPlace, type LockMemory, type NamedOptions, named, type Place, placed } from './place.js';
import { Spinner } from './spin.js';
import { block, Limits, suspend, type WaitOptions } from './wait.js';

const WAKE_ONE = 1;
/** No hold has this token. */
const RELEASED = -0x80000000;

// What guards may do to their mutex, and nobody else.
let release: (mutex: Mutex, token: number) => void;
let declareConsistent: (mutex: Mutex, token: number) => void;
let take: (mutex: Mutex, options: WaitOptions | undefined) => Hold;
let takeAsync: (mutex: Mutex, options: WaitOptions | undefined) => Promise<Hold>;

/**
 * A mutex of the process: the same name is the same lock in every thread and every copy. Not recursive.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export class Mutex {
  /** Bytes that a placed mutex takes. Zeroed memory is an unlocked mutex. */
  static readonly BYTES = MUTEX_BYTES;
  /** What the byte offset of a placed mutex is a multiple of. */
  static readonly ALIGN = LOCK_ALIGN;

  readonly #place: Place;
  // Copies of what the fast path needs: each property of a property costs a load.
  readonly #steps: LockSteps;
  readonly #at: number;
  readonly #spinner = new Spinner('lock');
  readonly #look = new LastLook();

  /** A mutex in the caller's own memory. @throws COEXIST_EINVAL */
  static at(buffer: LockMemory, offset: number): Mutex {
    return new Mutex(placed(buffer, offset, MUTEX_BYTES));
  }

  constructor(name: string, options?: NamedOptions);
  /** @internal */
  constructor(place: Place);
  constructor(where: string | Place, options?: NamedOptions) {
    const place = isPlace(where) ? where : named(where, 'mutex', () => ({ size: MUTEX_BYTES, holders: 0 }), options);
    this.#place = place;
    this.#steps = place.ground.steps;
    this.#at = place.at;
  }

  /**
   * Takes the lock, blocking this thread while another holds it. With `ownerDied` on the guard, the lock was taken over from a
   * thread that died holding it: repair what it protects, then call the guard's `markConsistent()`.
   * @throws COEXIST_EDEADLK (this thread holds it), COEXIST_ENOTRECOVERABLE, COEXIST_ETIMEDOUT, COEXIST_EABORTED,
   * COEXIST_EUNSUPPORTED (a thread that may not block), COEXIST_EINVAL; nothing is held then
   */
  lock(options?: WaitOptions): MutexGuard {
    // hot: one wasm call. A guard that does not escape costs no allocation.
    if (options === undefined) {
      const token = this.#steps.lock(this.#at);
      if (token !== 0) return new MutexGuard(this, token, false);
    }
    const { token, died } = this.#take(options);
    return new MutexGuard(this, token, died !== 0n);
  }

  /**
   * Takes the lock if nobody holds it; undefined if somebody does. Never waits. Asks at most every 50 ms whether the owner died, and
   * takes the lock over then.
   * @throws COEXIST_ENOTRECOVERABLE
   */
  tryLock(): MutexGuard | undefined {
    const token = this.#steps.lock(this.#at);
    if (token !== 0) return new MutexGuard(this, token, false);
    const hold = this.#look.takeOver(this.#place);
    return hold === undefined ? undefined : new MutexGuard(this, hold.token, hold.died !== 0n);
  }

  /**
   * As `lock()`, without blocking. Flows of one thread exclude each other too: each waits for its turn, and only the guard that
   * was returned can release the lock.
   * @throws (rejects) as `lock()`, but for COEXIST_EDEADLK
   */
  async lockAsync(options?: WaitOptions): Promise<MutexGuard> {
    const { token, died } = await this.#takeAsync(options);
    return new MutexGuard(this, token, died !== 0n);
  }

  /**
   * Releases the lock that this thread took with `lock()` or `tryLock()`, without its guard.
   * @throws COEXIST_ENOTOWNER; nothing changed
   */
  unlock(): void {
    this.#release(0);
  }

  #take(options: WaitOptions | undefined): Hold {
    const limits = new Limits(options, false);
    const token = this.#steps.lock(this.#at) || this.#spinner.lock(this.#steps, this.#at);
    if (token !== 0) return { token, died: 0n };
    return block(takeOwnerWord(this.#place, limits), this.#place.ground.views.i32);
  }

  async #takeAsync(options: WaitOptions | undefined): Promise<Hold> {
    const limits = new Limits(options, true);
    const token = this.#steps.lock(this.#at);
    if (token !== 0) return { token: guardToken(this.#place, token), died: 0n };
    return suspend(takeOwnerWord(this.#place, limits), this.#place.ground.views.i32, limits.signal);
  }

  #release(token: number): void {
    if (this.#steps.unlock(this.#at, token, WAKE_ONE) !== UNLOCK_DONE) unlockSlow(this.#place, token);
  }

  static {
    release = (mutex, token) => mutex.#release(token);
    declareConsistent = (mutex, token) => markConsistent(mutex.#place, token);
    take = (mutex, options) => mutex.#take(options);
    takeAsync = (mutex, options) => mutex.#takeAsync(options);
  }
}

/**
 * One hold of a mutex. It carries the hold's token: a guard that was released, or whose mutex has been taken again since,
 * releases nothing.
 */
export class MutexGuard {
  readonly mutex: Mutex;
  #token: number;
  #ownerDied: boolean;

  /** @internal */
  constructor(mutex: Mutex, token: number, ownerDied: boolean) {
    this.mutex = mutex;
    this.#token = token;
    this.#ownerDied = ownerDied;
  }

  /** Whether the lock was taken over from a thread that died holding it, and was not declared consistent yet. */
  get ownerDied(): boolean {
    return this.#ownerDied;
  }

  /** Whether this guard has not been released. */
  get held(): boolean {
    return this.#token !== RELEASED;
  }

  /**
   * Releases the lock. Where `ownerDied` holds still, the lock is out of use from now on: COEXIST_ENOTRECOVERABLE for everyone.
   * @throws COEXIST_ENOTOWNER when it was released already, or by another thread; nothing changed
   */
  unlock(): void {
    release(this.mutex, this.#token);
    this.#token = RELEASED;
  }

  /** As `unlock()`, but does nothing when this guard was released already. */
  [dispose](): void {
    if (this.#token !== RELEASED) this.unlock();
  }

  /**
   * Declares that what the lock protects is consistent again.
   * @throws COEXIST_EINVAL where no owner had died, COEXIST_ENOTOWNER
   */
  markConsistent(): void {
    declareConsistent(this.mutex, this.#token);
    this.#ownerDied = false;
  }

  /**
   * Takes the lock again after `unlock()`; this is what a Condvar does when its wait is over.
   * @throws as `Mutex.lock()`
   */
  relock(options?: WaitOptions): void {
    this.#hold(take(this.mutex, options));
  }

  /** As `relock()`, without blocking. */
  async relockAsync(options?: WaitOptions): Promise<void> {
    this.#hold(await takeAsync(this.mutex, options));
  }

  #hold({ token, died }: Hold): void {
    this.#token = token;
    this.#ownerDied = died !== 0n;
  }
}
