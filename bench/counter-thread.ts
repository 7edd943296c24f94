// A thread of the topics counter and percpu: adds, in the way that is posted.

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Counter, PerCpuCounter } from 'coexist/percpu';
import { variable } from './kit.js';
import { type Member, serve } from './team.js';

/** What all threads add to. */
export interface CounterMember extends Member {
  readonly shared: Int32Array;
}

const WARMUP_CALLS = 5000;
const WARMUP_ADDS = 1000;

/** Kinds of work, and the additions that a thread makes: long enough that waking the threads does not count. */
export const WORKS = {
  own: { work: 1, ops: 20_000_000 },
  plain: { work: 2, ops: 20_000_000 },
  atomic: { work: 3, ops: 2_000_000 },
  perCpu: { work: 4, ops: 5_000_000 },
} as const;

function addOwn(counter: Counter, times: number): void {
  for (let k = 0; k < times; k++) counter.add(1);
}

/** As the baseline of counter.ts, on a cache line of this thread's own. */
function plainAdder(): (times: number) => void {
  const view = new BigInt64Array(new SharedArrayBuffer(256));
  const place = variable(16);
  const add = (at: number): void => {
    view[at]! += 1n;
  };
  return (times) => {
    const { at } = place;
    for (let k = 0; k < times; k++) add(at);
  };
}

function addAtomic(shared: Int32Array, times: number): void {
  for (let k = 0; k < times; k++) Atomics.add(shared, 0, 1);
}

function addPerCpu(counter: PerCpuCounter, times: number): void {
  for (let k = 0; k < times; k++) counter.add(1);
}

if (!isMainThread) {
  const member = workerData as CounterMember;
  const counter = new Counter('bench/thread-adds');
  const perCpu = new PerCpuCounter('bench/cpu-adds');
  const addPlain = plainAdder();
  // Short calls first, as warmUp() of kit.ts does and for its reason.
  for (let k = 0; k < WARMUP_CALLS; k++) {
    addOwn(counter, WARMUP_ADDS);
    addPlain(WARMUP_ADDS);
    addAtomic(member.shared, WARMUP_ADDS);
    addPerCpu(perCpu, WARMUP_ADDS);
  }
  parentPort?.postMessage('ready');
  serve(member, {
    [WORKS.own.work]: () => addOwn(counter, WORKS.own.ops),
    [WORKS.plain.work]: () => addPlain(WORKS.plain.ops),
    [WORKS.atomic.work]: () => addAtomic(member.shared, WORKS.atomic.ops),
    [WORKS.perCpu.work]: () => addPerCpu(perCpu, WORKS.perCpu.ops),
  });
}
