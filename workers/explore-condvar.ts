// Explored: the last thread makes a condition true under a mutex and notifies; the others wait for it. Variants: bare (wait() in a
// loop; not with kills, since its maker may die before it notifies), each (one notify() for each waiter instead of notifyAll()), timeout, abort (the first waiter may give up).

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
export const names = {
  owner: 0,
  'owner high': 4,
  token: 8,
  sequence: 64,
  waiters: 68,
  wakes: 72,
  taken: 76,
  ready: 3584,
};

const CONDVAR = 64;

function run(context: ExploreContext): void {
  const { i32, index } = context;
  const { variant } = dataOf(context);
  const lib = libraryOf(context);
  const mutex = lib.Mutex.at(context.memory, 0);
  const condvar = lib.Condvar.at(context.memory, CONDVAR);
  const guard = mutex.lock();
  const repair = (): void => {
    if (!guard.ownerDied) return;
    told(context);
    guard.markConsistent();
  };
  repair();
  if (index === context.threads - 1) {
    Atomics.store(i32, CELL, 1);
    guard.unlock();
    if (variant === 'each') for (let k = 1; k < context.threads; k++) condvar.notify();
    else condvar.notifyAll();
    done(context);
    return;
  }
  const options = limitsOf(context);
  // Nobody is left to make it true if its maker was killed.
  const maker = context.threads - 1;
  const ready = (): boolean => {
    repair();
    return Atomics.load(i32, CELL) === 1 || context.killed(maker);
  };
  const finished = unlessOver(context, () => {
    if (variant === 'bare') while (!ready()) condvar.wait(guard, options);
    else condvar.waitFor(guard, ready, options);
  });
  repair();
  if (finished) done(context);
  guard.unlock();
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const sum = outcome(context);
  if (sum.killed > 0) return;
  const owner = context.i64[0] as bigint;
  if (owner !== 0n) throw new Error(`the owner word is ${owner} at the end`);
  const waiters = context.i32[CONDVAR / 4 + 1];
  if (waiters !== 0) throw new Error(`${waiters} waiters are counted at the end`);
}
