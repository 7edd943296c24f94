// Every kind of failure is found, with as few preemptions as it takes, with and without the reduction, and its schedule replays.

import { type ExploreContext, type ExploreOptions, explore, type FailureKind } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { abaProgram, checkThenSet, lockOrder, lostUpdate, lostWakeUp, threePreemptions, twice } from './toys.js';

interface Case {
  readonly what: string;
  readonly program: ExploreOptions;
  readonly kind: FailureKind;
  readonly preemptions: number;
  readonly message: RegExp;
}

const cases: readonly Case[] = [
  {
    what: 'lost update',
    program: { threads: twice(lostUpdate), after: ({ i32 }) => i32[0] === 2 },
    kind: 'after',
    preemptions: 1,
    message: /returned false/,
  },
  {
    what: 'check then set',
    program: { threads: twice(checkThenSet) },
    kind: 'exception',
    preemptions: 2,
    message: /two threads hold the lock/,
  },
  {
    what: 'lost wake-up',
    program: { threads: twice(lostWakeUp) },
    kind: 'deadlock',
    preemptions: 1,
    message: /T0 waits for ever/,
  },
  { what: 'ABA', program: abaProgram, kind: 'after', preemptions: 1, message: /node 2 was taken, and is in the stack/ },
  {
    what: 'lock order',
    program: { threads: twice(lockOrder) },
    kind: 'deadlock',
    preemptions: 1,
    message: /T0 and T1 wait for ever/,
  },
  {
    what: 'a bug behind three preemptions',
    program: { threads: twice(threePreemptions) },
    kind: 'exception',
    preemptions: 3,
    message: /both steps/,
  },
  {
    what: 'an invariant that is broken for a moment',
    program: {
      threads: twice(({ i32, index }: ExploreContext) => {
        Atomics.store(i32, index, 1);
        Atomics.store(i32, index, 0);
      }),
      invariant: ({ i32 }) => {
        if (i32[0] === 1 && i32[1] === 1) throw new Error('both at a time');
      },
    },
    kind: 'invariant',
    preemptions: 1,
    message: /both at a time/,
  },
  {
    what: 'two threads that wait for each other without blocking',
    program: {
      threads: twice(({ i32, index }: ExploreContext) => {
        Atomics.store(i32, index, 1);
        while (Atomics.load(i32, 1 - index) === 1);
        Atomics.store(i32, index, 0);
      }),
      budget: { operations: 500 },
    },
    kind: 'livelock',
    preemptions: 1,
    message: /more than 500 operations/,
  },
];

describe.each(cases)('$what', ({ program, kind, preemptions, message }) => {
  test.each([true, false])('is found with reduce: %s, and replays', async (reduce) => {
    const { failure, trace, preemptions: reached } = await explore({ ...program, reduce, maxPreemptions: 4 });
    expect(failure).toMatchObject({ kind, error: { message: expect.stringMatching(message) } });
    expect(reached).toBe(preemptions);
    expect(trace.length).toBeGreaterThan(2);

    if (!reduce) return;
    const again = await explore({ ...program, replay: failure?.schedule });
    expect(again.failure).toMatchObject({
      kind,
      thread: failure?.thread,
      error: { message: expect.stringMatching(message) },
    });
    expect(again.failure?.schedule).toBe(failure?.schedule);
    expect(again.trace).toEqual(trace);
    expect(again.allSchedules).toBe(1);
  });

  test('is not found below its number of preemptions', async () => {
    const result = await explore({ ...program, maxPreemptions: preemptions - 1 });
    expect(result).toMatchObject({ failure: undefined, exhausted: true, complete: false });
  });
});

test('a hang is reported with what had been done before', async () => {
  const thread = ({ i32, index }: ExploreContext) => {
    if (Atomics.add(i32, 0, 1) === 1 && index === 0) for (;;);
  };
  const { failure, trace } = await explore({ threads: [thread, thread], names: { count: 0 }, budget: { hang: 1500 } });
  expect(failure).toMatchObject({ kind: 'hang', thread: 0 });
  expect(trace).toEqual(['T1  add count 1 (was 0)', 'T0  add count 1 (was 1)']);
});

test('nondeterminism is reported', async () => {
  const thread = ({ i32, state }: ExploreContext) => {
    const own = state as { runs: number };
    own.runs++;
    for (let k = 0; k < 2 + (own.runs % 3); k++) Atomics.add(i32, 0, 1);
  };
  const { failure } = await explore({ threads: [thread, thread], prepare: () => ({ runs: 0 }) });
  expect(failure).toMatchObject({ kind: 'nondeterminism', thread: expect.any(Number) });
});

test('time, chance and Math.random are the same in every run of a schedule', async () => {
  const thread = ({ i32 }: ExploreContext) => {
    const drawn = [Math.random(), Date.now(), performance.now()].join();
    Atomics.add(i32, 0, 1);
    if (Math.floor(Math.random() * 4) === 0) Atomics.add(i32, 1, 1);
    if (drawn === '') throw new Error('nothing was drawn');
  };
  const result = await explore({ threads: [thread, thread], maxPreemptions: 16, seed: 7 });
  expect(result).toMatchObject({ failure: undefined, complete: true, seed: 7 });
});

test('an asynchronous thread, and waitAsync, are refused', async () => {
  const returns = await explore({ threads: twice(async () => {}) });
  expect(returns.failure).toMatchObject({ kind: 'exception', error: { message: expect.stringMatching(/promise/) } });
  const waits = await explore({ threads: twice(({ i32 }: ExploreContext) => void Atomics.waitAsync(i32, 0, 0)) });
  expect(waits.failure).toMatchObject({ kind: 'exception', error: { code: 'COEXIST_EUNSUPPORTED' } });
});
