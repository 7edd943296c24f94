// Waits without waiting. Blocking ones: Atomics.wait returns at once, as if its time had passed, on a clock that stands still but
// for that; in between a test does what other threads would. Asynchronous ones: their deadline comes while they sleep.

import { vi } from 'vitest';

export interface TakenSleep {
  readonly index: number;
  readonly value: number;
  /** ms, as the library asked for. */
  readonly ms: number;
}

const MOST = 1000;
const { hrtime } = process;
type Time = [seconds: number, nanoseconds: number];

const sum = ([seconds, nanoseconds]: Time, ms: number): Time => {
  const total = nanoseconds + Math.round(ms * 1e6);
  return [seconds + Math.floor(total / 1e9), total % 1e9];
};
const at = (time: () => Time) => vi.spyOn(process, 'hrtime').mockImplementation(time as never);

/** Runs a step that blocks; `meanwhile` is called at each sleep, with the number of those before it. 'woken' ends the sleep at once. */
export function withSleeps<R>(
  step: () => R,
  meanwhile: (n: number, sleep: TakenSleep) => unknown = () => {},
): { readonly sleeps: TakenSleep[]; readonly result: R | undefined; readonly error: unknown } {
  const sleeps: TakenSleep[] = [];
  let passed = 0;
  const start = hrtime();
  const clock = at(() => sum(start, passed));
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation(((
    _: Int32Array,
    index: number,
    value: number,
    ms: number,
  ) => {
    if (sleeps.length === MOST) throw new Error(`more than ${MOST} sleeps`);
    const sleep = { index, value, ms };
    sleeps.push(sleep);
    if (meanwhile(sleeps.length - 1, sleep) === 'woken') return 'ok';
    // A little more than what was asked for, as a sleep takes.
    passed += ms + 0.1;
    return 'timed-out';
  }) as never);
  try {
    return { sleeps, result: step(), error: undefined };
  } catch (error) {
    return { sleeps, result: undefined, error };
  } finally {
    clock.mockRestore();
    wait.mockRestore();
  }
}

/** Starts an asynchronous wait, and lets its time run out once it sleeps. */
export async function outOfTime<R>(start: (options: { timeout: number }) => Promise<R>): Promise<R> {
  const timeout = 1e6;
  const attempt = start({ timeout });
  // It finds out at the end of its bounded sleep.
  const clock = at(() => sum(hrtime(), timeout));
  try {
    return await attempt;
  } finally {
    clock.mockRestore();
  }
}
