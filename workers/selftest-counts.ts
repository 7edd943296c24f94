// The tests that count: a spinlock for each shard around an ordinary count, the same with PerCpuLock, and an addition alone.

import { ROW } from './selftest-board.js';
import type { Ground } from './selftest-ground.js';
import type { Mode, Verdict } from './selftest-modes.js';
import { attempt, goesOn, type Step, type Turn, Violation } from './selftest-turn.js';

/** Of the spinlock: the lock's word, then, in another line, the count. */
const COUNT_AT = 64;
/** A turn of the PerCpuLock that lasts so long is a deadlock. */
const LOCK_MS = 120_000;

const total = ({ i32, perCpu }: Ground, offset: number): number => {
  let sum = 0;
  for (let shard = 0; shard < perCpu.shards; shard++) sum += Atomics.load(i32, (perCpu.at(shard) + offset) >>> 2);
  return sum;
};

const counted = (ground: Ground, offset: number, repetitions: number): Verdict => ({
  sum: total(ground, offset),
  expected: ground.threads * repetitions,
  wrong: [],
});

/** In hand: the shard whose lock is held, + 1. */
export const spinlockMode: Mode = {
  names: ['lock'],
  sections: [],
  shardBytes: () => COUNT_AT + 4,
  besideBytes: () => 0,
  fill() {},

  steps({ ground: { perCpu }, api, row }) {
    let [v, at] = [0, 0];
    const lock: Step = {
      name: 'lock',
      mayBeEmpty: false,
      section: false,
      prepare(shard) {
        at = shard;
        v = perCpu.at(shard);
        return true;
      },
      run: () => api.ops.load_cbne_store(perCpu, v, 0, 1, at),
      commit() {
        row[ROW.hand] = at + 1;
      },
      look: () => 0,
      committed: () => false,
    };
    return [lock];
  },

  thread(turn, steps) {
    const { row, ground } = turn;
    const { i32, perCpu } = ground;
    while (goesOn(turn)) {
      // A thread that died with the lock leaves it to its successor.
      if (row[ROW.hand] === 0) attempt(turn, steps, 0);
      const v = perCpu.at((row[ROW.hand] as number) - 1);
      i32[(v + COUNT_AT) >>> 2]!++;
      row[ROW.done]!++;
      const held = Atomics.load(i32, v >>> 2);
      if (held !== 1) throw new Violation(`the lock at byte ${v} is ${held} while it is held, expected 1`);
      Atomics.store(i32, v >>> 2, 0);
      row[ROW.hand] = 0;
    }
  },

  verify(ground, repetitions) {
    const held = total(ground, 0);
    const verdict = counted(ground, COUNT_AT, repetitions);
    return held === 0 ? verdict : { ...verdict, wrong: [`${held} locks are held at the end`] };
  },
};

/** The structure that the library has for it. */
export const lockMode: Mode = {
  names: [],
  sections: [],
  shardBytes: () => 4,
  besideBytes: () => 0,
  fill() {},
  steps: () => [],

  thread(turn) {
    const { row, ground, library, index } = turn;
    const { i32, perCpu, area } = ground;
    const lock = new library.PerCpuLock('selftest/lock', { area, index });
    try {
      while (goesOn(turn)) {
        const { shard, guard } = lock.lock({ timeout: LOCK_MS });
        i32[perCpu.at(shard) >>> 2]!++;
        row[ROW.done]!++;
        guard.unlock();
      }
    } finally {
      lock.dispose();
    }
  },

  verify: (ground, repetitions) => counted(ground, 0, repetitions),
};

export const incrementMode: Mode = {
  names: ['add'],
  sections: [],
  shardBytes: () => 4,
  besideBytes: () => 0,
  fill() {},

  steps({ ground: { perCpu }, api, row }: Turn) {
    let at = 0;
    const add: Step = {
      name: 'add',
      mayBeEmpty: false,
      section: false,
      prepare(shard) {
        at = shard;
        return true;
      },
      run: () => api.ops.load_add_store(perCpu, perCpu.at(at), 1, at),
      commit() {
        row[ROW.done]!++;
      },
      look: () => 0,
      committed: () => false,
    };
    return [add];
  },

  thread(turn, steps) {
    while (goesOn(turn)) attempt(turn, steps, 0);
  },

  verify: (ground, repetitions) => counted(ground, 0, repetitions),
};
