// A reader-writer lock that survives its holders (docs/ABI.md, clause 49). The writer's side is an owner word, as in a mutex. A reader
// counts in its own row and then looks at that word; a writer takes the word and then looks at the rows; so one of the two
// sees the other. A writer that waits keeps new readers out, so writers never starve; readers do where writers never pause.

import type { CoexistError } from '../abi/errors.js';
import { bytesWithHolders, LOCK_ALIGN, OWNER_DIED, PLACED_HOLDERS } from '../abi/sync.js';
import { dispose } from '../host/dispose.js';
import { type LockSteps, UNLOCK_DONE } from '../wasm/sync.js';
import {
  countIndex,
  type HoldersOptions,
  identityIndex,
  namedSize,
  ownRow,
  placedHolders,
  rowAt,
  settleHolders,
  takeRow,
} from './holders.js';
import {
  consistentAlready,
  contend,
  deadlock,
  guardToken,
  type Hold,
  isDead,
  LastLook,
  Looks,
  markConsistent,
  newToken,
  releasedAlready,
  requireRecoverable,
  restoreDead,
  takeOwnerWord,
  unlockSlow,
} from './owner-word.js';
import { isPlace, type LockMemory, type NamedOptions, named, type Place, placed } from './place.js';
import { Spinner } from './spin.js';
import { block, Limits, suspend, type Waiting, type WaitOptions } from './wait.js';

const WAKE_ALL = -1;
const NO_ROW = 0;

export interface RwLockOptions extends NamedOptions, HoldersOptions {}

/** A hold: to read, or to write, which a reader also gets that took the lock over from a dead writer. */
type RwHold = { readonly mode: 'read' } | (Hold & { readonly mode: 'write'; readonly readersDied: number });

const READING: RwHold = { mode: 'read' };

let release: (lock: RwLock, hold: RwHold) => void;
let declareConsistent: (lock: RwLock, token: number) => void;
let labelOf: (lock: RwLock) => string;

/**
 * A reader-writer lock of the process: the same name is the same lock in every thread and every copy.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export class RwLock {
  /** Bytes that a placed lock with 60 holders takes. Zeroed memory is an unlocked lock. */
  static readonly BYTES = bytesWithHolders(PLACED_HOLDERS);
  static readonly ALIGN = LOCK_ALIGN;

  readonly #place: Place;
  readonly #steps: LockSteps;
  readonly #at: number;
  readonly #spinner = new Spinner('lock');
  readonly #look = new LastLook();
  #row = NO_ROW;

  /** Bytes of a placed lock with so many holders. */
  static bytes(holders: number): number {
    return bytesWithHolders(placedHolders({ holders }));
  }

  /** A lock in the caller's own memory. @throws COEXIST_EINVAL, COEXIST_EKIND */
  static at(buffer: LockMemory, offset: number, options?: HoldersOptions): RwLock {
    const holders = placedHolders(options);
    return new RwLock(placed(buffer, offset, bytesWithHolders(holders), holders));
  }

  constructor(name: string, options?: RwLockOptions);
  /** @internal */
  constructor(place: Place);
  constructor(where: string | Place, options?: RwLockOptions) {
    this.#place = isPlace(where) ? where : named(where, 'rwlock', namedSize(options), options);
    this.#steps = this.#place.ground.steps;
    this.#at = this.#place.at;
    settleHolders(this.#place);
  }

  /**
   * Takes the lock to read, blocking while a writer holds it or waits for it. A thread that reads already may do so again at once.
   * Where a writer died holding it, the guard has `mode` 'write' and `ownerDied`: repair, then call `markConsistent()`.
   * @throws COEXIST_EDEADLK (this thread writes), COEXIST_EFULL (no row for one more thread), COEXIST_ENOTRECOVERABLE,
   * COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED, COEXIST_EINVAL; nothing is held then
   */
  read(options?: WaitOptions): RwLockGuard {
    const row = this.#own();
    const limits = options === undefined ? undefined : new Limits(options, false);
    // hot: one wasm call
    if (this.#steps.read_lock(this.#at, row) === 1) return new RwLockGuard(this, READING);
    return new RwLockGuard(
      this,
      this.#block(limits ?? new Limits(undefined, false), (l) => this.#read(l)),
    );
  }

  /** As `read()`, if no writer holds the lock or waits; undefined otherwise. Never waits. Asks at most every 50 ms whether one died. */
  tryRead(): RwLockGuard | undefined {
    if (this.#steps.read_lock(this.#at, this.#own()) === 1) return new RwLockGuard(this, READING);
    return this.#try(this.#look.takeOver(this.#place));
  }

  /**
   * As `read()`, without blocking. Queues behind a writer that waits, even where another flow of this thread reads.
   * @throws (rejects) as `read()`, but for COEXIST_EDEADLK
   */
  async readAsync(options?: WaitOptions): Promise<RwLockGuard> {
    this.#own();
    return new RwLockGuard(this, await this.#suspend(options, (l) => this.#read(l)));
  }

  /**
   * Takes the lock to write, blocking while others hold it.
   * @throws COEXIST_EDEADLK (this thread holds it), COEXIST_ENOTRECOVERABLE, COEXIST_ETIMEDOUT, COEXIST_EABORTED,
   * COEXIST_EUNSUPPORTED, COEXIST_EINVAL; nothing is held then
   */
  write(options?: WaitOptions): RwLockGuard {
    // hot: two wasm calls, where nobody holds it
    const token = options === undefined ? this.#steps.lock(this.#at) : 0;
    if (token === 0) {
      return new RwLockGuard(
        this,
        this.#block(new Limits(options, false), (limits) => this.#write(limits)),
      );
    }
    // A literal: spreading one object into another costs microseconds.
    const hold = { token, died: 0n, mode: 'write', readersDied: 0 } as const;
    if (this.#steps.next_reader(this.#at, 0) < 0) return new RwLockGuard(this, hold);
    return new RwLockGuard(
      this,
      this.#block(new Limits(undefined, false), (limits) => this.#alone(hold, limits)),
    );
  }

  /** As `write()`, if nobody holds the lock; undefined otherwise. Never waits. Asks at most every 50 ms whether a writer died. */
  tryWrite(): RwLockGuard | undefined {
    const token = this.#steps.lock(this.#at);
    return this.#try(token === 0 ? this.#look.takeOver(this.#place) : { token, died: 0n });
  }

  /** As `write()`, without blocking. @throws (rejects) as `write()`, but for COEXIST_EDEADLK */
  async writeAsync(options?: WaitOptions): Promise<RwLockGuard> {
    return new RwLockGuard(this, await this.#suspend(options, (limits) => this.#write(limits)));
  }

  #own(): number {
    if (this.#row === NO_ROW) this.#row = ownRow(this.#place) ?? takeRow(this.#place);
    return this.#row;
  }

  #block(limits: Limits, waiting: (limits: Limits) => Waiting<RwHold>): RwHold {
    return block(waiting(limits), this.#place.ground.views.i32);
  }

  #suspend(options: WaitOptions | undefined, waiting: (limits: Limits) => Waiting<RwHold>): Promise<RwHold> {
    const limits = new Limits(options, true);
    return suspend(waiting(limits), this.#place.ground.views.i32, limits.signal);
  }

  *#read(limits: Limits): Waiting<RwHold> {
    const hold = yield* contend<RwHold | Hold>(this.#place, limits, {
      enter: (seen) => {
        requireRecoverable(this.#place, seen);
        return seen === 0n && this.#steps.read_lock(this.#at, this.#row) === 1 ? READING : undefined;
      },
      mark: OWNER_DIED,
      adopt: (died) => ({ token: newToken(this.#place, limits.async), died }),
    });
    return 'mode' in hold ? hold : yield* this.#alone(hold, limits);
  }

  *#write(limits: Limits): Waiting<RwHold> {
    const token = this.#steps.lock(this.#at) || (limits.async ? 0 : this.#spinner.lock(this.#steps, this.#at));
    if (token === 0) this.#refuseUpgrade(limits);
    const hold =
      token === 0
        ? yield* takeOwnerWord(this.#place, limits)
        : { token: limits.async ? guardToken(this.#place, token) : token, died: 0n };
    if (this.#steps.next_reader(this.#at, 0) < 0) return { ...hold, mode: 'write', readersDied: 0 };
    return yield* this.#alone(hold, limits);
  }

  // A thread that reads would wait for itself, or for another that does the same.
  #refuseUpgrade(limits: Limits): void {
    if (limits.async) return;
    const row = this.#row === NO_ROW ? ownRow(this.#place) : this.#row;
    const count = row === undefined ? 0 : (this.#place.ground.views.i32[countIndex(row)] as number);
    if (count > 0) throw deadlock(this.#place);
  }

  // With the owner word taken: waits until nobody reads, or gives the word back.
  *#alone(hold: Hold, limits: Limits): Waiting<RwHold> {
    let alone = false;
    try {
      this.#refuseUpgrade(limits);
      const readersDied = yield* this.#drain(limits);
      alone = true;
      return { ...hold, mode: 'write', readersDied };
    } finally {
      if (!alone) this.#giveBack(hold);
    }
  }

  *#drain(limits: Limits): Waiting<number> {
    const { i32, i64 } = this.#place.ground.views;
    const looks = new Looks();
    let died = 0;
    for (let k = this.#steps.next_reader(this.#at, 0); k >= 0; ) {
      const row = rowAt(this.#place, k);
      const count = Atomics.load(i32, countIndex(row));
      const reader = Atomics.load(i64, identityIndex(row));
      // The count of a row that is free, or being prepared, is what a dead reader left.
      if (count !== 0 && reader > 0n) {
        const over = limits.over(this.#place.label);
        if ((looks.due() || over !== undefined) && isDead(this.#place, reader)) {
          if (Atomics.compareExchange(i64, identityIndex(row), reader, 0n) === reader) died++;
          continue;
        }
        if (over !== undefined) throw over;
        looks.woke(yield { index: countIndex(row), value: count, ms: limits.slice() });
        continue;
      }
      k = this.#steps.next_reader(this.#at, k + 1);
    }
    return died;
  }

  // What a `try` makes of a hold of the owner word: nothing, where somebody reads.
  #try(hold: Hold | undefined): RwLockGuard | undefined {
    if (hold === undefined) return undefined;
    try {
      return new RwLockGuard(
        this,
        this.#block(new Limits({ timeout: 0 }, false), (limits) => this.#alone(hold, limits)),
      );
    } catch (error) {
      const { code } = error as CoexistError;
      if (code === 'COEXIST_ETIMEDOUT' || code === 'COEXIST_EDEADLK') return undefined;
      throw error;
    }
  }

  #giveBack({ token, died }: Hold): void {
    if (died !== 0n) restoreDead(this.#place, died);
    else this.#unlock(token);
  }

  #unlock(token: number): void {
    if (this.#steps.unlock(this.#at, token, WAKE_ALL) !== UNLOCK_DONE) unlockSlow(this.#place, token);
  }

  #release(hold: RwHold): void {
    if (hold.mode === 'write') this.#unlock(hold.token);
    else if (this.#steps.read_unlock(this.#at, this.#row) === 0) throw releasedAlready(this.#place.label);
  }

  static {
    release = (lock, hold) => lock.#release(hold);
    declareConsistent = (lock, token) => markConsistent(lock.#place, token);
    labelOf = (lock) => lock.#place.label;
  }
}

/** One hold of a reader-writer lock. */
export class RwLockGuard {
  readonly lock: RwLock;
  /** 'read', or 'write' alone. */
  readonly mode: 'read' | 'write';
  /** How many readers had died holding the lock, which is all there is to it: they changed nothing. */
  readonly readersDied: number;
  #hold: RwHold | undefined;
  #ownerDied: boolean;

  /** @internal */
  constructor(lock: RwLock, hold: RwHold) {
    this.lock = lock;
    this.mode = hold.mode;
    this.readersDied = hold.mode === 'write' ? hold.readersDied : 0;
    this.#hold = hold;
    this.#ownerDied = hold.mode === 'write' && hold.died !== 0n;
  }

  /** Whether the lock was taken over from a writer that died holding it, and was not declared consistent yet. */
  get ownerDied(): boolean {
    return this.#ownerDied;
  }

  /** Whether this guard has not been released. */
  get held(): boolean {
    return this.#hold !== undefined;
  }

  /**
   * Releases the lock. Where `ownerDied` holds still, the lock is out of use from now on: COEXIST_ENOTRECOVERABLE for everyone.
   * @throws COEXIST_ENOTOWNER when it was released already; nothing changed
   */
  unlock(): void {
    if (this.#hold === undefined) throw releasedAlready(labelOf(this.lock));
    release(this.lock, this.#hold);
    this.#hold = undefined;
  }

  /** As `unlock()`, but does nothing when this guard was released already. */
  [dispose](): void {
    if (this.#hold !== undefined) this.unlock();
  }

  /**
   * Declares that what the lock protects is consistent again.
   * @throws COEXIST_EINVAL where no writer had died, COEXIST_ENOTOWNER
   */
  markConsistent(): void {
    if (this.#hold === undefined) throw releasedAlready(labelOf(this.lock));
    if (this.#hold.mode === 'read') throw consistentAlready(labelOf(this.lock));
    declareConsistent(this.lock, this.#hold.token);
    this.#ownerDied = false;
  }
}
