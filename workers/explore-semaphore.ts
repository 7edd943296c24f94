// Explored: a section per thread under a Semaphore of one permit. Variants: signal (no permits to begin with: the last thread
// releases one for each of the others; not with kills), timeout, abort (the first thread may give up).

import type { ExploreContext } from '../src/explore.js';
import {
  checkCell,
  dataOf,
  done,
  libraryOf,
  limitsOf,
  outcome,
  prepareLocks,
  section,
  setupLocks,
  threadsOf,
  unlessOver,
} from './explore-locks.js';

export const setup = setupLocks;
export const prepare = prepareLocks;
export const names = {
  owner: 0,
  'owner high': 4,
  token: 8,
  holders: 12,
  'holders used': 16,
  permits: 20,
  released: 24,
  turn: 28,
  waiters: 32,
  cell: 3584,
};

const HOLDERS = 4;

function run(context: ExploreContext): void {
  const { index } = context;
  const { variant } = dataOf(context);
  const permits = variant === 'signal' ? 0 : 1;
  const semaphore = libraryOf(context).Semaphore.at(context.memory, 0, { permits, holders: HOLDERS });
  if (variant === 'signal') {
    if (index === context.threads - 1) semaphore.release(context.threads - 1);
    else semaphore.acquire().forget();
    done(context);
    return;
  }
  const options = limitsOf(context);
  unlessOver(context, () => {
    const guard = semaphore.acquire(options);
    section(context);
    guard.release();
  });
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const sum = outcome(context);
  if (dataOf(context).variant !== 'signal') checkCell(context, sum);
  if (sum.killed > 0) return;
  const [owner, waiters] = [context.i64[0] as bigint, context.i32[8] as number];
  if (owner !== 0n) throw new Error(`the inner lock is ${owner} at the end`);
  if (waiters !== 0) throw new Error('waiters are expected at the end');
  for (let k = 0; k < HOLDERS; k++) {
    if (context.i64[(64 + 16 * k) / 8] !== 0n) throw new Error(`row ${k} is taken at the end`);
  }
}
