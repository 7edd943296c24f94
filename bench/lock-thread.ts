// A thread of a contest: waits at the gate that all share, takes turns until it is told to stop, says how many it took.

import { parentPort, workerData } from 'node:worker_threads';
import { DONE, GATE, STOP, type ThreadData, turnsAt, WORK } from './lock-control.js';
import { openWorks, WORKS, type Work } from './lock-works.js';

/** Turns between two looks at STOP: one look costs as much as a turn. */
const BATCH = 64;

const { control, shared, index } = workerData as ThreadData;
const works = await openWorks(shared);

function takeTurns(work: Work): number {
  let turns = 0;
  while (Atomics.load(control, STOP) === 0) {
    work(BATCH);
    turns += BATCH;
  }
  return turns;
}

parentPort?.postMessage('ready');
for (let opened = 0; ; opened++) {
  Atomics.wait(control, GATE, opened);
  const name = WORKS[Atomics.load(control, WORK)];
  if (name === undefined) throw new Error('no such work');
  Atomics.store(control, turnsAt(index), takeTurns(works[name]));
  Atomics.add(control, DONE, 1);
  Atomics.notify(control, DONE);
}
