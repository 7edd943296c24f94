// A barrier for a fixed number of parties that breaks when one of them dies (docs/ABI.md, clause 51). Arrivals are counted in
// the parties' own rows, under the inner lock; the last one of a phase moves the phase on, which is the word that all wait on.

import { CoexistError, invalid } from '../abi/errors.js';
import { BARRIER, bytesWithHolders, HOLDER, LOCK_ALIGN, PHASE_BROKEN, PLACED_HOLDERS } from '../abi/sync.js';
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
import { isDead, Looks } from './owner-word.js';
import { isPlace, type LockMemory, type NamedOptions, named, type Place, placed } from './place.js';
import { Spinner } from './spin.js';
import { block, Limits, suspend, type Waiting, type WaitOptions } from './wait.js';

export interface BarrierOptions extends HoldersOptions {
  /** How many arrivals complete a phase, 1 or more. */
  readonly parties: number;
}

/**
 * A barrier of the process: the same name is the same one in every thread and every copy. A thread is a party from its first
 * `join()` or `wait()` until its `leave()`.
 * @throws COEXIST_EKIND (also: made for other parties), COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export class Barrier {
  /** Bytes that a placed barrier with 60 holders takes. Zeroed memory is one that is still to be made. */
  static readonly BYTES = bytesWithHolders(PLACED_HOLDERS);
  static readonly ALIGN = LOCK_ALIGN;

  readonly #place: Place;
  readonly #parties: number;
  readonly #spinner = new Spinner('event');

  /** Bytes of a placed barrier with so many holders. */
  static bytes(holders: number): number {
    return bytesWithHolders(placedHolders({ holders }));
  }

  /** A barrier in the caller's own memory. @throws COEXIST_EINVAL, COEXIST_EKIND */
  static at(buffer: LockMemory, offset: number, options: BarrierOptions): Barrier {
    const holders = placedHolders(options);
    return new Barrier(placed(buffer, offset, bytesWithHolders(holders), holders), options);
  }

  constructor(name: string, options: BarrierOptions & NamedOptions);
  /** @internal */
  constructor(place: Place, options: BarrierOptions);
  constructor(where: string | Place, options: BarrierOptions & NamedOptions) {
    const parties = options?.parties;
    if (!Number.isInteger(parties) || parties < 1 || parties > 0x7fffffff) {
      throw invalid('parties', parties, 'an integer from 1 to 2147483647');
    }
    this.#place = isPlace(where) ? where : named(where, 'barrier', namedSize(options), options);
    this.#parties = parties;
    settleHolders(this.#place);
    settle(this.#place, BARRIER.parties, 'parties', parties);
  }

  /** Makes this thread a party before its first `wait()`, so that the barrier breaks if it dies before. @throws COEXIST_EBROKEN, COEXIST_EFULL */
  join(): void {
    this.#inside(() => this.#row());
  }

  /** Ends this thread's part; what it arrived for in the present phase goes with it. */
  leave(): void {
    const { i32, i64 } = this.#place.ground.views;
    this.#inside(() => {
      const row = ownRow(this.#place);
      if (row === undefined) return;
      Atomics.store(i32, countIndex(row), 0);
      Atomics.store(i64, identityIndex(row), 0n);
    });
  }

  /**
   * Arrives, and blocks until all parties have; true for the one that came last. A wait that throws for its time or its signal has
   * not arrived.
   * @throws COEXIST_EBROKEN (a party died), COEXIST_EFULL, COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED, COEXIST_EINVAL
   */
  wait(options?: WaitOptions): boolean {
    const limits = new Limits(options, false);
    return block(this.#wait(limits), this.#place.ground.views.i32);
  }

  /** As `wait()`, without blocking. Each flow that waits counts as a party. */
  async waitAsync(options?: WaitOptions): Promise<boolean> {
    const limits = new Limits(options, true);
    return suspend(this.#wait(limits), this.#place.ground.views.i32, limits.signal);
  }

  *#wait(limits: Limits): Waiting<boolean> {
    const { i32 } = this.#place.ground.views;
    const index = this.#word('phase');
    const phase = yield* this.#arrive(limits);
    if (phase < 0) return true;
    const looks = new Looks();
    let arrived = true;
    let spun = limits.async;
    try {
      for (;;) {
        const now = Atomics.load(i32, index);
        if (now !== phase) {
          arrived = false;
          if (now === (phase | PHASE_BROKEN)) throw broken(this.#place);
          return false;
        }
        if (!spun) {
          spun = true;
          if (this.#spinner.look(this.#place.ground.steps, index * 4, phase)) continue;
        }
        const over = limits.over(this.#place.label);
        // Once more before giving up: a wait shorter than a slice must not miss a death for ever.
        if ((looks.due() || over !== undefined) && this.#partyDied()) {
          this.#break(phase);
          continue;
        }
        if (over === undefined) looks.woke(yield { index, value: phase, ms: limits.slice() });
        else if (yield* this.#withdraw(phase, limits)) {
          arrived = false;
          throw over;
        }
      }
    } finally {
      // A host that lets nobody block here has ended the wait: it must not count as an arrival.
      if (arrived) block(this.#withdraw(phase, limits), i32);
    }
  }

  // The phase to wait for, or -1 where this arrival has completed it.
  *#arrive(limits: Limits): Waiting<number> {
    const { i32 } = this.#place.ground.views;
    const index = this.#word('phase');
    let last = false;
    const token = yield* enter(this.#place, limits.async);
    try {
      const phase = Atomics.load(i32, index);
      if (phase < 0) throw broken(this.#place);
      const row = this.#row();
      // The order matters: a count belongs to the phase in its row.
      if (Atomics.load(i32, phaseIndex(row)) !== phase) {
        Atomics.store(i32, countIndex(row), 0);
        Atomics.store(i32, phaseIndex(row), phase);
      }
      Atomics.store(i32, countIndex(row), Atomics.load(i32, countIndex(row)) + 1);
      if (this.#arrived(phase) < this.#parties) return phase;
      // Unless a waiter has just found a party dead.
      if (Atomics.compareExchange(i32, index, phase, (phase + 1) & ~PHASE_BROKEN) !== phase) throw broken(this.#place);
      last = true;
      return -1;
    } finally {
      leave(this.#place, token);
      if (last) Atomics.notify(i32, index);
    }
  }

  // True where the phase had not come to its end, so that this arrival could be taken back.
  *#withdraw(phase: number, limits: Limits): Waiting<boolean> {
    const { i32 } = this.#place.ground.views;
    const token = yield* enter(this.#place, limits.async);
    try {
      if (Atomics.load(i32, this.#word('phase')) !== phase) return false;
      const row = ownRow(this.#place);
      if (row !== undefined) Atomics.sub(i32, countIndex(row), 1);
      return true;
    } finally {
      leave(this.#place, token);
    }
  }

  #arrived(phase: number): number {
    const { i32, i64 } = this.#place.ground.views;
    let arrived = 0;
    for (let k = 0, end = rowsUsed(this.#place); k < end; k++) {
      const row = rowAt(this.#place, k);
      const here = Atomics.load(i32, phaseIndex(row)) === phase && Atomics.load(i64, identityIndex(row)) > 0n;
      if (here) arrived += Atomics.load(i32, countIndex(row));
    }
    return arrived;
  }

  #partyDied(): boolean {
    const { i64 } = this.#place.ground.views;
    for (let k = 0, end = rowsUsed(this.#place); k < end; k++) {
      const party = Atomics.load(i64, identityIndex(rowAt(this.#place, k)));
      if (party > 0n && isDead(this.#place, party)) return true;
    }
    return false;
  }

  // A new party must not take a dead one's row, and its place with it: that one breaks the barrier.
  #row(): number {
    const row = ownRow(this.#place);
    if (row !== undefined) return row;
    if (this.#partyDied()) throw this.#break(Atomics.load(this.#place.ground.views.i32, this.#word('phase')));
    return takeRow(this.#place);
  }

  #break(phase: number): CoexistError {
    const { i32 } = this.#place.ground.views;
    const index = this.#word('phase');
    if (Atomics.compareExchange(i32, index, phase, phase | PHASE_BROKEN) === phase) Atomics.notify(i32, index);
    return broken(this.#place);
  }

  #inside(change: () => void): void {
    const { i32 } = this.#place.ground.views;
    const token = block(enter(this.#place, false), i32);
    try {
      change();
    } finally {
      leave(this.#place, token);
    }
  }

  #word(field: keyof typeof BARRIER): number {
    return (this.#place.at + BARRIER[field].offset) >>> 2;
  }
}

const phaseIndex = (row: number): number => (row + HOLDER.phase.offset) >>> 2;

function broken(place: Place): CoexistError {
  return new CoexistError('COEXIST_EBROKEN', `a party of ${place.label} died`, {
    found: 'a broken barrier',
    expected: 'parties that live, or leave() before they end',
    remedy: 'Make a new barrier for the threads that are left.',
  });
}
