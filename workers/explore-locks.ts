// What the explored lock programs share: a lock made anew in every schedule, a critical section that notices company, and words
// that a thread leaves behind for the check at the end. Those are plain accesses, so they are no steps of the schedule.

import type * as core from '../src/core.js';
import type { WaitOptions } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { loadCore, type ProtocolData } from './explore-area.js';

interface LockData extends ProtocolData {
  readonly kills: number;
  readonly variant?: string | undefined;
}

export interface LockState {
  readonly lib: typeof core;
}

/** Word indices behind the explored locks. */
export const CELL = 896;
export const INSIDE = 897;
const DONE = 904;
const GAVE_UP = 912;
const TOLD = 920;

/** A dead owner is found, and the lock taken over, within this much virtual time. */
const TAKE_OVER_MS = 200;

export const dataOf = (context: ExploreContext): LockData => context.data as LockData;
export const libraryOf = (context: ExploreContext): typeof core => (context.state as LockState).lib;

/** The wasm runs on wasm memory only: on any other, both backends would be the twin. */
export function setupLocks(context: ExploreContext): SharedArrayBuffer | core.LockMemory {
  if (dataOf(context).backend === 'twin') return context.memory;
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
}

export const prepareLocks = async (context: ExploreContext): Promise<LockState> => ({ lib: await loadCore(context) });

export const threadsOf =
  (run: (context: ExploreContext) => void) =>
  (data: unknown): ((context: ExploreContext) => void)[] =>
    Array.from({ length: (data as LockData).threads }, () => run);

/** A read and a write that are lost if anybody else is inside. */
export function section(context: ExploreContext): void {
  const { i32, index } = context;
  const company = i32[INSIDE] as number;
  if (company !== 0 && !context.killed(company - 1)) throw new Error(`thread ${company - 1} is inside too`);
  i32[INSIDE] = index + 1;
  const seen = Atomics.load(i32, CELL);
  Atomics.store(i32, CELL, seen + 1);
  i32[INSIDE] = 0;
  i32[DONE + index]!++;
}

export function told(context: ExploreContext): void {
  context.i32[TOLD + context.index]!++;
}

export function done(context: ExploreContext): void {
  context.i32[DONE + context.index]!++;
}

/** Runs what may end with its time or its signal; true where it did not. */
export function unlessOver(context: ExploreContext, run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    const { code } = error as core.CoexistError;
    if (code !== 'COEXIST_ETIMEDOUT' && code !== 'COEXIST_EABORTED') throw error;
    context.i32[GAVE_UP + context.index]!++;
    return false;
  }
}

// A signal that is, by choice, aborted at the second look or later.
function chosenSignal(context: ExploreContext): AbortSignal {
  let looks = 0;
  return {
    get aborted() {
      return looks++ > 0 && context.choose(2) === 1;
    },
    reason: new Error('chosen'),
  } as AbortSignal;
}

/** How the first thread may end its wait, where the variant says so; the others wait without end. */
export function limitsOf(context: ExploreContext): WaitOptions | undefined {
  const { variant } = dataOf(context);
  if (context.index > 0) return undefined;
  if (variant === 'abort') return { signal: chosenSignal(context) };
  return variant === 'timeout' ? { timeout: 30 } : undefined;
}

export interface Outcome {
  readonly done: number;
  readonly gaveUp: number;
  readonly told: number;
  readonly killed: number;
}

/**
 * What every lock promises: each thread that was not killed has done its part or given up, and nobody had to wait for a bounded sleep to
 * end unless somebody died.
 */
export function outcome(context: ExploreContext, partsOf: (index: number) => number = () => 1): Outcome {
  const { i32, threads } = context;
  const sum = { done: 0, gaveUp: 0, told: 0, killed: 0 };
  for (let k = 0; k < threads; k++) {
    const [finished, left] = [i32[DONE + k] as number, i32[GAVE_UP + k] as number];
    if (context.killed(k)) sum.killed++;
    else if (finished + left !== partsOf(k)) throw new Error(`thread ${k} did ${finished}, gave up ${left}`);
    sum.done += finished;
    sum.gaveUp += left;
    sum.told += i32[TOLD + k] as number;
  }
  const allowed = sum.killed > 0 ? TAKE_OVER_MS * sum.killed : 0;
  const limit = dataOf(context).variant === 'timeout' ? Number.POSITIVE_INFINITY : allowed;
  if (context.elapsed() > limit) throw new Error(`${context.elapsed()} ms passed while nobody could run`);
  return sum;
}

/** No update of the sections was lost: only those of killed threads may be missing from, or ahead of, the ledgers. */
export function checkCell(context: ExploreContext, { done: finished, killed }: Outcome): void {
  const cell = context.i32[CELL] as number;
  if (cell < finished || cell > finished + killed)
    throw new Error(`cell ${cell}, ledgers ${finished}, killed ${killed}`);
}
