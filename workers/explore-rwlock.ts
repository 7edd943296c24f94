// Explored: a writer (the first thread; with the variant writers, the first two) and readers under an RwLock. Readers may be inside
// together, a writer only alone. Variants: timeout, abort: the first thread's wait may end without the lock.

import type { ExploreContext } from '../src/explore.js';
import {
  CELL,
  dataOf,
  done,
  INSIDE,
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
export const names = { owner: 0, 'owner high': 4, token: 8, holders: 12, 'holders used': 16, cell: 3584 };

const HOLDERS = 4;
const READERS = INSIDE + 1;

function writerInside(context: ExploreContext): boolean {
  const writer = context.i32[INSIDE] as number;
  return writer !== 0 && writer !== context.index + 1 && !context.killed(writer - 1);
}

function readersInside(context: ExploreContext): number {
  let readers = 0;
  for (let k = 0; k < context.threads; k++) {
    if (k !== context.index && !context.killed(k)) readers += context.i32[READERS + k] as number;
  }
  return readers;
}

function run(context: ExploreContext): void {
  const { i32, index } = context;
  const { variant } = dataOf(context);
  const lock = libraryOf(context).RwLock.at(context.memory, 0, { holders: HOLDERS });
  const writes = index === 0 || (variant === 'writers' && index === 1);
  const options = limitsOf(context);
  unlessOver(context, () => {
    const guard = writes ? lock.write(options) : lock.read(options);
    if (guard.ownerDied) {
      told(context);
      if (guard.mode !== 'write') throw new Error('told of a dead writer, and only reading');
      guard.markConsistent();
    }
    if (writerInside(context)) throw new Error('a writer is inside too');
    if (guard.mode === 'write') {
      if (readersInside(context) > 0) throw new Error('a reader is inside too');
      i32[INSIDE] = index + 1;
      Atomics.store(i32, CELL, Atomics.load(i32, CELL) + 1);
      i32[INSIDE] = 0;
    } else {
      i32[READERS + index] = 1;
      const seen = Atomics.load(i32, CELL);
      if (writerInside(context) || Atomics.load(i32, CELL) !== seen) throw new Error('a writer was inside too');
      i32[READERS + index] = 0;
    }
    done(context);
    guard.unlock();
  });
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const sum = outcome(context);
  const owner = context.i64[0] as bigint;
  if (sum.killed > 0) return;
  if (owner !== 0n) throw new Error(`the owner word is ${owner} at the end`);
  for (let k = 0; k < HOLDERS; k++) {
    const count = context.i32[(64 + 16 * k + 8) / 4];
    if (count !== 0) throw new Error(`row ${k} counts ${count} at the end`);
  }
}
