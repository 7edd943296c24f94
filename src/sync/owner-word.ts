// The slow paths of the owner word that every lock begins with (docs/ABI.md, clauses 42 and 43); its states are in
// src/abi/sync.ts, its fast paths in src/wasm. A thread may be terminated after any single operation here: what it holds is
// taken over by a waiter that finds it dead, and a wake-up that dies with it costs the others one bounded sleep.

import { CoexistError } from '../abi/errors.js';
import { IDENTITY_MASK, MUTEX, NOT_RECOVERABLE, OWNER_DIED, TOKEN_GUARDED, WAITERS } from '../abi/sync.js';
import { host } from '../host/host.js';
import type { Place } from './place.js';
import { type Limits, SLICE_MS, type Waiting } from './wait.js';

const index64 = ({ at }: Place): number => (at + MUTEX.owner.offset) >>> 3;
const tokenIndex = ({ at }: Place): number => (at + MUTEX.token.offset) >>> 2;
const indexHigh = ({ at }: Place): number => (at + MUTEX.owner.offset + 4) >>> 2;
export const highOf = (word: bigint): number => Number(BigInt.asIntN(32, word >> 32n));

/** Whether the thread of this identity is proven dead. */
export const isDead = (place: Place, identity: bigint): boolean =>
  identity !== place.ground.self && host.liveness(identity, place.ground.self) === 'dead';

/**
 * Says when it is time to ask whether somebody lives, since a look at /proc costs microseconds: behind a sleep that nobody ended,
 * and once per slice where others keep waking this thread.
 */
export class Looks {
  #early = Number.POSITIVE_INFINITY;
  #due = false;

  /** How a sleep has ended. */
  woke(timedOut: boolean): void {
    const now = timedOut ? 0 : host.now();
    this.#due = timedOut || now - this.#early >= SLICE_MS;
    if (this.#due) this.#early = Number.POSITIVE_INFINITY;
    else this.#early = Math.min(this.#early, now);
  }

  due(): boolean {
    const due = this.#due;
    this.#due = false;
    return due;
  }
}

/** A hold of a lock: the token it is released with, and the dead owner it was taken over from, 0n if none. */
export interface Hold {
  readonly token: number;
  readonly died: bigint;
}

/** What a thread wants of an owner word. */
export interface Contender<T> {
  /**
   * Tries with the word as it was just seen; undefined where it has to wait or to look again. `waited` says that others may be
   * waiting whom this thread knows nothing of.
   */
  enter(seen: bigint, waited: boolean): T | undefined;
  /** What the word becomes, besides the new owner, when it is taken over from a dead one. */
  readonly mark: bigint;
  /** The result of having taken the word over. */
  adopt(died: bigint): T;
}

/**
 * Tries until it enters, or takes the word over from a dead owner. Leaves no trace where it throws.
 * @throws COEXIST_EDEADLK, COEXIST_ETIMEDOUT, COEXIST_EABORTED
 */
export function* contend<T>(place: Place, limits: Limits, { enter, mark, adopt }: Contender<T>): Waiting<T> {
  const { views, self } = place.ground;
  const { i64 } = views;
  const [index, high] = [index64(place), indexHigh(place)];
  const looks = new Looks();
  let waited = false;
  try {
    for (;;) {
      const seen = Atomics.load(i64, index);
      const entered = enter(seen, waited);
      if (entered !== undefined) {
        waited = false;
        return entered;
      }
      const owner = seen & IDENTITY_MASK;
      if (owner === 0n) continue;
      if (owner === self && !limits.async) throw deadlock(place);
      const over = limits.over(place.label);
      // Once more before giving up: a wait shorter than a slice must not miss a dead owner for ever.
      if ((looks.due() || over !== undefined) && isDead(place, owner)) {
        if (Atomics.compareExchange(i64, index, seen, mark | self | WAITERS) !== seen) continue;
        waited = false;
        return adopt(owner);
      }
      if (over !== undefined) throw over;
      const marked = seen | WAITERS;
      if (seen !== marked && Atomics.compareExchange(i64, index, seen, marked) !== seen) continue;
      waited = true;
      looks.woke(yield { index: high, value: highOf(marked), ms: limits.slice() });
    }
  } finally {
    if (waited) withdraw(place);
  }
}

/**
 * Takes the lock, waiting for it.
 * @throws as `contend`, and COEXIST_ENOTRECOVERABLE
 */
export function takeOwnerWord(place: Place, limits: Limits): Waiting<Hold> {
  const { views, self } = place.ground;
  const taken = (died: bigint): Hold => ({ token: newToken(place, limits.async), died });
  return contend(place, limits, {
    enter(seen, waited) {
      requireRecoverable(place, seen);
      // One that has waited does not know whether others still do: its own unlock will wake the next.
      const mine = waited ? self | WAITERS : self;
      return seen === 0n && Atomics.compareExchange(views.i64, index64(place), 0n, mine) === 0n ? taken(0n) : undefined;
    },
    mark: OWNER_DIED,
    adopt: taken,
  });
}

/** @throws COEXIST_ENOTRECOVERABLE */
export function requireRecoverable(place: Place, seen: bigint): void {
  if (seen === NOT_RECOVERABLE) throw notRecoverable(place);
}

/** Gives a lock back that was taken over from a dead owner, as it was found: the next waiter takes it over in its turn. */
export function restoreDead(place: Place, died: bigint): void {
  const { i32, i64 } = place.ground.views;
  Atomics.store(i64, index64(place), OWNER_DIED | died | WAITERS);
  Atomics.notify(i32, indexHigh(place));
}

// The bit says that somebody may be waiting. It may have been this thread alone, so the bit goes; others that wait wake up and
// set it again. They must wake in any case: this thread may have taken a wake-up with it that was meant for one of them.
function withdraw(place: Place): void {
  const { i32, i64 } = place.ground.views;
  const index = index64(place);
  for (;;) {
    const seen = Atomics.load(i64, index);
    if ((seen & WAITERS) === 0n || Atomics.compareExchange(i64, index, seen, seen & ~WAITERS) === seen) break;
  }
  Atomics.notify(i32, indexHigh(place));
}

/** Takes the lock over if its owner is dead, without waiting; asks no more than once per slice. */
export class LastLook {
  #at = Number.NEGATIVE_INFINITY;

  /** @throws COEXIST_ENOTRECOVERABLE */
  takeOver(place: Place): Hold | undefined {
    const { i64 } = place.ground.views;
    const seen = Atomics.load(i64, index64(place));
    const owner = seen & IDENTITY_MASK;
    requireRecoverable(place, seen);
    const now = host.now();
    if (owner === 0n || now - this.#at < SLICE_MS) return undefined;
    this.#at = now;
    if (!isDead(place, owner)) return undefined;
    const mine = OWNER_DIED | place.ground.self | WAITERS;
    if (Atomics.compareExchange(i64, index64(place), seen, mine) !== seen) return undefined;
    return { token: newToken(place, false), died: owner };
  }
}

/** A new token for a lock that this thread has just taken; a signed integer, so that engines keep it small. */
export function newToken(place: Place, guarded: boolean): number {
  const { i32 } = place.ground.views;
  const index = tokenIndex(place);
  const next = ((i32[index] as number) + 1) & ~TOKEN_GUARDED || 1;
  const token = guarded ? next | TOKEN_GUARDED : next;
  // Owner-only plain: nobody else writes it while this thread holds the lock.
  i32[index] = token;
  return token;
}

/** Makes the hold of this token one that only its guard can release. */
export function guardToken(place: Place, token: number): number {
  const guarded = token | TOKEN_GUARDED;
  place.ground.views.i32[tokenIndex(place)] = guarded;
  return guarded;
}

/**
 * What is left to do for an unlock that was not the plain case: the lock of a dead owner that was never declared consistent
 * cannot be recovered any more; everything else is an error.
 * @throws COEXIST_ENOTOWNER; nothing changed
 */
export function unlockSlow(place: Place, token: number): void {
  const { i32, i64 } = place.ground.views;
  requireOwner(place, token);
  Atomics.store(i64, index64(place), NOT_RECOVERABLE);
  Atomics.notify(i32, indexHigh(place));
}

/**
 * Declares what the lock protects consistent again.
 * @throws COEXIST_ENOTOWNER, and COEXIST_EINVAL where no owner had died; nothing changed
 */
export function markConsistent(place: Place, token: number): void {
  const { i64 } = place.ground.views;
  for (;;) {
    const seen = requireOwner(place, token);
    if (seen >= 0n) throw consistentAlready(place.label);
    if (Atomics.compareExchange(i64, index64(place), seen, BigInt.asIntN(64, seen ^ OWNER_DIED)) === seen) return;
  }
}

// The owner word if this thread holds the lock under this token.
function requireOwner(place: Place, token: number): bigint {
  const { i32, i64 } = place.ground.views;
  const seen = Atomics.load(i64, index64(place));
  const owner = seen & IDENTITY_MASK;
  const held = i32[tokenIndex(place)] as number;
  if (owner === place.ground.self && (held === token || (token === 0 && held >= 0))) return seen;
  throw notOwner(place, owner);
}

export function consistentAlready(label: string): CoexistError {
  return new CoexistError('COEXIST_EINVAL', `${label} is consistent`, {
    found: 'a lock that was not taken over from a dead owner, or was marked already',
    expected: 'a guard with ownerDied',
    remedy: 'Call markConsistent() once, and only where ownerDied is true.',
  });
}

export function releasedAlready(label: string): CoexistError {
  return new CoexistError('COEXIST_ENOTOWNER', `this guard of ${label} was released already`, {
    found: 'a released guard',
    expected: 'a guard that is held',
    remedy: 'Release each guard once, in the thread that took it.',
  });
}

export function notOwner(place: Place, owner: bigint): CoexistError {
  let holder = `thread ${owner} holds it`;
  if (owner === 0n) holder = 'nobody holds it';
  else if (owner === place.ground.self) holder = 'this thread holds it under another guard';
  return new CoexistError('COEXIST_ENOTOWNER', `${place.label} cannot be released here: ${holder}`, {
    found: owner,
    expected: place.ground.self,
    remedy: 'Release each guard once, in the thread that took it.',
  });
}

export function deadlock(place: Place): CoexistError {
  return new CoexistError('COEXIST_EDEADLK', `this thread holds ${place.label} already and would wait for itself`, {
    found: place.ground.self,
    expected: 'another owner',
    remedy: 'Release it first, or wait asynchronously for the flow that holds it.',
  });
}

function notRecoverable(place: Place): CoexistError {
  return new CoexistError(
    'COEXIST_ENOTRECOVERABLE',
    `the owner of ${place.label} died, and who took it over did not declare it consistent`,
    {
      found: 'a lock that is out of use for ever',
      expected: 'markConsistent() before the unlock of a guard with ownerDied',
      remedy: 'Make a new lock, and what it protects anew.',
    },
  );
}
