// What a stress thread does inside a lock: says that it is there, in a cell that must have been empty, and adds to a plain counter
// in two halves, so that a second thread inside would be seen or would lose an update.

import process from 'node:process';
import { DEATHS, type Death, EXIT_CODE } from './stress-ledger.js';
import { type LockLedger, STATE } from './stress-lock-ledger.js';
import type { Random } from './stress-random.js';

/** Thrown through a section that its thread will never leave. */
export class Dying {
  readonly how: Death;
  constructor(how: Death) {
    this.how = how;
  }
}

/** A hold of a lock that says whether an owner died. */
export interface Hold {
  readonly ownerDied: boolean;
  markConsistent(): void;
}

export interface Section {
  readonly me: number;
  readonly random: Random;
  readonly ledger: LockLedger;
  /** To be called before the lock is taken. */
  taking(): void;
  /** Right behind it. */
  enter(hold: Hold): void;
  /** The work that the lock protects. */
  add(): void;
  /** Before the lock is released. */
  leave(): void;
  /** Behind it. */
  left(): void;
  /** Nothing was taken after all. */
  gaveUp(): void;
  /** Throws where this thread has been told to die. */
  obey(): void;
  /** As `obey()`, but for the deaths that run no handler, as others would see a lock half released. */
  obeyAtOnce(): void;
  /** Wastes a little time. */
  dally(): void;
  operation(): void;
}

/** Does not come back. */
export function dieAtOnce(how: 'exit' | 'oom', leaving: () => void): void {
  leaving();
  if (how === 'exit') process.exit(EXIT_CODE);
  // Small objects: with large ones, later versions of Node collect garbage for ever instead of giving up.
  let list: unknown = null;
  for (;;) list = { list, kept: [1, 2, 3] };
}

const MOST_DALLY = 40;
/** One section in so many keeps the lock across a sleep, so that the others sleep too. */
const REST_EVERY = 4000;
const REST_MS = 1;

export function createSection(me: number, random: Random, ledger: LockLedger, hush: boolean): Section {
  const { i32, control } = ledger;
  const state = (value: number): void => ledger.set(me, 'state', value);

  function dally(): void {
    let sum = 0;
    for (let k = random.below(MOST_DALLY); k > 0; k--) sum += i32[control.owner] as number;
    if (sum < 0) throw new Error('a thread has no negative number');
    if (random.below(REST_EVERY) === 0) Atomics.wait(i32, control.stop, 0, REST_MS);
  }

  function obey(): void {
    const how = DEATHS[ledger.get(me, 'command') - 1];
    if (how !== undefined) throw new Dying(how);
  }

  function obeyAtOnce(): void {
    const how = DEATHS[ledger.get(me, 'command') - 1];
    if (how === 'exit' || how === 'oom') dieAtOnce(how, () => ledger.set(me, 'leaving', 1));
  }

  return {
    me,
    random,
    ledger,
    taking: () => state(STATE.taking),
    enter(hold) {
      const before = Atomics.load(i32, control.owner);
      // `hush` plants the fault that nobody is told.
      const died = hold.ownerDied && !hush;
      if (hold.ownerDied) {
        if (died) ledger.bump(me, 'told');
        hold.markConsistent();
      }
      if (before !== 0 && !died && !hush) ledger.violate('two inside', me, 0, before);
      if (before !== 0 && died && !ledger.takeOver(before)) ledger.violate('death told twice', me, 1, before);
      Atomics.store(i32, control.owner, me);
      state(STATE.inside);
    },
    add() {
      obey();
      ledger.set(me, 'adding', 1);
      const value = i32[control.counter] as number;
      dally();
      i32[control.counter] = value + 1;
      ledger.bump(me, 'added');
      ledger.set(me, 'adding', 0);
      obey();
    },
    leave() {
      const found = Atomics.load(i32, control.owner);
      if (found !== me) ledger.violate('two inside', me, me, found);
      state(STATE.leaving);
      Atomics.store(i32, control.owner, 0);
    },
    left: () => state(STATE.outside),
    gaveUp() {
      state(STATE.outside);
      ledger.bump(me, 'givenUp');
    },
    obey,
    obeyAtOnce,
    dally,
    operation: () => ledger.bump(me, 'operations'),
  };
}
