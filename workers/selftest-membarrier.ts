// The membarrier test: two sets of counters, A and B, one counter for each shard in each; a shard's word points to the set that is
// active. Threads add one, through that pointer, to their shard's counter in the active set. A manager makes the other set active and
// fences: from then on nobody may change the counter that is inactive. All counters together are the additions made.

import { BOARD, ROW } from './selftest-board.js';
import type { Ground, Shape } from './selftest-ground.js';
import type { Mode } from './selftest-modes.js';
import { attempt, checkStop, goesOn, pause, type Step, Violation } from './selftest-turn.js';
import { createRandom } from './stress-random.js';

/** A set: for each shard a line with the pointer to its counter, then the counters, a line each. */
const LINE = 64;
const SIDES = ['A', 'B'] as const;
/** A fence that lasts so long waits for a section that does not end. */
const FENCE_MS = 20_000;
const MOST_LOOKS = 40;
const ADDITIONS_IN_ROW = 50;

const setBytes = ({ shards }: Shape): number => 2 * shards * LINE;
const setAt = (ground: Ground, side: number): number => ground.beside + side * setBytes(ground);
const counterAt = (ground: Ground, side: number, shard: number): number =>
  setAt(ground, side) + (ground.shards + shard) * LINE;
const countOf = (ground: Ground, side: number, shard: number): number =>
  Atomics.load(ground.i32, counterAt(ground, side, shard) >>> 2);

export const membarrierMode: Mode = {
  names: ['add'],
  sections: ['add'],
  shardBytes: () => 4,
  besideBytes: (shape) => 2 * setBytes(shape),

  fill(ground) {
    const { i32, perCpu, shards } = ground;
    for (let shard = 0; shard < shards; shard++) {
      for (const side of SIDES.keys()) {
        Atomics.store(i32, (setAt(ground, side) + shard * LINE) >>> 2, counterAt(ground, side, shard));
      }
      Atomics.store(i32, perCpu.at(shard) >>> 2, setAt(ground, 0));
    }
  },

  steps({ ground: { perCpu }, api, row }) {
    let at = 0;
    const add: Step = {
      name: 'add',
      mayBeEmpty: false,
      section: true,
      prepare(shard) {
        at = shard;
        return true;
      },
      run: () => api.ops.load_add_load_load_add_store(perCpu, perCpu.at(at), at * LINE, 1, at),
      commit() {
        row[ROW.done]!++;
      },
      // Nothing lies between the last point before the commit and the commit.
      look: () => 0,
      committed: () => true,
    };
    return [add];
  },

  thread(turn, steps) {
    while (goesOn(turn)) {
      attempt(turn, steps, 0);
      // The manager has to come in between.
      if ((turn.row[ROW.done] as number) % ADDITIONS_IN_ROW === 0) pause(turn);
    }
  },

  manage(turn) {
    const { ground, api, board, seed } = turn;
    const { i32, perCpu, area, threads } = ground;
    const random = createRandom(seed);
    const shards = Math.min(ground.shards, threads + 1);
    const active = new Array<number>(shards).fill(0);
    /** What the inactive counters were after the fence. */
    const still = new Array<number>(shards).fill(0);
    const look = (): void => {
      for (let shard = 0; shard < shards; shard++) {
        const side = 1 - (active[shard] as number);
        const value = countOf(ground, side, shard);
        if (value === still[shard]) continue;
        const what = `counter ${SIDES[side]} of shard ${shard} went from ${still[shard]} to ${value} behind the fence`;
        throw new Violation(`${what}, while ${SIDES[1 - side]} is active (change ${board.words[BOARD.flips]})`);
      }
    };
    while (Atomics.load(board.words, BOARD.finished) < threads) {
      checkStop(turn);
      const shard = random.below(shards);
      look();
      const side = 1 - (active[shard] as number);
      active[shard] = side;
      Atomics.store(i32, perCpu.at(shard) >>> 2, setAt(ground, side));
      api.fence({ area, timeout: FENCE_MS });
      still[shard] = countOf(ground, 1 - side, shard);
      Atomics.add(board.words, BOARD.flips, 1);
      for (let looks = random.below(MOST_LOOKS); looks >= 0; looks--) look();
    }
    look();
  },

  verify(ground, repetitions) {
    let sum = 0;
    for (let shard = 0; shard < ground.shards; shard++) {
      for (const side of SIDES.keys()) sum += countOf(ground, side, shard);
    }
    return { sum, expected: ground.threads * repetitions, wrong: [] };
  },
};
