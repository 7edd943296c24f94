// Calls between threads: a number there and another back, and an object of 1 KB, beside other libraries, with the two threads on a core
// each and both on one. Only pinned threads tell: left alone, two threads that take turns are moved together and apart as the kernel
// likes. All servers exist at once and sleep while it is not their turn.

import { connect } from 'coexist/call';
import { type CallerKind, openCaller } from './call-coincident.js';
import { type Method, type methods, openComlink, openPort, openSynckit, type Peer, startServer } from './call-peers.js';
import { type Bar, type Group, interleave, loadCore, type Row, row, type Topic, type Variant } from './kit.js';
import { cores, pin } from './pin.js';

const OPTIONS = { rounds: 11, samples: 3, warmup: 2, counts: 'median' } as const;
const WARM_CALLS = 2000;

interface Placement {
  readonly what: string;
  /** Index of the server's core among those that there are; the caller's is the first. */
  readonly core: 0 | 1;
}
const ACROSS: Placement = { what: 'across cores', core: 1 };
const ONE: Placement = { what: 'on one core', core: 0 };

/** Pins this thread, and says which core the other one gets; none where that cannot be done. */
function place({ core }: Placement): number | undefined {
  const [mine, theirs] = [cores()[0], cores()[core]];
  return mine !== undefined && theirs !== undefined && pin(mine) ? theirs : undefined;
}

/** So many calls of a synchronous kind, or of an asynchronous one, one after the other. */
function variantOf({ call }: Pick<Peer, 'call'>, method: Method, argument: unknown, ops: number): Variant {
  const async = call(method, argument) instanceof Promise;
  const timed = (started: number) => ({ overriddenDuration: performance.now() - started });
  return {
    ops,
    sample: async
      ? async () => {
          const started = performance.now();
          for (let k = 0; k < ops; k++) await call(method, argument);
          return timed(started);
        }
      : () => {
          const started = performance.now();
          for (let k = 0; k < ops; k++) call(method, argument);
          return timed(started);
        },
  };
}

type Own = Peer & { readonly callAsync: Peer['call'] };

async function openOwn(kind: 'loop' | 'run' | 'still', core: number): Promise<Own> {
  const name = `bench/call-${kind}`;
  const worker = await startServer({ kind, core, name });
  const client = connect<typeof methods>(name);
  return {
    call: (method, argument) =>
      method === 'next' ? client.callSync('next', argument as number) : client.callSync('echo', argument),
    callAsync: (method, argument) =>
      method === 'next' ? client.call('next', argument as number) : client.call('echo', argument),
    end: () => worker.terminate(),
  };
}

/** Calls of one sample, enough for some milliseconds. */
interface Counts {
  readonly own: number;
  readonly peer: number;
}

function numbers(placement: Placement, counts: Counts, synckitBar: Bar): Group {
  return async () => {
    const core = place(placement);
    if (core === undefined) return [];
    const own = { run: await openOwn('run', core), loop: await openOwn('loop', core) };
    const peers = { synckit: openSynckit(core), port: await openPort(core), comlink: await openComlink(core) };
    for (const { call } of [own.run, own.loop]) for (let k = 0; k < WARM_CALLS; k++) call('next', k);
    const times = await interleave(
      {
        run: variantOf(own.run, 'next', 1, counts.own),
        loop: variantOf(own.loop, 'next', 1, counts.own),
        async: variantOf({ call: own.loop.callAsync }, 'next', 1, counts.peer),
        synckit: variantOf(peers.synckit, 'next', 1, counts.peer),
        port: variantOf(peers.port, 'next', 1, counts.peer),
        comlink: variantOf(peers.comlink, 'next', 1, counts.peer),
      },
      OPTIONS,
    );
    for (const { end } of [own.run, own.loop, peers.port, peers.comlink]) await end();
    const { what } = placement;
    const ahead: Bar = { atLeast: 1 };
    return [
      row(`synckit against callSync, a number, ${what}`, times.synckit, times.run, synckitBar),
      row(`synckit against callSync, server in its event loop, ${what}`, times.synckit, times.loop),
      row(`postMessage + receiveMessageOnPort against callSync, ${what}`, times.port, times.run, ahead),
      row(`comlink against callSync, ${what}`, times.comlink, times.run, ahead),
      row(`comlink against call(), server in its event loop, ${what}`, times.comlink, times.async),
    ];
  };
}

function upwards(placement: Placement, counts: Counts, bar: Bar): Group {
  return async () => {
    const core = place(placement);
    if (core === undefined) return [];
    const kinds: readonly CallerKind[] = ['own', 'coincident'];
    const [own, peer] = await Promise.all(kinds.map((kind) => openCaller(kind, core)));
    await own!.sample(WARM_CALLS);
    await peer!.sample(WARM_CALLS);
    const times = await interleave(
      {
        own: { ops: counts.own, sample: () => own!.sample(counts.own) },
        coincident: { ops: counts.peer, sample: () => peer!.sample(counts.peer) },
      },
      OPTIONS,
    );
    await own!.end();
    await peer!.end();
    return [row(`coincident against callSync, worker to main, ${placement.what}`, times.coincident, times.own, bar)];
  };
}

/** An object of about 1 KB as JSON, of the kinds that records of programs have. */
export function objectOf1KB(): object {
  const items = Array.from({ length: 11 }, (_, k) => ({
    id: k,
    name: `item number ${k}`,
    price: 19.5 + k,
    tags: ['red', 'large'],
    stock: k % 2 === 0,
  }));
  return { order: 4711, customer: 'Ada Lovelace', items };
}

/** There and back, both ways: nothing but the payload differs from the numbers. */
const objects: Group = async () => {
  const core = place(ACROSS);
  if (core === undefined) return [];
  const own = await openOwn('run', core);
  const port = await openPort(core);
  const argument = objectOf1KB();
  for (let k = 0; k < WARM_CALLS; k++) own.call('echo', argument);
  const times = await interleave(
    { own: variantOf(own, 'echo', argument, 1000), port: variantOf(port, 'echo', argument, 200) },
    OPTIONS,
  );
  await own.end();
  await port.end();
  const what = 'structured clone over a MessagePort against callSync, a 1 KB object there and back, across cores';
  return [row(what, times.port, times.own, { atLeast: 5 })];
};

const TAIL_ROUNDS = 11;
const TAIL_CALLS = 4000;

/** What spinning costs where it cannot pay: quantiles of single calls, with it and without. */
const tails: Group = async (): Promise<Row[]> => {
  const core = place(ONE);
  if (core === undefined) return [];
  const { SPIN } = await loadCore();
  const looks = SPIN.event;
  const own = await openOwn('run', core);
  const still = await openOwn('still', core);
  const quantiles = ({ call }: Peer, event: number): { p50: number; p99: number } => {
    SPIN.event = event;
    const times = new Float64Array(TAIL_CALLS);
    for (let k = 0; k < TAIL_CALLS; k++) {
      const started = performance.now();
      call('next', k);
      times[k] = performance.now() - started;
    }
    times.sort();
    return { p50: times[TAIL_CALLS >> 1]!, p99: times[Math.floor(TAIL_CALLS * 0.99)]! };
  };
  const found = {
    own: { p50: [] as number[], p99: [] as number[] },
    still: { p50: [] as number[], p99: [] as number[] },
  };
  for (let round = -2; round < TAIL_ROUNDS; round++) {
    const order = round % 2 === 0 ? (['own', 'still'] as const) : (['still', 'own'] as const);
    for (const name of order) {
      const { p50, p99 } = name === 'own' ? quantiles(own, looks) : quantiles(still, 0);
      if (round < 0) continue;
      found[name].p50.push(p50);
      found[name].p99.push(p99);
    }
  }
  SPIN.event = looks;
  await own.end();
  await still.end();
  return [
    row('p50 of callSync against one that never spins, on one core', found.own.p50, found.still.p50, { atMost: 1.15 }),
    row('p99 of callSync against one that never spins, on one core', found.own.p99, found.still.p99, { atMost: 15 }),
  ];
};

export const call: Topic = {
  acrossCores: numbers(ACROSS, { own: 20_000, peer: 200 }, { atLeast: 200 }),
  oneCore: numbers(ONE, { own: 1000, peer: 500 }, { atLeast: 1.8 }),
  upwardsAcrossCores: upwards(ACROSS, { own: 5000, peer: 500 }, { atLeast: 3 }),
  upwardsOneCore: upwards(ONE, { own: 1000, peer: 500 }, { atLeast: 0.95 }),
  objects,
  tails,
};
