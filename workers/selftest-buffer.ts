// The buffer test: pointers to nodes 1 to 100 in the buffer of each filled shard, with room for all nodes in each. Threads take the
// last one out and put it into the buffer where they are then. None may overflow, and at the end every node is there once.

import { ROW } from './selftest-board.js';
import { PER_SHARD, SHARD_SUM, type Shape } from './selftest-ground.js';
import type { Mode } from './selftest-modes.js';
import { nodes } from './selftest-nodes.js';
import { type Step, type Turn, takeAndPut, Violation } from './selftest-turn.js';

/** Of a shard: how many entries are in use, then, in another line, the entries. */
export const ENTRIES_AT = 64;
const ENTRY_BYTES = 4;

export const capacityOf = ({ filled }: Shape): number => filled * PER_SHARD;

const entryAt = (v: number, k: number): number => v + ENTRIES_AT + k * ENTRY_BYTES;

export const bufferMode: Mode = {
  names: ['pop', 'push'],
  sections: ['pop', 'push'],
  shardBytes: (shape) => ENTRIES_AT + capacityOf(shape) * ENTRY_BYTES,
  besideBytes: ({ filled }) => nodes.bytes(filled),

  fill(ground) {
    const { i32, perCpu, filled } = ground;
    for (let shard = 0; shard < filled; shard++) {
      const v = perCpu.at(shard);
      for (let k = 0; k < PER_SHARD; k++) Atomics.store(i32, entryAt(v, k) >>> 2, nodes.make(ground, shard, k));
      Atomics.store(i32, v >>> 2, PER_SHARD);
    }
  },

  steps: (turn) => [popOf(turn), pushOf(turn)],
  thread: takeAndPut,

  verify(ground) {
    const { i32, perCpu, filled } = ground;
    const tally = nodes.tally(ground);
    for (let shard = 0; shard < perCpu.shards; shard++) {
      const v = perCpu.at(shard);
      const used = Atomics.load(i32, v >>> 2);
      if (used < 0 || used > capacityOf(ground)) tally.wrong.push(`shard ${shard} uses ${used} entries`);
      else for (let k = 0; k < used; k++) tally.add(Atomics.load(i32, entryAt(v, k) >>> 2), shard);
    }
    return { sum: tally.sum, expected: filled * SHARD_SUM, wrong: tally.wrong };
  },
};

/** What tells, inside a section that alone may change this word, whether it was committed: another value. */
export const changes = (i32: Int32Array, v: () => number): Pick<Step, 'look' | 'committed'> => ({
  look: () => Atomics.load(i32, v() >>> 2),
  committed: (before) => Atomics.load(i32, v() >>> 2) !== before,
});

function popOf(turn: Turn): Step {
  const { ground, api, row } = turn;
  const { perCpu, i32 } = ground;
  let [at, v, used, node] = [0, 0, 0, 0];
  return {
    name: 'pop',
    mayBeEmpty: false,
    section: true,
    prepare(shard) {
      at = shard;
      v = perCpu.at(shard);
      used = Atomics.load(i32, v >>> 2);
      if (used === 0) return false;
      node = Atomics.load(i32, entryAt(v, used - 1) >>> 2);
      return true;
    },
    run: () => api.ops.load_cbne_load_cbne_store(perCpu, v, used, entryAt(v, used - 1), node, used - 1, at),
    commit() {
      nodes.take(turn, node);
      row[ROW.hand] = node;
    },
    ...changes(i32, () => v),
  };
}

function pushOf(turn: Turn): Step {
  const { ground, api, row, order } = turn;
  const { perCpu, i32 } = ground;
  const capacity = capacityOf(ground);
  let [at, v, used, node] = [0, 0, 0, 0];
  return {
    name: 'push',
    mayBeEmpty: false,
    section: true,
    prepare(shard) {
      at = shard;
      v = perCpu.at(shard);
      node = row[ROW.hand] as number;
      nodes.put(turn, node);
      used = Atomics.load(i32, v >>> 2);
      if (used >= capacity) throw new Violation(`the buffer of shard ${shard} is full: ${used} entries of ${capacity}`);
      return true;
    },
    run: () => api.ops.load_cbne_store_store(perCpu, v, used, entryAt(v, used), node, used + 1, at, order),
    commit() {
      row[ROW.hand] = 0;
      row[ROW.done]!++;
    },
    ...changes(i32, () => v),
  };
}
