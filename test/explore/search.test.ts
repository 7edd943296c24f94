// The search itself: right programs raise no alarm, random schedules (PCT) find and replay, budgets and signals end it.

import { getEventListeners } from 'node:events';
import { type ExploreContext, type ExploreProgress, explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { checkThenSet, lostUpdate, mutex, threePreemptions, thrice, twice } from './toys.js';

describe('a right mutex', () => {
  test.each([
    ['2 threads, 3 preemptions', twice(mutex), 3, 2],
    ['3 threads, 2 preemptions', thrice(mutex), 2, 3],
  ])('%s: no alarm', async (_, threads, maxPreemptions, count) => {
    for (const timeouts of ['idle', 'any'] as const) {
      const result = await explore({
        threads,
        maxPreemptions,
        timeouts,
        after: ({ i32, elapsed }) => {
          if (i32[0] !== 0) throw new Error('the lock stays locked');
          if (elapsed() !== 0) throw new Error('time has passed');
          return i32[1] === (i32[2] as number);
        },
        setup: new Function('{ i32 }', `i32[2] = ${count}`) as (context: ExploreContext) => void,
      });
      expect(result).toMatchObject({ failure: undefined, exhausted: true });
      expect(result.schedules).toBeGreaterThan(30);
    }
  });

  test('3 threads, 3 preemptions, at random: no alarm', async () => {
    const result = await explore({
      threads: thrice(mutex),
      mode: 'random',
      maxPreemptions: 3,
      seed: 2026,
      budget: { schedules: 500 },
      after: ({ i32 }) => i32[0] === 0 && i32[1] === 3,
    });
    expect(result).toMatchObject({ failure: undefined, allSchedules: 500, exhausted: false, seed: 2026 });
  });

  test('a spinning one ends, whatever spins', async () => {
    const spinning = ({ i32 }: ExploreContext) => {
      while (Atomics.compareExchange(i32, 0, 0, 1) !== 0);
      Atomics.store(i32, 1, Atomics.load(i32, 1) + 1);
      Atomics.store(i32, 0, 0);
    };
    const polite = ({ i32, pause }: ExploreContext) => {
      while (Atomics.compareExchange(i32, 0, 0, 1) !== 0) {
        for (let k = 0; k < 3 && Atomics.load(i32, 0) !== 0; k++) pause();
      }
      Atomics.store(i32, 1, Atomics.load(i32, 1) + 1);
      Atomics.store(i32, 0, 0);
    };
    for (const thread of [spinning, polite]) {
      const result = await explore({ threads: thrice(thread), after: ({ i32 }) => i32[1] === 3, spin: 20 });
      expect(result).toMatchObject({ failure: undefined, exhausted: true });
    }
  });
});

describe('random schedules', () => {
  test.each([1, 2, 3])('find a bug behind three preemptions from seed %i, and replay it', async (seed) => {
    const program = { threads: twice(threePreemptions) };
    const options = { ...program, mode: 'random', maxPreemptions: 3, seed, budget: { schedules: 20_000 } } as const;
    const { failure, trace, allSchedules } = await explore(options);
    expect(failure?.kind).toBe('exception');
    const same = await explore(options);
    expect(same).toMatchObject({ failure: { schedule: failure?.schedule }, allSchedules });
    const again = await explore({ ...program, replay: failure?.schedule });
    expect(again.failure?.error.message).toBe(failure?.error.message);
    expect(again.trace).toEqual(trace);
  });

  test('kill threads and time waits out', async () => {
    const waits = ({ i32, index }: ExploreContext) => {
      if (index === 0) Atomics.wait(i32, 0, 0, 5);
      Atomics.add(i32, 0, 1);
      Atomics.notify(i32, 0);
    };
    const seen = await explore({
      threads: twice(waits),
      mode: 'random',
      kills: 1,
      timeouts: 'any',
      budget: { schedules: 2000 },
      after: ({ killed, elapsed }) => !(killed(1) && elapsed() === 0),
    });
    expect(seen.failure?.kind).toBe('after');
    expect(seen.trace).toContain('    T1 is killed');
  });

  test('follow the exhaustive ones', async () => {
    const result = await explore({
      threads: twice(lostUpdate),
      mode: 'both',
      maxPreemptions: 2,
      budget: { schedules: 100 },
    });
    expect(result).toMatchObject({ failure: undefined, exhausted: true, allSchedules: 100 });
  });
});

describe('a search ends', () => {
  const long = ({ i32 }: ExploreContext) => {
    for (let k = 0; k < 40; k++) Atomics.add(i32, 0, 1);
  };

  test('when its schedules are used up', async () => {
    const result = await explore({ threads: twice(long), maxPreemptions: 9, budget: { schedules: 123 } });
    expect(result).toMatchObject({ failure: undefined, allSchedules: 123, exhausted: false, complete: false });
  });

  test('when its time is up, with progress before', async () => {
    const reports: ExploreProgress[] = [];
    const onProgress = (progress: ExploreProgress) => void reports.push(progress);
    const result = await explore({ threads: twice(long), maxPreemptions: 9, budget: { ms: 500 }, onProgress });
    expect(result).toMatchObject({ failure: undefined, exhausted: false });
    expect(result.allSchedules).toBeGreaterThan(100);
    expect(reports.length).toBeGreaterThan(0);
    expect(reports.at(-1)?.schedules).toBeGreaterThan(0);
    expect(reports.at(-1)?.preemptions).toBeGreaterThanOrEqual(1);
  });

  test('when its signal is aborted, during and before', async () => {
    const controller = new AbortController();
    const running = explore({
      threads: twice(long),
      maxPreemptions: 9,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(running).rejects.toMatchObject({ code: 'COEXIST_EABORTED' });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    const late = explore({ threads: twice(long), signal: controller.signal });
    await expect(late).rejects.toMatchObject({ code: 'COEXIST_EABORTED' });
  });

  test('at the first failure', async () => {
    const result = await explore({ threads: twice(checkThenSet), maxPreemptions: 3 });
    expect(result.failure).toBeDefined();
    expect(result.exhausted).toBe(false);
  });
});
