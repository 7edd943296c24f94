// Blocking waits without waiting: Atomics.wait returns at once, as if its time had passed, on a clock that moves on by just
// that. In between a test does what other threads would.

import { vi } from 'vitest';

export interface TakenSleep {
  readonly index: number;
  readonly value: number;
  /** ms, as the library asked for. */
  readonly ms: number;
}

const MOST = 1000;

/** Runs a step that blocks; `meanwhile` is called at each sleep, with the number of those before it. */
export function withSleeps<R>(
  step: () => R,
  meanwhile: (n: number, sleep: TakenSleep) => void = () => {},
): { readonly sleeps: TakenSleep[]; readonly result: R | undefined; readonly error: unknown } {
  const sleeps: TakenSleep[] = [];
  let passed = 0;
  const hrtime = process.hrtime;
  const clock = vi.spyOn(process, 'hrtime').mockImplementation(((since?: [number, number]) => {
    const [seconds, nanoseconds] = hrtime(since);
    const sum = nanoseconds + passed * 1e6;
    return [seconds + Math.floor(sum / 1e9), sum % 1e9];
  }) as never);
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation(((
    _: Int32Array,
    index: number,
    value: number,
    ms: number,
  ) => {
    if (sleeps.length === MOST) throw new Error(`more than ${MOST} sleeps`);
    const sleep = { index, value, ms };
    sleeps.push(sleep);
    meanwhile(sleeps.length - 1, sleep);
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
