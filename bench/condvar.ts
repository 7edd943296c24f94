// Condvar: a turn that goes to another thread and back, beside `multithreading`, with the two threads on a core each and both on
// one. Only pinned threads tell: left alone, two threads that take turns are moved together and apart as the kernel likes.

import { Worker } from 'node:worker_threads';
import { attach } from 'coexist';
import { createShared, GATE, openPlayers, type PlayerName, type PlayerShared, TURNS, WORK } from './condvar-players.js';
import { type Bar, type Group, interleave, row } from './kit.js';
import { cores, pin } from './pin.js';

const NAMES: readonly PlayerName[] = ['own', 'peer'];
/** Before the clock starts: the other thread has left its gate by then. */
const FIRST = 10;
const OPTIONS = { rounds: 11, samples: 3, warmup: 2, counts: 'median' } as const;

/** Turns of one sample, enough for some milliseconds. */
interface Counts {
  readonly own: number;
  readonly peer: number;
}

function roundTrip(what: string, own: number, other: number, counts: Counts, bar: Bar): Group {
  return async () => {
    const [mine, theirs] = [cores()[own], cores()[other]];
    if (mine === undefined || theirs === undefined || !pin(mine)) return [];
    attach();
    const shared: PlayerShared = createShared();
    const workerData = { shared, core: theirs };
    const worker = new Worker(new URL('./condvar-thread.js', import.meta.url), { workerData });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const players = await openPlayers(shared);
    const sample = (name: PlayerName) => () => {
      const { control } = shared;
      Atomics.store(control, WORK, NAMES.indexOf(name));
      Atomics.store(control, TURNS, FIRST + counts[name]);
      Atomics.add(control, GATE, 1);
      Atomics.notify(control, GATE);
      players[name](0, FIRST);
      const started = performance.now();
      players[name](0, counts[name]);
      return { overriddenDuration: performance.now() - started };
    };
    const times = await interleave(
      { own: { ops: counts.own, sample: sample('own') }, peer: { ops: counts.peer, sample: sample('peer') } },
      OPTIONS,
    );
    await worker.terminate();
    return [row(`multithreading against a Condvar round trip, ${what}`, times.peer, times.own, bar)];
  };
}

export const condvar = {
  acrossCores: roundTrip('across cores', 0, 1, { own: 20_000, peer: 200 }, { atLeast: 150 }),
  oneCore: roundTrip('on one core', 0, 0, { own: 1000, peer: 1000 }, { atLeast: 1.3 }),
};
