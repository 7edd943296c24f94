// Counter.add(1) against the plain 64-bit increment it is made of, against one shared atomic, and against the counters of
// metrics libraries.

import { attach } from 'coexist';
import { Counter } from 'coexist/percpu';
import { WORKS } from './counter-thread.js';
import { type Group, interleave, row, type Topic, variable } from './kit.js';
import { team } from './team.js';

const ADDS = 1_000_000;
const PEER_ADDS = 20_000;

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

function threads(count: number, atLeast: number): Group {
  return async () => {
    attach();
    const shared = new Int32Array(new SharedArrayBuffer(64));
    const { own, plain, atomic } = WORKS;
    const times = await team(count, './counter-thread.js', { shared }, { own, plain, atomic });
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
