// The second player of the topic condvar, on the core it is told.

import { parentPort, workerData } from 'node:worker_threads';
import { GATE, openPlayers, type PlayerShared, TURNS, WORK } from './condvar-players.js';
import { pin } from './pin.js';

const { shared, core } = workerData as { readonly shared: PlayerShared; readonly core: number };
const { control } = shared;
if (!pin(core)) throw new Error('the first thread could be pinned');
const players = await openPlayers(shared);
parentPort?.postMessage('ready');
for (let opened = 0; ; opened++) {
  Atomics.wait(control, GATE, opened);
  const player = Atomics.load(control, WORK) === 0 ? players.own : players.peer;
  player(1, Atomics.load(control, TURNS));
}
