// A thread of the topic counter: waits at its gate, does the work that is posted, says that it is done.

import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Counter } from 'coexist/percpu';
import { variable } from './kit.js';

export interface ThreadData {
  readonly control: Int32Array;
  /** Its first word is what all threads add to. */
  readonly shared: Int32Array;
  /** From 0. */
  readonly index: number;
  /** Additions of one run. */
  readonly own: number;
  readonly plain: number;
  readonly atomic: number;
}

/** Words of `control`. Thread i's gate is WORDS_PER_GATE * (i + 1) words behind GATE: a cache line for each. */
export const DONE = 0;
export const WORK = 1;
export const GATE = 2;
export const WORDS_PER_GATE = 32;

const WARMUP_CALLS = 5000;
const WARMUP_ADDS = 1000;

export const ADD_OWN = 1;
export const ADD_PLAIN = 2;
export const ADD_ATOMIC = 3;

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

if (!isMainThread) {
  const { control, shared, index, own, plain, atomic } = workerData as ThreadData;
  const gate = GATE + (index + 1) * WORDS_PER_GATE;
  const counter = new Counter('bench/thread-adds');
  const addPlain = plainAdder();
  // Short calls first, as warmUp() of kit.ts does and for its reason.
  for (let k = 0; k < WARMUP_CALLS; k++) {
    addOwn(counter, WARMUP_ADDS);
    addPlain(WARMUP_ADDS);
    addAtomic(shared, WARMUP_ADDS);
  }
  parentPort?.postMessage('ready');
  for (let opened = 0; ; opened++) {
    Atomics.wait(control, gate, opened);
    const work = Atomics.load(control, WORK);
    if (work === ADD_OWN) addOwn(counter, own);
    else if (work === ADD_PLAIN) addPlain(plain);
    else addAtomic(shared, atomic);
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
}
