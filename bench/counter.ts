// Counter.add(1) against the plain 64-bit increment it is made of, against one shared atomic, and against the counters of
// metrics libraries.

import { Worker } from 'node:worker_threads';
import { attach } from 'coexist';
import { Counter } from 'coexist/percpu';
import { ADD_ATOMIC, ADD_OWN, ADD_PLAIN, DONE, GATE, type ThreadData, WORDS_PER_GATE, WORK } from './counter-thread.js';
import { type Group, interleave, row, type Topic, variable } from './kit.js';

const ADDS = 1_000_000;
const PEER_ADDS = 20_000;
/** Long enough that waking the threads does not count. */
const THREAD_ADDS = { own: 20_000_000, plain: 20_000_000, atomic: 2_000_000 } as const;
const ANSWER_MS = 60_000;

/** A header word that no field has (docs/ABI.md, clause 11). */
const SPARE = 2048 / 8;

/** The baseline: a captured view, and an index that is an argument (see register.ts). */
function plainAdder(): (times: number) => bigint {
  const view = new BigInt64Array(attach().buffer);
  const place = variable(SPARE);
  const add = (at: number): void => {
    view[at]! += 1n;
  };
  return (times) => {
    const { at } = place;
    for (let k = 0; k < times; k++) add(at);
    return view[at] as bigint;
  };
}

function adder(counter: Counter): (times: number) => bigint {
  return (times) => {
    for (let k = 0; k < times; k++) counter.add(1);
    return counter.own();
  };
}

async function add() {
  const times = await interleave({
    plain: { ops: ADDS, loop: plainAdder() },
    own: { ops: ADDS, loop: adder(new Counter('bench/adds')) },
  });
  return [row('Counter.add(1) against BigInt64Array += 1n', times.own, times.plain, { atMost: 1.15 })];
}

/** Threads that are started once and run, round by round, from the opening of their gates to the end of the last. */
function threads(count: number, atLeast: number): Group {
  return async () => {
    attach();
    const control = new Int32Array(new SharedArrayBuffer(4 * WORDS_PER_GATE * (count + 1)));
    const shared = new Int32Array(new SharedArrayBuffer(64));
    const workers = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const workerData: ThreadData = { control, shared, index, ...THREAD_ADDS };
        const worker = new Worker(new URL('./counter-thread.js', import.meta.url), { workerData });
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        return worker;
      }),
    );
    const run = (work: number) => () => {
      Atomics.store(control, DONE, 0);
      Atomics.store(control, WORK, work);
      const started = performance.now();
      for (let index = 1; index <= count; index++) {
        Atomics.add(control, GATE + index * WORDS_PER_GATE, 1);
        Atomics.notify(control, GATE + index * WORDS_PER_GATE);
      }
      for (let done = 0; done < count; done = Atomics.load(control, DONE)) {
        if (Atomics.wait(control, DONE, done, ANSWER_MS) === 'timed-out') throw new Error('a thread did not finish');
      }
      return { overriddenDuration: performance.now() - started };
    };
    const times = await interleave(
      {
        own: { ops: THREAD_ADDS.own, sample: run(ADD_OWN) },
        plain: { ops: THREAD_ADDS.plain, sample: run(ADD_PLAIN) },
        atomic: { ops: THREAD_ADDS.atomic, sample: run(ADD_ATOMIC) },
      },
      { samples: 3, counts: 'median' },
    );
    await Promise.all(workers.map((worker) => worker.terminate()));
    const what = `shared Atomics.add against Counter.add, ${count} thread${count === 1 ? '' : 's'}`;
    return [row(what, times.atomic, times.own, { atLeast }, times.plain)];
  };
}

async function prom() {
  const { default: client } = await import('prom-client');
  const metric = new client.Counter({ name: 'requests', help: 'requests', labelNames: ['method'], registers: [] });
  const child = metric.labels({ method: 'get' });
  const times = await interleave({
    peer: {
      ops: PEER_ADDS,
      loop: (times) => {
        for (let k = 0; k < times; k++) child.inc();
        return child;
      },
    },
    own: { ops: ADDS, loop: adder(new Counter('bench/adds')) },
    plain: { ops: ADDS, loop: plainAdder() },
  });
  const what = 'prom-client labelled child inc() against Counter.add(1)';
  return [row(what, times.peer, times.own, { atLeast: 120 }, times.plain)];
}

async function otel() {
  const { MeterProvider, MetricReader } = await import('@opentelemetry/sdk-metrics');
  // Without a reader, the SDK records nothing.
  class Reader extends MetricReader {
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {}
  }
  const provider = new MeterProvider({ readers: [new Reader()] });
  const metric = provider.getMeter('bench').createCounter('requests');
  const times = await interleave({
    peer: {
      ops: PEER_ADDS,
      loop: (times) => {
        for (let k = 0; k < times; k++) metric.add(1);
        return metric;
      },
    },
    own: { ops: ADDS, loop: adder(new Counter('bench/adds')) },
    plain: { ops: ADDS, loop: plainAdder() },
  });
  const what = 'OpenTelemetry counter add(1) against Counter.add(1)';
  return [row(what, times.peer, times.own, { atLeast: 100 }, times.plain)];
}

export const counter: Topic = {
  add,
  oneThread: threads(1, 15),
  twoThreads: threads(2, 30),
  fourThreads: threads(4, 30),
  prom,
  otel,
};
