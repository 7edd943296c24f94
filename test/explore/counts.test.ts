// The number of schedules is the combinatorial one: every interleaving once.

import { type ExploreContext, explore } from 'coexist/explore';
import { describe, expect, test } from 'vitest';

const one = ({ i32 }: ExploreContext) => void Atomics.add(i32, 0, 1);
const two = ({ i32 }: ExploreContext) => {
  for (let k = 0; k < 2; k++) Atomics.add(i32, 0, 1);
};
const four = ({ i32 }: ExploreContext) => {
  for (let k = 0; k < 4; k++) Atomics.add(i32, 0, 1);
};

describe('all interleavings', () => {
  test.each([
    ['2 x 1 operation: 2!/(1!1!)', [one, one], 2],
    ['2 x 2 operations: 4!/(2!2!)', [two, two], 6],
    ['2 x 4 operations: 8!/(4!4!)', [four, four], 70],
    ['1 and 4 operations: 5!/(1!4!)', [one, four], 5],
    ['3 x 2 operations: 6!/(2!2!2!)', [two, two, two], 90],
    ['4 x 1 operation: 4!', [one, one, one, one], 24],
  ])('%s', async (_, threads, count) => {
    for (const reduce of [true, false]) {
      const result = await explore({ threads, reduce, maxPreemptions: 16 });
      expect(result).toMatchObject({
        failure: undefined,
        schedules: count,
        exhausted: true,
        complete: true,
        pruned: 0,
      });
    }
  });
});

describe('2 x 4 operations with at most so many preemptions', () => {
  // Ways to cut each thread's 4 operations into runs: with c preemptions there are c + 2 runs at most, of which the last one of a
  // thread ends for free.
  test.each([
    [0, 2],
    [1, 8],
    [2, 26],
    [3, 44],
  ])('%i', async (maxPreemptions, count) => {
    const result = await explore({ threads: [four, four], maxPreemptions });
    expect(result).toMatchObject({ failure: undefined, schedules: count, exhausted: true, complete: false });
    expect(result.preemptions).toBe(maxPreemptions);
  });
});

test('operations on words of one thread alone are no reason to preempt', async () => {
  const own = ({ i32, index }: ExploreContext) => {
    for (let k = 0; k < 5; k++) Atomics.add(i32, 1 + index, 1);
    Atomics.add(i32, 0, 1);
  };
  const reduced = await explore({ threads: [own, own], maxPreemptions: 16 });
  // Two steps each: up to the shared operation, and that.
  expect(reduced).toMatchObject({ failure: undefined, schedules: 6, operations: 6 * 12, complete: true });
  const whole = await explore({ threads: [own, own], maxPreemptions: 16, reduce: false });
  expect(whole).toMatchObject({ failure: undefined, schedules: 924, operations: 924 * 12, complete: true });
});

test('with an invariant, every write is', async () => {
  const own = ({ i32, index }: ExploreContext) => {
    for (let k = 0; k < 2; k++) Atomics.add(i32, index, 1);
  };
  const all = await explore({ threads: [own, own], maxPreemptions: 16, invariant: () => true });
  expect(all).toMatchObject({ failure: undefined, schedules: 6, complete: true });
  const none = await explore({ threads: [own, own], invariant: () => true, observed: (address) => address > 4 });
  expect(none).toMatchObject({ failure: undefined, schedules: 2, complete: true });
});

test('choices multiply', async () => {
  const thread = ({ i32, choose }: ExploreContext) => void Atomics.add(i32, 0, choose(3));
  const result = await explore({ threads: [thread, thread] });
  expect(result).toMatchObject({ failure: undefined, schedules: 2 * 3 * 3, complete: true });
});

describe('one kill at every step', () => {
  // Bound 0, n writes each: either order, killed after each write of either thread or never; and killed before the first one.
  test.each([
    [1, one],
    [2, two],
    [4, four],
  ])('%i writes', async (writes, thread) => {
    const count = 4 * writes + 4;
    const result = await explore({ threads: [thread, thread], maxPreemptions: 0, kills: 1 });
    expect(result).toMatchObject({ failure: undefined, schedules: count, exhausted: true });
  });

  test('reads are no step of their own', async () => {
    const reads = ({ i32 }: ExploreContext) => {
      Atomics.add(i32, 0, 1);
      for (let k = 0; k < 4; k++) Atomics.load(i32, k);
      Atomics.add(i32, 0, 1);
    };
    const result = await explore({ threads: [reads, reads], maxPreemptions: 0, kills: 1 });
    expect(result).toMatchObject({ failure: undefined, schedules: 4 * 2 + 4, exhausted: true });
  });
});
