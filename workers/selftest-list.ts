// The list test: nodes 1 to 100 on the list of each filled shard; threads take one off and put it back, on the shard where they are
// then. Nobody may take a node that another has, and at the end every node is there once.

import { ROW } from './selftest-board.js';
import { PER_SHARD, SHARD_SUM } from './selftest-ground.js';
import type { Mode } from './selftest-modes.js';
import { NEXT, nodes } from './selftest-nodes.js';
import { type Step, type Turn, takeAndPut, Violation } from './selftest-turn.js';

export const listMode: Mode = {
  names: ['pop', 'push'],
  sections: ['pop'],
  shardBytes: () => 4,
  besideBytes: ({ filled }) => nodes.bytes(filled),

  fill(ground) {
    const { i32, perCpu, filled } = ground;
    for (let shard = 0; shard < filled; shard++) {
      const head = perCpu.at(shard) >>> 2;
      for (let k = 0; k < PER_SHARD; k++) {
        const node = nodes.make(ground, shard, k);
        Atomics.store(i32, (node + NEXT) >>> 2, Atomics.load(i32, head));
        Atomics.store(i32, head, node);
      }
    }
  },

  steps: (turn) => [popOf(turn), pushOf(turn)],

  thread: takeAndPut,

  verify(ground) {
    const { i32, perCpu, filled } = ground;
    const tally = nodes.tally(ground);
    for (let shard = 0; shard < perCpu.shards; shard++) {
      let node = Atomics.load(i32, perCpu.at(shard) >>> 2);
      while (node !== 0 && tally.add(node, shard)) node = Atomics.load(i32, (node + NEXT) >>> 2);
    }
    return { sum: tally.sum, expected: filled * SHARD_SUM, wrong: tally.wrong };
  },
};

function popOf(turn: Turn): Step {
  const { ground, api, row } = turn;
  const { perCpu, i32 } = ground;
  const given = [0];
  let [at, head] = [0, 0];
  return {
    name: 'pop',
    mayBeEmpty: true,
    section: true,
    prepare(shard) {
      at = shard;
      head = perCpu.at(shard);
      return true;
    },
    run: () => api.ops.load_cbeq_store_add_load_store(perCpu, head, 0, NEXT, given, at),
    // Inside, others only put nodes in front: what was there and is there no more was taken here.
    look: () => reachable(i32, head, ground.filled * PER_SHARD),
    committed(before) {
      const now = new Set(reachable(i32, head, ground.filled * PER_SHARD));
      const gone = (before as number[]).filter((node) => !now.has(node));
      if (gone.length > 1) throw new Violation(`${gone.length} nodes went in one section`);
      given[0] = gone[0] ?? 0;
      return gone.length === 1;
    },
    commit() {
      const node = given[0] as number;
      nodes.take(turn, node);
      row[ROW.hand] = node;
    },
  };
}

function pushOf(turn: Turn): Step {
  const { ground, api, row } = turn;
  const { perCpu, i32 } = ground;
  let [at, head, first, node] = [0, 0, 0, 0];
  return {
    name: 'push',
    mayBeEmpty: false,
    section: false,
    prepare(shard) {
      at = shard;
      head = perCpu.at(shard);
      node = row[ROW.hand] as number;
      nodes.put(turn, node);
      first = Atomics.load(i32, head >>> 2);
      i32[(node + NEXT) >>> 2] = first;
      return true;
    },
    run: () => api.ops.load_cbne_store(perCpu, head, first, node, at, 'release'),
    look: () => 0,
    committed: () => false,
    commit() {
      row[ROW.hand] = 0;
      row[ROW.done]!++;
    },
  };
}

function reachable(i32: Int32Array, head: number, most: number): number[] {
  const found: number[] = [];
  for (let node = Atomics.load(i32, head >>> 2); node !== 0; node = Atomics.load(i32, (node + NEXT) >>> 2)) {
    found.push(node);
    if (found.length > most) throw new Violation(`the list at byte ${head} runs in a circle`);
  }
  return found;
}
