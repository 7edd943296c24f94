// One thread of a stress run on per-CPU data: one operation after the other, through both copies of the library, until it is told to end or
// how to die, or is terminated in the middle of anything. In a pause it keeps still between two operations.

import { setTimeout as sleep, setImmediate as turnOnce } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { type DataLedgerShape, openDataLedger } from './stress-data-ledger.js';
import type { Library } from './stress-data-topic.js';
import { TOPICS } from './stress-data-topics.js';
import { dieAs } from './stress-die.js';
import { createRandom } from './stress-random.js';
import type { ThreadData } from './stress-threads.js';

export interface DataThreadData extends ThreadData {
  readonly topic: string;
  readonly bound: number;
  readonly ledger: DataLedgerShape;
  /** The copies of the library, as URLs of folders. */
  readonly copies: readonly string[];
}

const MOST_BATCH = 300;
/** How often it disposes of everything behind a batch, and makes it again: a slot changes hands. */
const REOPENS = 0.03;
const RESTS = 0.2;
const REST_MS = 1;
const PARKED_MS = 20;
const ANSWERING_MS = 1;

const { me, seed, topic, bound, ledger: shape, copies } = workerData as DataThreadData;
const ledger = openDataLedger(shape);
const random = createRandom(seed);
const apis = (await Promise.all(copies.map((copy) => import(`${copy}/core.js`)))) as Library[];
const { thread: open, answers = false } = TOPICS[topic]!;
const goesOn = (): boolean => !ledger.stopped() && ledger.get(me, 'command') === 0;

// Node aborts the process where a thread is terminated while koffi is being initialised in it (docs/percpu.md): before it can be killed.
for (const api of apis) {
  const registration = api.register();
  registration.cpuId();
  registration.unregister();
}
ledger.set(me, 'begun', 1);
let work: ReturnType<typeof open> | undefined;
let operations = 0;
while (goesOn()) {
  // Asked behind `begun`: the supervisor sets the pause and asks for `begun` then.
  const pause = ledger.pause();
  ledger.set(me, 'parked', pause);
  if (pause !== 0) {
    if (answers) await sleep(ANSWERING_MS);
    else ledger.waitOut(pause, PARKED_MS);
    continue;
  }
  work ??= open({ me, random, ledger, apis, area: apis[0]!.attach(), bound });
  for (let k = random.below(MOST_BATCH); k >= 0 && ledger.pause() === 0 && goesOn(); k--) {
    const turning = work.turn();
    if (turning instanceof Promise) await turning;
    ledger.setNumber(me, 'operations', ++operations);
  }
  if (random.chance(REOPENS)) {
    work.close();
    work = undefined;
  }
  if (random.chance(RESTS)) ledger.rest(random.below(REST_MS + 1));
  else await turnOnce();
}
const command = ledger.get(me, 'command');
if (command === 0) {
  work ??= open({ me, random, ledger, apis, area: apis[0]!.attach(), bound });
  work.finish();
  work.close();
}
ledger.set(me, 'leaving', 1);
await dieAs(command);
