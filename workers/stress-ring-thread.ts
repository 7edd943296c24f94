// One thread of a ring's stress run. A writer offers records through two copies of the library in turn, a drainer takes them out
// and notes what it saw; both until they are told to end or how to die, or are terminated in the middle of anything.

import { setImmediate as turnOnce } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import { dieAs } from './stress-die.js';
import { createRandom } from './stress-random.js';
import { openRingLedger, type RingLedgerShape } from './stress-ring-ledger.js';
import { createMaker, type Entry, inspectBatch, RING_NAME } from './stress-ring-records.js';
import type { ThreadData } from './stress-threads.js';

/** The seat is a drainer's log; a writer has none. */
export interface RingThreadData extends ThreadData {
  readonly ledger: RingLedgerShape;
  /** The copies of the library, as URLs of folders. */
  readonly copies: readonly string[];
  readonly capacity: number;
  readonly overwrites: boolean;
}

const MOST_BATCH = 400;
/** About two rings full. */
const MOST_OVERWRITTEN = 160;
/** How long a writer whose record was dropped lets the drainers go on, in ms; one that overwrites rests now and then. */
const REST_MS = 0.05;
const IDLE_MS = 0.02;

const { me, seat, seed, ledger: shape, copies, capacity, overwrites } = workerData as RingThreadData;
const ledger = openRingLedger(shape);
const random = createRandom(seed);
const apis = (await Promise.all(copies.map((copy) => import(`${copy}/core.js`)))) as (typeof core)[];

/** True once this thread is to die. */
const doomed = (): boolean => ledger.command(me) !== 0;

async function write(): Promise<void> {
  const policy = overwrites ? 'overwrite' : 'drop-newest';
  const rings = apis.map(({ Ring }) => new Ring(RING_NAME, { capacity, policy, holder: 'stress' }));
  const make = createMaker(me);
  let [attempts, stored, dropped] = [0, 0, 0];
  ledger.set(me, 'overwrites', overwrites ? 1 : 0);
  while (!ledger.stopped('stopWriters') && !doomed()) {
    for (let k = random.below(overwrites ? MOST_OVERWRITTEN : MOST_BATCH); k >= 0; k--) {
      const record = make(attempts);
      ledger.set(me, 'attempts', ++attempts);
      if (rings[attempts & 1]!.write(record)) ledger.set(me, 'stored', ++stored);
      else {
        ledger.set(me, 'dropped', ++dropped);
        ledger.rest('stopWriters', REST_MS);
      }
    }
    if (overwrites) ledger.rest('stopWriters', REST_MS * random.below(4));
    if (random.chance(0.05)) await turnOnce();
  }
}

async function drain(log: number): Promise<void> {
  const readers = apis.map(({ Ring }) => Ring.reader(RING_NAME, { capacity }));
  const area = apis[0]!.attach();
  const { coreOf } = apis[0]!;
  const inner = coreOf(area.buffer);
  const note = (entry: Entry): void => {
    while (!ledger.log(log, entry)) ledger.rest('stopDrainers', 1);
  };
  for (let round = 0; !doomed(); round++) {
    // Asked first: what was there by then is taken out below.
    const last = ledger.stopped('stopDrainers');
    const reader = readers[round & 1]!;
    const limit = random.chance(0.1) ? 1 + random.below(20) : undefined;
    let found = 0;
    for (let slot = 0, end = inner.highWater(); slot < end; slot++) {
      const records = reader.take({ slot, limit });
      found += records.length;
      inspectBatch(records, note);
    }
    if (found > 0) continue;
    if (last) return;
    ledger.rest('stopDrainers', IDLE_MS);
    await turnOnce();
  }
}

await (seat === undefined ? write() : drain(seat));
ledger.set(me, 'leaving', 1);
await dieAs(ledger.command(me));
