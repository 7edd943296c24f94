// Explored: one section per thread under a Mutex. Variants: timeout (the first thread waits 30 ms at most), abort (its signal may be
// aborted at any look; the others come twice, so that they can be faster than one that was woken).

import type { Mutex } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import {
  checkCell,
  dataOf,
  libraryOf,
  limitsOf,
  outcome,
  prepareLocks,
  section,
  setupLocks,
  threadsOf,
  told,
  unlessOver,
} from './explore-locks.js';

export const setup = setupLocks;
export const prepare = prepareLocks;
export const names = { owner: 0, 'owner high': 4, token: 8, cell: 3584 };

function run(context: ExploreContext): void {
  const mutex: Mutex = libraryOf(context).Mutex.at(context.memory, 0);
  for (let part = 0; part < partsOf(context, context.index); part++) once(context, mutex);
}

const partsOf = (context: ExploreContext, index: number): number =>
  dataOf(context).variant === 'abort' && index > 0 ? 2 : 1;

function once(context: ExploreContext, mutex: Mutex): void {
  unlessOver(context, () => {
    const guard = mutex.lock(limitsOf(context));
    if (guard.ownerDied) {
      told(context);
      guard.markConsistent();
    }
    section(context);
    guard.unlock();
  });
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const sum = outcome(context, (index) => partsOf(context, index));
  checkCell(context, sum);
  const owner = context.i64[0] as bigint;
  // A wait that ended without the lock has left no trace either.
  if (sum.killed === 0 && owner !== 0n) throw new Error(`the owner word is ${owner} at the end`);
  if (sum.killed === 0 && sum.told > 0) throw new Error('told of a death that was none');
  if (sum.told > sum.killed) throw new Error(`${sum.killed} killed, told ${sum.told} times`);
}
