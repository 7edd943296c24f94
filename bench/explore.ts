// The schedule explorer: how many schedules of a mutex it runs in a minute. Absolute, unlike the other topics: the bar is one.

import { type ExploreContext, explore } from 'coexist/explore';
import type { Row, Topic } from './kit.js';

const PER_MINUTE = 100_000;
const MINUTE_MS = 60_000;
const ROUNDS = 7;
/** Enough for a second or two. */
const PREEMPTIONS = 6;

/** A futex mutex of three states, taken twice by each thread. */
function twice({ i32 }: ExploreContext): void {
  for (let k = 0; k < 2; k++) {
    if (Atomics.compareExchange(i32, 0, 0, 1) !== 0) {
      while (Atomics.exchange(i32, 0, 2) !== 0) Atomics.wait(i32, 0, 2);
    }
    Atomics.store(i32, 1, Atomics.load(i32, 1) + 1);
    if (Atomics.exchange(i32, 0, 0) === 2) Atomics.notify(i32, 0, 1);
  }
}

async function rates(): Promise<number[]> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { failure, exhausted, allSchedules, ms } = await explore({
      threads: [twice, twice],
      maxPreemptions: PREEMPTIONS,
      after: ({ i32 }) => i32[1] === 4,
    });
    if (failure !== undefined || !exhausted) throw new Error(`the search failed: ${failure?.error.message}`);
    // Starting and ending the threads included.
    found.push((allSchedules / ms) * (MINUTE_MS / PER_MINUTE));
  }
  return found.sort((a, b) => a - b);
}

async function mutex(): Promise<Row[]> {
  const sorted = await rates();
  const ratio = sorted[ROUNDS >> 1] as number;
  const what = `schedules a minute of a 2-thread mutex, in units of ${PER_MINUTE}`;
  const bar = { atLeast: 1 };
  const [low, high] = [sorted[0] as number, sorted.at(-1) as number];
  return [{ what, ratio, low, high, rounds: ROUNDS, bar, met: ratio >= bar.atLeast }];
}

export const explorer: Topic = { mutex };
