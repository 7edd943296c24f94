// Kills, timeouts and virtual time: what a killed thread leaves, who is told, and what a bounded sleep would hide.

import { type ExploreContext, explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';
import { mutex, twice } from './toys.js';

test('a thread killed while it holds a lock leaves it locked', async () => {
  const program = { threads: twice(mutex), names: { lock: 0, count: 4 } };
  expect((await explore({ ...program, maxPreemptions: 1 })).failure).toBeUndefined();
  const { failure, trace } = await explore({ ...program, kills: 1 });
  expect(failure).toMatchObject({ kind: 'deadlock' });
  expect(trace).toContainEqual(expect.stringMatching(/T\d is killed/));
  expect(trace.at(-1)).toMatch(/T\d {2}wait lock 2 blocks/);
});

test('a killed thread does nothing more, whatever it catches', async () => {
  const thread = ({ i32, index }: ExploreContext) => {
    try {
      Atomics.store(i32, index, 1);
      Atomics.store(i32, index, 2);
    } catch {
      Atomics.store(i32, 2 + index, 1);
    } finally {
      Atomics.add(i32, 4, 1);
    }
  };
  const result = await explore({
    threads: twice(thread),
    kills: 1,
    maxPreemptions: 2,
    after: ({ i32, killed }) => {
      if (i32[2] !== 0 || i32[3] !== 0) throw new Error('a killed thread went on in catch');
      for (const k of [0, 1]) if (!killed(k) && i32[k] !== 2) throw new Error('a thread that lives did not finish');
    },
  });
  expect(result).toMatchObject({ failure: undefined, exhausted: true });
});

describe('a lock that asks whether its owner lives', () => {
  // Word 0: 0, or 1 + the owner's index.
  const robust = ({ i32, index, killed }: ExploreContext) => {
    for (;;) {
      const seen = Atomics.compareExchange(i32, 0, 0, 1 + index);
      if (seen === 0) break;
      if (killed(seen - 1) && Atomics.compareExchange(i32, 0, seen, 1 + index) === seen) break;
      Atomics.wait(i32, 0, seen, 50);
    }
    if (Atomics.add(i32, 1, 1) > 1) throw new Error('two threads are inside');
    Atomics.sub(i32, 1, 1);
    Atomics.store(i32, 0, 0);
    Atomics.notify(i32, 0, 1);
  };

  test('is taken over from a killed owner', async () => {
    const result = await explore({
      threads: twice(robust),
      kills: 1,
      maxPreemptions: 1,
      // Who is killed between add and sub is inside for ever.
      after: ({ i32, killed }) => killed(0) || killed(1) || i32[0] === 0,
    });
    expect(result).toMatchObject({ failure: undefined, exhausted: true });
  });

  test('never sleeps out its time while nobody is killed', async () => {
    const elapsed = ({ elapsed }: ExploreContext) => elapsed() === 0;
    expect(await explore({ threads: twice(robust), maxPreemptions: 3, after: elapsed })).toMatchObject({
      failure: undefined,
      exhausted: true,
    });
  });
});

test('a lost wake-up that a bounded sleep hides shows as time that has passed', async () => {
  const thread = ({ i32, index }: ExploreContext) => {
    if (index === 1) {
      Atomics.store(i32, 0, 1); // and no notify
      return;
    }
    while (Atomics.load(i32, 0) === 0) Atomics.wait(i32, 0, 0, 50);
  };
  const { failure } = await explore({
    threads: twice(thread),
    after: ({ elapsed }) => {
      if (elapsed() > 0) throw new Error(`slept for ${elapsed()} ms`);
    },
  });
  expect(failure).toMatchObject({ kind: 'after', error: { message: 'slept for 50 ms' } });
});

describe('a wait that times out just when it is notified', () => {
  // Thread 0 counts itself out after a timeout; a notification that woke it meanwhile is then lost with it.
  const thread = ({ i32, index }: ExploreContext) => {
    if (index === 0) {
      if (Atomics.wait(i32, 0, 0, 10) === 'timed-out' && Atomics.load(i32, 0) === 1) Atomics.store(i32, 1, 1);
      return;
    }
    Atomics.store(i32, 0, 1);
    Atomics.notify(i32, 0, 1);
  };
  const program = { threads: twice(thread), after: ({ i32 }: ExploreContext) => i32[1] === 0 };

  test('is not explored by default', async () => {
    expect(await explore(program)).toMatchObject({ failure: undefined, exhausted: true });
  });

  test("is with timeouts: 'any', for a preemption", async () => {
    const { failure, trace, preemptions } = await explore({ ...program, timeouts: 'any' });
    expect(failure?.kind).toBe('after');
    expect(preemptions).toBe(1);
    expect(trace).toContainEqual(expect.stringMatching(/the wait of T0 times out; 10 ms have passed/));
    expect((await explore({ ...program, timeouts: 'any', replay: failure?.schedule })).failure?.kind).toBe('after');
  });
});

test('who waits first is notified first', async () => {
  const thread = ({ i32, index }: ExploreContext) => {
    if (index < 2) {
      Atomics.add(i32, 0, 1);
      const mine = Atomics.add(i32, 1, 1);
      Atomics.wait(i32, 2, 0);
      if (Atomics.add(i32, 3, 1) !== mine && Atomics.load(i32, 4) === 0) Atomics.store(i32, 4, 1);
      return;
    }
    while (Atomics.load(i32, 0) < 2);
    Atomics.notify(i32, 2, 1);
    Atomics.store(i32, 2, 1);
    Atomics.notify(i32, 2);
  };
  expect(await explore({ threads: [thread, thread, thread], maxPreemptions: 1 })).toMatchObject({ failure: undefined });
});

test('a sleep passes virtual time only', async () => {
  const thread = ({ index }: ExploreContext) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1e6 * (index + 1));
  };
  const result = await explore({ threads: twice(thread), after: ({ elapsed }) => elapsed() === 2e6 });
  expect(result).toMatchObject({ failure: undefined, exhausted: true });
  expect(result.ms).toBeLessThan(1e6);
});
