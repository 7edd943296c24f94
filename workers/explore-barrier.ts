// Explored: every thread passes a Barrier, two threads twice; exactly one comes last each time. Variant timeout (not with kills): the
// first thread may withdraw from the first phase, and then comes again. With a kill, the others may find the barrier broken.

import type { CoexistError } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import {
  CELL,
  dataOf,
  done,
  libraryOf,
  outcome,
  prepareLocks,
  setupLocks,
  threadsOf,
  unlessOver,
} from './explore-locks.js';

export const setup = setupLocks;
export const prepare = prepareLocks;
export const names = { owner: 0, 'owner high': 4, token: 8, 'holders used': 16, parties: 20, phase: 24, 'led 0': 3584 };

const MOST_PHASES = 2;
const phasesOf = (context: ExploreContext): number => (context.threads === 2 ? MOST_PHASES : 1);
/** A thread killed before it first came is not known to the others: they give up. */
const UNKNOWN_MS = 150;
const ARRIVED = CELL + 40;
const WITHDRAWN = ARRIVED + MOST_PHASES;

function run(context: ExploreContext): void {
  const { i32, index, threads } = context;
  const barrier = libraryOf(context).Barrier.at(context.memory, 0, { parties: threads, holders: threads + 1 });
  try {
    for (let phase = 0; phase < phasesOf(context); phase++) {
      i32[ARRIVED + phase]!++;
      if (index === 0 && phase === 0 && dataOf(context).variant === 'timeout') {
        let led = false;
        const passed = unlessOver(context, () => {
          led = barrier.wait({ timeout: 30 });
        });
        if (!passed) {
          i32[WITHDRAWN] = 1;
          led = barrier.wait();
        }
        if (led) i32[CELL + phase]!++;
      } else if (barrier.wait(dataOf(context).kills > 0 ? { timeout: UNKNOWN_MS } : undefined)) i32[CELL + phase]!++;
      if ((i32[ARRIVED + phase] as number) < threads) throw new Error(`passed phase ${phase} before all had arrived`);
    }
  } catch (error) {
    const { code } = error as CoexistError;
    if (code !== 'COEXIST_EBROKEN' && code !== 'COEXIST_ETIMEDOUT') throw error;
    let killed = false;
    for (let k = 0; k < threads; k++) killed ||= context.killed(k);
    if (!killed) throw error;
  }
  if ((i32[WITHDRAWN] as number) === 0 || index > 0) done(context);
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const { killed } = outcome(context);
  if (killed > 0) return;
  for (let phase = 0; phase < phasesOf(context); phase++) {
    if (context.i32[CELL + phase] !== 1) throw new Error(`${context.i32[CELL + phase]} came last in phase ${phase}`);
  }
}
