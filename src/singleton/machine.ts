// A declared singleton in one copy of one thread: references are counted in the thread's own row (docs/ABI.md, clause 68), everything
// else is a transition under the inner lock.

import { INSTANCE_MEMORY, SINGLETON_DYING, SINGLETON_FAILED, SINGLETON_LIVE } from '../abi/singleton.js';
import { serveOthers } from '../call/bell.js';
import { host } from '../host/host.js';
import { countIndex } from '../sync/holders.js';
import { Looks } from '../sync/owner-word.js';
import { type Limits, SLICE_MS, type Waiting } from '../sync/wait.js';
import { recursion } from './errors.js';
import {
  actorOf,
  generationOf,
  noteCause,
  phaseOf,
  type Record,
  stateOf,
  storeWord,
  wordIndex,
  wordOf,
} from './record.js';
import { anyCounts, countUp, freeDead, ownRow, phaseIndex } from './rows.js';
import {
  become,
  beginEnding,
  type Claimed,
  creatorDied,
  empty,
  endDying,
  endUnheld,
  enterRecord,
  isActor,
  leaveRecord,
  locked,
  type Plan,
  resume,
  sameType,
  step,
  type Wanted,
} from './transitions.js';

const NO_ROW = 0;
/** Neither a live word nor what `get` returns otherwise. */
const UNKNOWN = -2;

export class Machine {
  readonly record: Record;
  readonly plan: Plan;
  readonly #at: number;
  readonly #state: number;
  readonly #i32: Int32Array<SharedArrayBuffer>;
  #row = NO_ROW;
  #count = 0;
  #phase = 0;
  /** The live word that was last seen to be of this declaration's type, and not to go with its creator. */
  #known = UNKNOWN;
  #asked = Number.NEGATIVE_INFINITY;
  /** The live word that is looked at again later; 0: none is. */
  #askLaterOf = 0;
  #thrown: { readonly generation: number; readonly error: unknown } | undefined;

  constructor(record: Record, plan: Plan) {
    this.record = record;
    this.plan = plan;
    this.#at = record.place.at;
    this.#i32 = record.place.ground.views.i32;
    this.#state = wordIndex(record, 'state');
  }

  /** Whether a reference of this live word is void. DYING is none but a question to one that is counted. */
  isGone(word: number): boolean {
    const state = Atomics.load(this.#i32, this.#state);
    return state !== word && state !== stateOf(SINGLETON_DYING, generationOf(word));
  }

  /** Counts a reference to what lives; its live word, or 0 where nothing of this type does. */
  get(): number {
    // hot: a plain load and one wasm call. Another type's instance is not counted even for a moment: it may be let go in that.
    if (this.#i32[this.#state] !== this.#known && !sameType(this.record, this.plan)) return 0;
    const word = this.#row === NO_ROW ? 0 : this.record.steps.get(this.#at, this.#row);
    return word === this.#known ? word : this.#getSlow(word);
  }

  /** Takes a reference back; the last one ends the instance. Passes on what its finalizer threw. */
  release(word: number): void {
    const count = this.#i32[this.#count] as number;
    const counts = this.#i32[this.#phase] === word;
    // hot: owner-only plain. Another reference of this thread counts still, so nobody has to look.
    if (counts && count > 1) {
      this.#i32[this.#count] = count - 1;
      return;
    }
    // Counted for another instance, or for none: the reference is void.
    if (!counts || count === 0) return;
    Atomics.store(this.#i32, this.#count, count - 1);
    if (count === 1) this.letGo(word);
  }

  /** Counts a reference under the lock, or makes the instance this thread's to construct. Waits while others are at it. */
  *claim(limits: Limits, wanted: Wanted): Waiting<Claimed> {
    const { record } = this;
    const looks = new Looks();
    const row = this.row();
    const thrown = (generation: number): unknown =>
      this.#thrown?.generation === generation ? this.#thrown.error : undefined;
    for (let first = true; ; first = false) {
      const token = yield* enterRecord(record, limits.async);
      const over = limits.over(record.place.label);
      // Once more before giving up: a wait shorter than a slice must not miss a dead actor for ever.
      const actor = first || looks.due() || over !== undefined;
      let claimed: Claimed | undefined;
      let state = 0;
      let ending = 0;
      try {
        claimed = step(record, this.plan, wanted, { async: limits.async, actor, row, thrown });
        state = wordOf(record, 'state');
      } finally {
        ending = leaveRecord(record, token);
      }
      if (claimed !== undefined) return claimed;
      if (ending !== 0) {
        this.#finishQuietly(ending);
        continue;
      }
      // Not in the lock: where this thread is the creator, it finalizes at once.
      if (phaseOf(state) === SINGLETON_DYING) this.plan.ring(actorOf(record), true);
      if (over !== undefined) throw over;
      if (!limits.async) {
        // The other thread may need what this one serves.
        serveOthers();
        // Below one of its methods: it cannot end before that does, which would wait here.
        if (phaseOf(state) === SINGLETON_DYING && isActor(record) && this.#isState(state)) {
          throw recursion(record, 'finalizer');
        }
      }
      looks.woke(yield { index: this.#state, value: state, ms: limits.slice() });
    }
  }

  /** The constructor has returned: this thread's reference first, then LIVE. */
  constructed(word: number, epoch: number): void {
    const row = this.row();
    locked(this.record, () => {
      countUp(this.record, row, word);
      storeWord(this.record, 'epoch', epoch);
      become(this.record, word);
    });
  }

  /** The constructor has thrown. */
  threw(word: number, error: unknown): void {
    const generation = generationOf(word);
    this.#thrown = { generation, error };
    locked(this.record, () => {
      noteCause(this.record, error);
      become(this.record, stateOf(SINGLETON_FAILED, generation));
    });
  }

  /** Subtracts what dead threads hold, and goes on where one of them has stopped; how many references that were. */
  reclaim(): number {
    let freed = 0;
    let creator = 0n;
    const ending = locked(this.record, () => {
      const state = wordOf(this.record, 'state');
      const phase = phaseOf(state);
      if (phase === SINGLETON_LIVE) {
        freed = freeDead(this.record, state);
        if (creatorDied(this.record)) empty(this.record, state);
        else creator = endUnheld(this.record, state);
      } else if (phase > SINGLETON_LIVE && phase !== SINGLETON_FAILED) {
        resume(this.record, true);
        if (phase === SINGLETON_DYING) creator = actorOf(this.record);
      }
    });
    this.#end(creator, ending);
    return freed;
  }

  /** Ends the instance unless somebody holds it; this thread has just let go of a reference. */
  letGo(word: number): void {
    if (this.record.steps.next_counted(this.#at, word, 0) >= 0) {
      // A look at /proc costs more than all the rest: once in a slice, and then again later.
      const now = host.now();
      if (now - this.#asked < SLICE_MS) {
        this.#askLater(word);
        return;
      }
      this.#asked = now;
      if (anyCounts(this.record, word)) return;
    }
    let creator = 0n;
    const ending = locked(this.record, () => {
      creator = this.#isState(word) ? endUnheld(this.record, word) : endDying(this.record, word);
    });
    this.#end(creator, ending);
  }

  /** Hosted: begins to finalize, in the creator's thread; see `beginEnding`. */
  beginEnding(word: number): number {
    let ending = 0;
    locked(this.record, () => {
      ending = beginEnding(this.record, word);
    });
    return ending;
  }

  /** Whether nobody holds the instance of this live word any more, as far as one look tells. */
  isDying(word: number): boolean {
    return this.#isState(stateOf(SINGLETON_DYING, generationOf(word)));
  }

  /** Empties what has gone with its creator. True where the reference of this live word is void then. */
  lostCreator(word: number): boolean {
    if (this.#isState(word) && creatorDied(this.record)) {
      locked(this.record, () => {
        if (this.#isState(word)) empty(this.record, word);
      });
    }
    return this.isGone(word);
  }

  /** The finalizer has ended, with an error or without. */
  finalized(ending: number): void {
    locked(this.record, () => {
      if (this.#isState(ending)) empty(this.record, ending);
    });
  }

  /** This thread's own row, taken if it has none. @throws COEXIST_EFULL */
  row(): number {
    if (this.#row === NO_ROW) {
      const row = ownRow(this.record);
      this.#count = countIndex(row);
      this.#phase = phaseIndex(row);
      this.#row = row;
    }
    return this.#row;
  }

  #isState(state: number): boolean {
    return Atomics.load(this.#i32, this.#state) === state;
  }

  #getSlow(counted: number): number {
    let word = counted;
    if (word <= 0) {
      const phase = phaseOf(wordOf(this.record, 'state'));
      // DYING may be a question still, answered under the lock. What else is not LIVE has nothing to give out.
      if (counted === 0 && phase !== SINGLETON_LIVE && phase !== SINGLETON_DYING) return 0;
      word = this.#getLocked(counted !== 0);
    }
    if (word === 0 || word === this.#known) return word;
    if (!sameType(this.record, this.plan)) {
      this.release(word);
      return 0;
    }
    if (wordOf(this.record, 'kind') === INSTANCE_MEMORY) this.#known = word;
    else if (this.#lostNow(word)) return 0;
    return word;
  }

  // `provisional`: the row counts this one already, for a live word that was over, or in question, when it was looked at again.
  #getLocked(provisional: boolean): number {
    const row = this.row();
    let word = 0;
    const ending = locked(this.record, () => {
      const state = wordOf(this.record, 'state');
      if (phaseOf(state) === SINGLETON_LIVE && sameType(this.record, this.plan)) {
        if (!provisional || this.#i32[this.#phase] !== state) countUp(this.record, row, state);
        word = state;
      } else if (provisional) {
        Atomics.store(this.#i32, this.#count, 0);
      }
    });
    if (ending !== 0) this.#finishQuietly(ending);
    else if (word === 0 && phaseOf(wordOf(this.record, 'state')) === SINGLETON_DYING) {
      // Whoever let go may have died before it told the creator.
      this.plan.ring(actorOf(this.record), true);
    }
    return word;
  }

  // Whether an instance that goes with its creator has done so; asked once in a slice.
  #lostNow(word: number): boolean {
    const now = host.now();
    if (now - this.#asked < SLICE_MS) return false;
    this.#asked = now;
    return this.lostCreator(word);
  }

  #askLater(word: number): void {
    const asks = this.#askLaterOf !== 0;
    // Perhaps another instance by then: the last one that was let go counts.
    this.#askLaterOf = word;
    if (asks) return;
    host.later(SLICE_MS, () => {
      const word = this.#askLaterOf;
      this.#askLaterOf = 0;
      if (this.isGone(word)) return;
      try {
        this.letGo(word);
      } catch (error) {
        this.#warn(error);
      }
    });
  }

  // What is left to do outside the lock.
  #end(creator: bigint, ending: number): void {
    if (creator !== 0n) this.plan.ring(creator, false);
    if (ending !== 0) this.#finish(ending);
  }

  // Another declaration's instance has no finalizer here.
  #finish(ending: number): void {
    try {
      if (sameType(this.record, this.plan)) this.plan.finalize();
    } finally {
      this.finalized(ending);
    }
  }

  #finishQuietly(ending: number): void {
    try {
      this.#finish(ending);
    } catch (error) {
      this.#warn(error);
    }
  }

  #warn(error: unknown): void {
    host.warn(`the finalizer of ${this.record.place.label} threw: ${String(error)}`, 'COEXIST_EFAILED');
  }
}
