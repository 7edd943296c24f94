// The short lock inside a semaphore, a barrier or a ring: an owner word held for a few steps, never across a sleep. Each of those
// steps is complete by itself, so there is nothing to repair when its owner died: whoever takes it over goes on.

import { IDENTITY_MASK, RWLOCK } from '../abi/sync.js';
import { UNLOCK_DONE } from '../wasm/sync.js';
import { markConsistent, newToken, takeOwnerWord, unlockSlow } from './owner-word.js';
import type { Place } from './place.js';
import { Limits, type Waiting } from './wait.js';

const WAKE_ONE = 1;

/** Takes it; the token to leave with. Bounded by what the others do inside, so limits need no deadline. */
export function* enter(place: Place, async: boolean, limits = new Limits(undefined, async)): Waiting<number> {
  return (yield* enterKnowing(place, async, limits)).token;
}

/**
 * The same, and whether a thread was inside that did not leave: one that died, or this one, which was cut there.
 * @throws COEXIST_ETIMEDOUT
 */
export function* enterKnowing(
  place: Place,
  async: boolean,
  limits = new Limits(undefined, async),
): Waiting<{ readonly token: number; readonly inherited: boolean }> {
  const { steps, views, self } = place.ground;
  const fast = steps.lock(place.at);
  if (fast !== 0) return { token: fast, inherited: false };
  // Held by this thread: it was cut inside, by a vm timeout, since nothing of it is inside now.
  const seen = Atomics.load(views.i64, (place.at + RWLOCK.owner.offset) >>> 3);
  if ((seen & IDENTITY_MASK) === self) {
    return { token: settled(place, newToken(place, false), seen < 0n), inherited: true };
  }
  const { token, died } = yield* takeOwnerWord(place, limits);
  return { token: settled(place, token, died !== 0n), inherited: died !== 0n };
}

function settled(place: Place, token: number, inconsistent: boolean): number {
  if (inconsistent) markConsistent(place, token);
  return token;
}

export function leave(place: Place, token: number): void {
  if (place.ground.steps.unlock(place.at, token, WAKE_ONE) !== UNLOCK_DONE) unlockSlow(place, token);
}
