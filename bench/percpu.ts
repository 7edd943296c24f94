// A counter with a cell for each CPU against one shared atomic, and the per-CPU operations against what they are made of.

import { attach } from 'coexist';
import { ops, PerCpu, PerCpuCounter, PerCpuList } from 'coexist/percpu';
import { WORKS } from './counter-thread.js';
import { type Group, interleave, row, type Topic, variable } from './kit.js';
import { team } from './team.js';

const OPS = 1_000_000;

function threads(count: number, atMost: number): Group {
  return async () => {
    attach();
    const shared = new Int32Array(new SharedArrayBuffer(64));
    const { atomic, perCpu } = WORKS;
    const times = await team(count, './counter-thread.js', { shared }, { atomic, perCpu });
    const what = `PerCpuCounter.add against shared Atomics.add, ${count} thread${count === 1 ? '' : 's'}`;
    return [row(what, times.perCpu, times.atomic, { atMost })];
  };
}

/** One pair of a push and a pop, by CPU and by slot, against two CASes: what an atomic stack without owners would do at least. */
async function list() {
  const node = new PerCpu('bench/nodes', { bytes: 64 }).at(0);
  const pairs = (list: PerCpuList) => (times: number) => {
    let last = 0;
    for (let k = 0; k < times; k++) {
      list.push(node);
      last = list.pop();
    }
    return last;
  };
  const words = new Int32Array(new SharedArrayBuffer(64));
  const place = variable(4);
  const times = await interleave({
    byCpu: { ops: OPS / 4, loop: pairs(new PerCpuList('bench/list-by-cpu')) },
    bySlot: { ops: OPS / 4, loop: pairs(new PerCpuList('bench/list-by-slot', { index: 'slot' })) },
    twoCas: {
      ops: OPS,
      loop: (times) => {
        const { at } = place;
        for (let k = 0; k < times; k++) {
          Atomics.compareExchange(words, at, 0, 1);
          Atomics.compareExchange(words, at, 1, 0);
        }
        return words[at];
      },
    },
  });
  return [
    row('push and pop of a list by CPU, against two Atomics.compareExchange', times.byCpu, times.twoCas),
    row('the same by slot', times.bySlot, times.twoCas),
  ];
}

async function add() {
  const counts = new PerCpu('bench/ops', { bytes: 64 });
  const bySlot = new PerCpu('bench/ops-by-slot', { bytes: 64, index: 'slot' });
  const counter = new PerCpuCounter('bench/cpu-adds');
  const words = new Int32Array(new SharedArrayBuffer(64));
  const place = variable(4);
  const adds = (perCpu: PerCpu) => (times: number) => {
    let status: number = ops.DONE;
    for (let k = 0; k < times; k++) {
      const shard = perCpu.start();
      status = ops.load_add_store(perCpu, perCpu.at(shard), 1, shard);
    }
    return status;
  };
  const times = await interleave({
    byCpu: { ops: OPS, loop: adds(counts) },
    bySlot: { ops: OPS, loop: adds(bySlot) },
    counter: {
      ops: OPS,
      loop: (times) => {
        for (let k = 0; k < times; k++) counter.add(1);
        return counter.sum();
      },
    },
    atomic: {
      ops: OPS,
      loop: (times) => {
        const { at } = place;
        for (let k = 0; k < times; k++) Atomics.add(words, at, 1);
        return words[at];
      },
    },
  });
  return [
    row('PerCpuCounter.add against Atomics.add, one thread, warm loop', times.counter, times.atomic),
    row('start() and load_add_store by CPU against Atomics.add', times.byCpu, times.atomic),
    row('the same by slot', times.bySlot, times.atomic),
  ];
}

export const percpu: Topic = {
  add,
  oneThread: threads(1, 0.6),
  twoThreads: threads(2, 0.3),
  fourThreads: threads(4, 0.3),
  list,
};
