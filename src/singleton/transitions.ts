// The transitions of a singleton (docs/ABI.md, clause 67; the states are in src/abi/singleton.ts), each under the inner lock. One
// store of the state word makes it so: a thread that dies anywhere leaves either the old state or the new one, with an actor whose
// death the next one finds.

import {
  INSTANCE_HOSTED,
  INSTANCE_MEMORY,
  SINGLETON_CONSTRUCTING,
  SINGLETON_DYING,
  SINGLETON_EMPTY,
  SINGLETON_FAILED,
  SINGLETON_FINALIZING,
  SINGLETON_LIVE,
} from '../abi/singleton.js';
import { enterKnowing, leave } from '../sync/inner-lock.js';
import { isDead } from '../sync/owner-word.js';
import { block, type Waiting } from '../sync/wait.js';
import { exists, failed, type Refusal, recursion, refused } from './errors.js';
import {
  actorOf,
  generationOf,
  phaseOf,
  type Record,
  stateOf,
  storeActor,
  storeWord,
  wordIndex,
  wordOf,
} from './record.js';
import { anyCounts, countUp } from './rows.js';
import { type InstanceType, typeNumbered } from './types.js';

/** What a declaration wants of its singleton. */
export interface Plan {
  readonly type: InstanceType;
  /** `INSTANCE_`, as its constructor notes it. */
  readonly kind: number;
  /** Why this declaration cannot construct here. */
  readonly refusal: Refusal | undefined;
  /** Memory: the user's finalizer, run in this thread between FINALIZING and EMPTY. */
  finalize(): void;
  /** Hosted: tells the creator that there is something to do; again, where it has not done it for a while. */
  ring(creator: bigint, again: boolean): void;
}

export interface Wanted {
  /** Only an instance that this very call constructs. */
  readonly fresh: boolean;
  /** Also after a constructor threw. */
  readonly retry: boolean;
}

/** An instance that was joined, whose reference is counted; or that is now this thread's to construct. */
export interface Claimed {
  readonly word: number;
  readonly constructing: boolean;
}

/** How `step` looks at the state. */
export interface Look {
  /** Whether the wait turns the event loop, so that other flows of this thread may end it. */
  readonly async: boolean;
  /** Whether it is time to ask if the actor lives. */
  readonly actor: boolean;
  /** This thread's own row. */
  readonly row: number;
  /** What this copy's constructor threw in this generation, if it did. */
  thrown(generation: number): unknown;
}

export function become(record: Record, state: number): void {
  storeWord(record, 'state', state);
  Atomics.notify(record.place.ground.views.i32, wordIndex(record, 'state'));
}

export const empty = (record: Record, state: number): void =>
  become(record, stateOf(SINGLETON_EMPTY, generationOf(state) + 1));

export const isHosted = (record: Record): boolean => wordOf(record, 'kind') === INSTANCE_HOSTED;
export const isActor = (record: Record): boolean => actorOf(record) === record.place.ground.self;
const actorDied = (record: Record): boolean => isDead(record.place, actorOf(record));

/** Whether a live instance has gone with its creator. */
export const creatorDied = (record: Record): boolean => wordOf(record, 'kind') !== INSTANCE_MEMORY && actorDied(record);

/** Whether the instance is of the declared type. */
export const sameType = (record: Record, { type }: Plan): boolean => wordOf(record, 'type') === type.number;

/** One attempt to join or to construct; undefined while others are at it. */
export function step(record: Record, plan: Plan, wanted: Wanted, look: Look): Claimed | undefined {
  const state = wordOf(record, 'state');
  const generation = generationOf(state);
  const phase = phaseOf(state);
  const waitsForItself = !look.async && isActor(record);
  if (phase === SINGLETON_EMPTY) return begin(record, plan, generation);
  if (phase === SINGLETON_FAILED) {
    if (wanted.retry) return begin(record, plan, generation + 1);
    throw failed(record, look.thrown(generation));
  }
  if (phase === SINGLETON_LIVE && creatorDied(record)) {
    empty(record, state);
    return begin(record, plan, generation + 1);
  }
  if (phase === SINGLETON_LIVE || phase === SINGLETON_CONSTRUCTING) {
    if (phase === SINGLETON_CONSTRUCTING) {
      if (waitsForItself) throw recursion(record, 'constructor');
      if (look.actor && actorDied(record)) return begin(record, plan, generation + 1);
    }
    if (wanted.fresh || !sameType(record, plan)) {
      throw exists(record, typeNumbered(record.core, wordOf(record, 'type')), plan.type);
    }
    if (phase === SINGLETON_CONSTRUCTING) return undefined;
    countUp(record, look.row, state);
    return { word: state, constructing: false };
  }
  if (waitsForItself && phase === SINGLETON_FINALIZING) throw recursion(record, 'finalizer');
  return resume(record, look.actor) ? begin(record, plan, generation + 1) : undefined;
}

/** DYING or FINALIZING: goes on for a dead actor. True where the singleton is empty then. */
export function resume(record: Record, ask: boolean): boolean {
  const state = wordOf(record, 'state');
  const died = ask && actorDied(record);
  if (phaseOf(state) === SINGLETON_FINALIZING || isHosted(record)) {
    if (died) empty(record, state);
    return died;
  }
  // Whoever leaves the lock as the actor goes on to finalize.
  if (died) storeActor(record, record.place.ground.self);
  return false;
}

function begin(record: Record, { refusal, type, kind }: Plan, generation: number): Claimed {
  if (refusal !== undefined) throw refused(record, refusal);
  storeActor(record, record.place.ground.self);
  storeWord(record, 'type', type.number);
  storeWord(record, 'kind', kind);
  become(record, stateOf(SINGLETON_CONSTRUCTING, generation));
  return { word: stateOf(SINGLETON_LIVE, generation), constructing: true };
}

/** Hosted, DYING: the creator, this thread, finalizes it from now on. The state that ends it, 0 where it is another's or not dying. */
export function beginEnding(record: Record, word: number): number {
  const generation = generationOf(word);
  const dying = wordOf(record, 'state') === stateOf(SINGLETON_DYING, generation);
  if (!dying || !isHosted(record) || !isActor(record)) return 0;
  const ending = stateOf(SINGLETON_FINALIZING, generation);
  storeWord(record, 'state', ending);
  return ending;
}

/** LIVE: DYING, unless a row counts. Returns the creator that is to be told, 0n if none is. */
export function endUnheld(record: Record, word: number): bigint {
  storeWord(record, 'state', stateOf(SINGLETON_DYING, generationOf(word)));
  if (anyCounts(record, word)) {
    become(record, word);
    return 0n;
  }
  if (isHosted(record)) return toTell(record, word);
  storeActor(record, record.place.ground.self);
  return 0n;
}

/** Hosted, and DYING although this thread did not make it so: whoever did may have died over it. As `endUnheld`. */
export function endDying(record: Record, word: number): bigint {
  const dying = wordOf(record, 'state') === stateOf(SINGLETON_DYING, generationOf(word));
  return dying && isHosted(record) ? toTell(record, word) : 0n;
}

function toTell(record: Record, word: number): bigint {
  if (!actorDied(record)) return actorOf(record);
  empty(record, word);
  return 0n;
}

// Whoever was inside before has stopped between DYING and the answer whether anybody holds the instance.
function repair(record: Record): void {
  const state = wordOf(record, 'state');
  if (phaseOf(state) !== SINGLETON_DYING) return;
  const word = stateOf(SINGLETON_LIVE, generationOf(state));
  if (anyCounts(record, word)) become(record, word);
  else if (!isHosted(record)) storeActor(record, record.place.ground.self);
}

/** Takes the inner lock; the token to leave it with. */
export function* enterRecord(record: Record, async: boolean): Waiting<number> {
  const { token, inherited } = yield* enterKnowing(record.place, async);
  if (inherited) repair(record);
  return token;
}

/** Leaves the inner lock. Not 0: the state of a memory instance that this thread has to finalize now. */
export function leaveRecord(record: Record, token: number): number {
  const state = wordOf(record, 'state');
  let ending = 0;
  if (phaseOf(state) === SINGLETON_DYING && !isHosted(record) && isActor(record)) {
    ending = stateOf(SINGLETON_FINALIZING, generationOf(state));
    storeWord(record, 'state', ending);
  }
  leave(record.place, token);
  return ending;
}

/** Acts under the inner lock, blocking for a few steps of others. Returns what `leaveRecord` does. */
export function locked(record: Record, act: () => void): number {
  const { steps, views } = record.place.ground;
  const token = steps.lock(record.place.at) || block(enterRecord(record, false), views.i32);
  let ending = 0;
  try {
    act();
  } finally {
    ending = leaveRecord(record, token);
  }
  return ending;
}
