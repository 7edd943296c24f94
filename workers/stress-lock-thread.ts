// One thread of a lock's stress run: takes turns until it is told to end or how to die, or is terminated in the middle of anything.

import process from 'node:process';
import { setTimeout as sleep, setImmediate as turnOnce } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { EXIT_CODE, ON_PURPOSE } from './stress-ledger.js';
import { type Api, KINDS } from './stress-lock-kinds.js';
import { type LockLedgerShape, openLockLedger } from './stress-lock-ledger.js';
import { createSection, Dying, dieAtOnce } from './stress-lock-section.js';
import { createRandom } from './stress-random.js';

export interface LockThreadData {
  /** This thread's number, and its row. */
  readonly me: number;
  readonly topic: string;
  readonly seed: number;
  readonly ledger: LockLedgerShape;
  /** The copy of the library that it uses, as the URL of a folder. */
  readonly copy: string;
  readonly deaths: boolean;
  readonly produces: boolean;
  readonly threads: number;
  readonly onces: SharedArrayBuffer;
  readonly fault: string | undefined;
}

const MOST_BATCH = 200;

const data = workerData as LockThreadData;
const { me, fault } = data;
const random = createRandom(data.seed);
const ledger = openLockLedger(data.ledger);
const api: Api = await import(`${data.copy}/sync.js`);
const section = createSection(me, random, ledger, fault === 'told-nobody');
const { turn, end } = KINDS[data.topic]!({ ...data, section, api });

async function run(): Promise<void> {
  while (!ledger.stopped()) {
    for (let k = random.below(MOST_BATCH); k >= 0 && !ledger.stopped(); k--) {
      section.obey();
      const turning = turn();
      if (turning !== undefined) await turning;
      section.operation();
    }
    await turnOnce();
  }
}

/** Only 'return' comes back. */
async function die({ how }: Dying): Promise<void> {
  ledger.set(me, 'leaving', 1);
  if (how === 'return') return;
  if (how === 'exit') process.exit(EXIT_CODE);
  if (how === 'oom') dieAtOnce(how, () => undefined);
  if (how === 'reject') Promise.reject(new Error(ON_PURPOSE));
  else {
    setImmediate(() => {
      throw new Error(ON_PURPOSE);
    });
  }
  await sleep(60_000);
}

try {
  await run();
  end?.();
  ledger.set(me, 'leaving', 1);
} catch (error) {
  if (!(error instanceof Dying)) throw error;
  await die(error);
}
