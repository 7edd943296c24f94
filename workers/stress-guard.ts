// The watchdog of the stress command: a thread that looks at the main thread's heartbeat and ends the process when it has
// stopped. Where only the other threads are stuck, the main thread notices by itself.

import { writeSync } from 'node:fs';
import process from 'node:process';
import { workerData } from 'node:worker_threads';
import { type LedgerShape, openLedger } from './stress-ledger.js';

export interface GuardData {
  readonly ledger: LedgerShape;
  readonly seconds: number;
  readonly seed: number;
}

const { ledger, seconds, seed } = workerData as GuardData;
const { i32, control } = openLedger(ledger);
let last = -1;
let silent = 0;

while (Atomics.wait(i32, control.guardStop, 0, 1000) === 'timed-out') {
  const beat = Atomics.load(i32, control.heartbeat);
  silent = beat === last ? silent + 1 : 0;
  last = beat;
  if (silent < seconds) continue;
  writeSync(2, `stress: the main thread has been stuck for ${seconds} s; aborting, seed ${seed}\n`);
  // Nothing milder is sure to end a process whose main thread does not turn.
  process.kill(process.pid, 'SIGKILL');
}
