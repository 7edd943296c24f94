// The memcpy test: records of 16 bytes inside the buffer of each filled shard, { j, j + 1 } as two 64-bit integers for j from 1 to 100.
// Threads copy the last one out, look at it and copy it in where they are then. No record may be torn, none lost, none doubled. A
// thread's copy lies in the area, at a place of its own, so it survives the thread.

import { ROW } from './selftest-board.js';
import { capacityOf, changes, ENTRIES_AT } from './selftest-buffer.js';
import { type Ground, PER_SHARD, SHARD_SUM } from './selftest-ground.js';
import type { Mode } from './selftest-modes.js';
import { type Step, type Turn, takeAndPut, Violation } from './selftest-turn.js';

const RECORD_BYTES = 16;
const COPY_BYTES = 64;
/** What the records of a shard add up to: 2j + 1 for each j. */
const RECORD_SUM = 2 * SHARD_SUM + PER_SHARD;
/** In hand: a record, at the thread's own place. */
const FULL = 1;

const recordAt = (v: number, k: number): number => v + ENTRIES_AT + k * RECORD_BYTES;
const copyOf = ({ beside }: Ground, thread: number): number => beside + thread * COPY_BYTES;

function write(i32: Int32Array, at: number, j: number): void {
  for (const [k, word] of [j, 0, j + 1, 0].entries()) Atomics.store(i32, (at >>> 2) + k, word);
}

/** j; 0 where the record is torn. */
function read(i32: Int32Array, at: number): number {
  const [low1, high1, low2, high2] = [0, 1, 2, 3].map((k) => Atomics.load(i32, (at >>> 2) + k)) as [
    number,
    number,
    number,
    number,
  ];
  return high1 === 0 && high2 === 0 && low2 === low1 + 1 && low1 >= 1 && low1 <= PER_SHARD ? low1 : 0;
}

const show = (i32: Int32Array, at: number): string =>
  `{ ${[0, 1, 2, 3].map((k) => Atomics.load(i32, (at >>> 2) + k)).join(', ')} }`;

export const memcpyMode: Mode = {
  names: ['pop', 'push'],
  sections: ['pop', 'push'],
  shardBytes: (shape) => ENTRIES_AT + capacityOf(shape) * RECORD_BYTES,
  besideBytes: ({ threads }) => threads * COPY_BYTES,

  fill({ i32, perCpu, filled }) {
    for (let shard = 0; shard < filled; shard++) {
      const v = perCpu.at(shard);
      for (let k = 0; k < PER_SHARD; k++) write(i32, recordAt(v, k), k + 1);
      Atomics.store(i32, v >>> 2, PER_SHARD);
    }
  },

  steps: (turn) => [popOf(turn), pushOf(turn)],
  thread: takeAndPut,

  verify(ground) {
    const { i32, perCpu, filled } = ground;
    const wrong: string[] = [];
    const counts = new Map<number, number>();
    let sum = 0;
    for (let shard = 0; shard < perCpu.shards; shard++) {
      const v = perCpu.at(shard);
      const used = Atomics.load(i32, v >>> 2);
      if (used < 0 || used > capacityOf(ground)) wrong.push(`shard ${shard} uses ${used} records`);
      else {
        for (let k = 0; k < used; k++) {
          const j = read(i32, recordAt(v, k));
          if (j === 0) wrong.push(`record ${k} of shard ${shard} is torn: ${show(i32, recordAt(v, k))}`);
          else sum += 2 * j + 1;
          counts.set(j, (counts.get(j) ?? 0) + 1);
        }
      }
    }
    for (const [j, count] of counts) {
      if (j !== 0 && count !== filled) wrong.push(`record ${j} is there ${count} times, expected ${filled}`);
    }
    return { sum, expected: filled * RECORD_SUM, wrong };
  },
};

function popOf(turn: Turn): Step {
  const { ground, api, row, thread } = turn;
  const { perCpu, i32 } = ground;
  const copy = copyOf(ground, thread);
  let [at, v, used] = [0, 0, 0];
  return {
    name: 'pop',
    mayBeEmpty: false,
    section: true,
    prepare(shard) {
      at = shard;
      v = perCpu.at(shard);
      used = Atomics.load(i32, v >>> 2);
      return used > 0;
    },
    run: () => api.ops.load_cbne_memcpy_store(perCpu, v, used, copy, recordAt(v, used - 1), RECORD_BYTES, used - 1, at),
    commit() {
      if (read(i32, copy) === 0) throw new Violation(`took a torn record out of shard ${at}: ${show(i32, copy)}`);
      row[ROW.hand] = FULL;
    },
    ...changes(i32, () => v),
  };
}

function pushOf(turn: Turn): Step {
  const { ground, api, row, order, thread } = turn;
  const { perCpu, i32 } = ground;
  const copy = copyOf(ground, thread);
  const capacity = capacityOf(ground);
  let [at, v, used] = [0, 0, 0];
  return {
    name: 'push',
    mayBeEmpty: false,
    section: true,
    prepare(shard) {
      at = shard;
      v = perCpu.at(shard);
      used = Atomics.load(i32, v >>> 2);
      if (used >= capacity) throw new Violation(`the buffer of shard ${shard} is full: ${used} records of ${capacity}`);
      return true;
    },
    run: () =>
      api.ops.load_cbne_memcpy_store(perCpu, v, used, recordAt(v, used), copy, RECORD_BYTES, used + 1, at, order),
    commit() {
      row[ROW.hand] = 0;
      row[ROW.done]!++;
    },
    ...changes(i32, () => v),
  };
}
