// One thread of the stress command: registers, unregisters and counts at random, with two copies of the library, until it
// is told to end or how to die, or is terminated by the supervisor in the middle of anything.

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Script } from 'node:vm';
import { resourceLimits, Worker, workerData } from 'node:worker_threads';
import type * as coexist from 'coexist';
import type * as percpu from 'coexist/percpu';
import { plantFault } from './stress-faults.js';
import { createHoldings } from './stress-holdings.js';
import { DEATHS, type Death, EXIT_CODE, type LedgerShape, ON_PURPOSE, openLedger } from './stress-ledger.js';
import { createRandom, deriveSeed } from './stress-random.js';
import { openSlots } from './stress-slots.js';

export const FLAVOURS = ['churn', 'counter', 'permanent', 'cut', 'parent'] as const;
export type Flavour = (typeof FLAVOURS)[number];

export interface ThreadData {
  /** This thread's number. */
  readonly me: number;
  readonly seed: number;
  readonly flavour: Flavour;
  readonly ledger: LedgerShape;
  /** Folders of the copies, as URLs. */
  readonly copies: readonly string[];
  /** Numbers for nested threads. */
  readonly nested: readonly number[];
  readonly fault: string | undefined;
}

const data = workerData as ThreadData;
const { me, flavour } = data;
const MOST_HANDLES = 6;
const BATCH = 100;
const MOST_REST_MS = 20;
const LEAVE_WHEN_LEAKED = 0.1;
const random = createRandom(data.seed);
const ledger = openLedger(data.ledger);
const command = (): Death | undefined => DEATHS[ledger.get(me, 'command') - 1];
const stopped = (): boolean => Atomics.load(ledger.i32, ledger.control.stop) !== 0;

interface Copy {
  readonly api: typeof coexist;
  readonly percpu: typeof percpu;
}

const copies: Copy[] = [];
for (const url of random.chance(0.5) ? data.copies : [...data.copies].reverse()) {
  copies.push({ api: await import(`${url}/index.js`), percpu: await import(`${url}/percpu.js`) });
}
const slots = openSlots(copies[0]!.api.attach());
const holdings = createHoldings(me, ledger, slots);
const { handles } = holdings;

function register(): boolean {
  const { api } = random.pick(copies);
  const name = random.chance(0.5) ? `stress-${random.below(4)}` : undefined;
  return holdings.add(() => {
    const registration = api.register({ name });
    // Registered, and nothing written down about it.
    if (command() === 'exit') leave();
    return {
      registration,
      end: () => (random.chance(0.5) ? registration.unregister() : registration[Symbol.dispose]()),
    };
  });
}

function count(): void {
  const { percpu } = random.pick(copies);
  const name = `stress/${random.below(2)}`;
  holdings.add(() => {
    const counter = new percpu.Counter(name);
    return {
      end() {
        for (let k = random.below(20); k >= 0; k--) {
          const n = random.chance(0.9) ? 1 : 1 + random.below(9);
          // In this order: whenever this thread dies, the sum is `added`, or that and `adding`.
          ledger.set(me, 'adding', n);
          counter.add(n);
          ledger.bump(me, 'added', n);
          ledger.set(me, 'adding', 0);
        }
        counter.dispose();
      },
    };
  });
}

function drop(): void {
  const k = random.below(handles.length);
  const { registration } = handles[k]!;
  holdings.drop(k);
  if (registration === undefined || registration.permanent || !random.chance(0.05)) return;
  expectCode('COEXIST_EUNREGISTERED', () => registration.unregister());
}

/** What the contract refuses is refused, and changes nothing. */
function expectCode(code: string, act: () => void): void {
  try {
    act();
    holdings.violate('unexpected success', 0, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
  }
  holdings.check();
}

function operation(): void {
  const counting = flavour === 'counter' ? 0.5 : 0.05;
  if (handles.length >= MOST_HANDLES || (handles.length > 0 && random.chance(0.5))) drop();
  else if (random.chance(counting)) count();
  else register();
  if (flavour !== 'permanent' && handles.length > 0 && random.chance(0.003)) {
    const { api } = random.pick(copies);
    expectCode('COEXIST_EBUSY', () => api.register({ permanent: true }));
  }
}

/** Registers and unregisters in a tight loop until a vm timeout cuts it, anywhere but inside a wasm call. */
function cut(): void {
  const { api } = random.pick(copies);
  const name = random.chance(0.5) ? `stress-${random.below(4)}` : undefined;
  const keep = random.chance(0.3);
  let registration: coexist.Registration | undefined;
  const step = (): void => {
    try {
      registration = api.register({ name });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'COEXIST_EFULL') return;
      throw error;
    }
    ledger.bump(me, 'registrations');
    registration.unregister();
    ledger.bump(me, 'operations');
  };
  Object.assign(globalThis, { stressStep: step });
  // Often with nothing held: then the cut may fall into a claim, or into a last unregister.
  while (handles.length > 0 && !keep) holdings.drop(handles.length - 1);
  holdings.cut(() => {
    try {
      new Script('for (;;) stressStep();').runInThisContext({ timeout: 1 + random.below(3) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    }
    // As a program would that was cut while it held one; does nothing if it was cut in or behind unregister().
    registration?.[Symbol.dispose]();
  });
  // A count that stays too high keeps the slot, and cuts into claims and last unregisters away.
  if (ledger.get(me, 'slack') > 0 && random.chance(LEAVE_WHEN_LEAKED)) leave();
  // Repairs what the cut has left, and finishes a directory entry of that name that others may be waiting for.
  if (handles.length < MOST_HANDLES) {
    holdings.add(() => {
      const registration = api.register({ name });
      return { registration, end: () => registration.unregister() };
    });
  }
}

function startNested(): void {
  for (const number of data.nested) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: {
        ...data,
        me: number,
        seed: deriveSeed(data.seed, number),
        flavour: random.pick(['churn', 'counter'] as const),
        nested: [],
        fault: undefined,
      } satisfies ThreadData,
      resourceLimits,
    });
    // They die when this thread does.
    worker.unref();
  }
}

function leave(): never {
  ledger.set(me, 'leaving', 1);
  process.exit(EXIT_CODE);
}

/** Dies as told; only 'return' comes back. */
async function die(how: Death): Promise<void> {
  ledger.set(me, 'leaving', 1);
  if (how === 'return') return;
  if (how === 'exit') leave();
  if (how === 'throw') {
    setImmediate(() => {
      throw new Error(ON_PURPOSE);
    });
  }
  if (how === 'reject') Promise.reject(new Error(ON_PURPOSE));
  if (how === 'oom') {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array(1000).fill(0.5));
  }
  await sleep(60_000);
}

// Resting threads leave the processors to those that are starting; some are terminated while they block.
async function rest(): Promise<void> {
  const roll = random.next();
  const pause = 1 + random.below(MOST_REST_MS);
  if (roll < 0.2) await turn();
  else if (roll < 0.6) await sleep(pause);
  else Atomics.wait(ledger.i32, ledger.control.stop, 0, pause);
}

let fault = data.fault;

function plantAnyFault(): void {
  const slot = holdings.slot();
  if (fault === undefined || slot < 0) return;
  const count = (): void => {
    using counter = new copies[0]!.percpu.Counter('stress/0');
    counter.add(1);
  };
  if (plantFault(fault, { me, slot, ledger, slots, count })) fault = undefined;
}

async function run(): Promise<void> {
  if (flavour === 'parent') startNested();
  if (flavour === 'permanent') {
    const { api } = random.pick(copies);
    while (!stopped() && handles.length === 0) {
      holdings.addPermanent(() => ({ registration: api.register({ permanent: true }), end() {} }));
      await rest();
    }
  }
  while (!stopped()) {
    for (let k = random.below(BATCH); k >= 0; k--) {
      const how = command();
      if (how !== undefined) return die(how);
      operation();
    }
    if (flavour === 'cut' && random.chance(0.5)) cut();
    plantAnyFault();
    await rest();
  }
  while (handles.length > 0) holdings.drop(handles.length - 1);
  ledger.set(me, 'leaving', 1);
}

await run();
