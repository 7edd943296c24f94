// Explored: every thread calls a Once. Variants: throws (the first thread's initialiser throws; the others force), timeout, abort (the
// first thread's wait may end without a result).

import type { CoexistError } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import {
  CELL,
  dataOf,
  done,
  libraryOf,
  limitsOf,
  outcome,
  prepareLocks,
  setupLocks,
  threadsOf,
  told,
  unlessOver,
} from './explore-locks.js';

export const setup = setupLocks;
export const prepare = prepareLocks;
export const names = { state: 0, 'state high': 4, cell: 3584 };

function run(context: ExploreContext): void {
  const { i32, index } = context;
  const { variant } = dataOf(context);
  const once = libraryOf(context).Once.at(context.memory, 0);
  const options = limitsOf(context);
  const initialise = ({ ownerDied }: { ownerDied: boolean }): void => {
    if (ownerDied) told(context);
    // One that died may have been through with it.
    if (Atomics.load(i32, CELL) === 2 && !ownerDied) throw new Error('initialised twice');
    // Half-way, then whole.
    Atomics.store(i32, CELL, 1);
    if (variant === 'throws' && index === 0) throw new RangeError('planned');
    Atomics.store(i32, CELL, 2);
  };
  unlessOver(context, () => {
    try {
      if (variant === 'throws') once.callForce(initialise, options);
      else once.call(initialise, options);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error as CoexistError;
      done(context);
      return;
    }
    if (i32[CELL] !== 2 || !once.isCompleted()) throw new Error('returned before the initialiser had ended');
    done(context);
  });
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const sum = outcome(context);
  if (sum.killed === 0 && sum.told > 0) throw new Error('told of a death that was none');
  const state = context.i64[0] as bigint;
  if (sum.killed === 0 && sum.gaveUp === 0 && state >= 0n) throw new Error(`the state is ${state} at the end`);
}
