// The threads of a lock's stress run: starts them, orders their deaths, and looks what each was doing when it died. A thread that
// ends in another way than it was told to is a violation.

import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { DEATHS, type Death, EXIT_CODE, ON_PURPOSE } from './stress-ledger.js';
import { type LockLedger, STATE } from './stress-lock-ledger.js';
import type { LockThreadData } from './stress-lock-thread.js';
import { deriveSeed, type Random } from './stress-random.js';

const DOOM_WEIGHTS = { terminate: 40, exit: 18, throw: 12, reject: 12, return: 12, oom: 6 };
/** Numbers below are nobody's, and the supervisor's. */
const FIRST = 2;
/** Rows of the ledger: threads that a run can start. */
export const MOST_THREADS = 20_000;
/** In the row of a thread that is terminated, where the number of a Death would stand. */
const TERMINATED = -1;
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 };

type Doom = Death | 'terminate';
export type DeathCounts = Record<Doom, number>;

interface Thread {
  readonly me: number;
  readonly worker: Worker;
  readonly text: string;
  readonly produces: boolean;
  doom?: Doom;
  operations: number;
  changedAt: number;
  error?: NodeJS.ErrnoException;
}

export interface LockFleetOptions {
  readonly seed: number;
  readonly random: Random;
  readonly ledger: LockLedger;
  readonly copies: readonly string[];
  readonly fault: string | undefined;
  /** The longest that a thread may go without an operation, in ms. */
  readonly boundMs: number;
  readonly common: Pick<LockThreadData, 'topic' | 'deaths' | 'threads' | 'onces'>;
}

export function createLockFleet({ seed, random, ledger, copies, fault, boundMs, common }: LockFleetOptions) {
  const { i32, control } = ledger;
  const threads = new Map<number, Thread>();
  const texts = new Map<number, string>([[1, 'the supervisor']]);
  const deaths: DeathCounts = { terminate: 0, exit: 0, throw: 0, reject: 0, return: 0, oom: 0 };
  const notes: string[] = [];
  /** Threads that surely died holding the lock, and when that was seen. */
  const victims = new Map<number, number>();
  let started = 0;
  let unsure = 0;

  const begun = ({ me }: Thread): boolean => ledger.get(me, 'operations') > 0;
  const all = (): number[] => Array.from({ length: started }, (_, k) => FIRST + k);

  function start(): void {
    const me = FIRST + started++;
    const twin = process.env['COEXIST_NO_WASM'] === '1' || random.chance(0.3);
    const well = [...threads.values()].filter((thread) => thread.doom === undefined);
    const produces = well.filter((thread) => thread.produces).length * 2 <= well.length;
    const text = `thread ${me - FIRST + 1} (${twin ? 'JavaScript twin' : 'wasm'})`;
    texts.set(me, text);
    const workerData: LockThreadData = {
      ...common,
      me,
      produces,
      seed: deriveSeed(seed, me),
      ledger: ledger.shape,
      copy: random.pick(copies),
      fault: faultFor(me),
    };
    const worker = new Worker(new URL('stress-lock-thread.js', import.meta.url), {
      workerData,
      resourceLimits: RESOURCE_LIMITS,
      ...(twin ? { env: { ...process.env, COEXIST_NO_WASM: '1' } } : {}),
    });
    const thread: Thread = { me, worker, text, produces, operations: 0, changedAt: performance.now() };
    threads.set(me, thread);
    worker.on('error', (error) => {
      thread.error = error;
    });
    worker.once('exit', (code) => onExit(thread, code));
  }

  /** Some faults are those of all threads. */
  function faultFor(me: number): string | undefined {
    return me === FIRST || fault === 'told-nobody' || fault === 'no-notify' ? fault : undefined;
  }

  function onExit(thread: Thread, code: number): void {
    const { me, text, error } = thread;
    threads.delete(me);
    const how = howItDied(thread, code);
    if (how === undefined) {
      notes.push(`${text}, told to ${thread.doom ?? 'go on'}, ended with code ${code}: ${error?.stack ?? 'no error'}`);
      ledger.violate('unexpected failure', me, 0, code);
    } else if (how !== 'stopped') deaths[how]++;
    if (thread.doom !== undefined) account(me);
    ledger.set(me, 'ended', 1);
  }

  function account(me: number): void {
    const state = ledger.get(me, 'state');
    if (state === STATE.inside) {
      victims.set(me, ledger.now());
      Atomics.sub(i32, control.inside, 1);
    } else if (state !== STATE.outside) {
      unsure++;
      // Whether it is among those inside, nobody can say.
      return;
    }
    Atomics.sub(i32, control.slack, 1);
  }

  /** undefined: not as it was told to. */
  function howItDied({ me, doom, error }: Thread, code: number): Doom | 'stopped' | undefined {
    // Ended by force, after the run.
    if (code === 1 && error === undefined && ledger.stopped()) return 'stopped';
    if (error !== undefined) {
      if (doom === 'oom') return error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? doom : undefined;
      return (doom === 'throw' || doom === 'reject') && error.message === ON_PURPOSE ? doom : undefined;
    }
    if (code === EXIT_CODE && ledger.get(me, 'leaving') === 1) return 'exit';
    if (code === 0 && doom === 'return') return doom;
    if (code === 0 && ledger.stopped()) return 'stopped';
    return doom === 'terminate' ? doom : undefined;
  }

  function doom(thread: Thread, how: Doom): void {
    thread.doom = how;
    Atomics.add(i32, control.slack, 1);
    ledger.set(thread.me, 'command', how === 'terminate' ? TERMINATED : DEATHS.indexOf(how) + 1);
    if (how === 'terminate') void thread.worker.terminate();
  }

  return {
    deaths,
    notes,
    victims,
    get size() {
      return threads.size;
    },
    get started() {
      return started;
    },
    /** Threads that may or may not have held the lock when they died. */
    get unsure() {
      return unsure;
    },
    all,
    live: (): Iterable<Thread> => threads.values(),
    begun,
    fill(wanted: number): void {
      const well = [...threads.values()].filter((thread) => thread.doom === undefined).length;
      for (let k = Math.min(wanted - well, 2 * wanted - threads.size); k > 0 && started < MOST_THREADS - FIRST; k--)
        start();
    },
    running: (): number => [...threads.values()].filter((thread) => thread.doom === undefined && begun(thread)).length,
    kill(): void {
      const candidates = [...threads.values()].filter((thread) => thread.doom === undefined && begun(thread));
      if (candidates.length > 0) doom(random.pick(candidates), random.weighted(DOOM_WEIGHTS));
    },
    /** Reports threads that get nowhere. */
    checkProgress(): void {
      const now = performance.now();
      for (const thread of threads.values()) {
        const operations = ledger.get(thread.me, 'operations');
        // Its first turn may be the one that does not end.
        const waiting = begun(thread) || ledger.get(thread.me, 'state') !== STATE.outside;
        const excused = thread.doom !== undefined || ledger.get(thread.me, 'leaving') === 1 || !waiting;
        if (excused || operations !== thread.operations) {
          thread.operations = operations;
          thread.changedAt = now;
        } else if (now - thread.changedAt > boundMs) {
          ledger.violate('no progress', thread.me, operations + 1, operations);
          thread.changedAt = Number.POSITIVE_INFINITY;
        }
      }
    },
    terminateAll(): Promise<unknown> {
      for (const thread of threads.values()) thread.doom ??= 'terminate';
      return Promise.all([...threads.values()].map(({ worker }) => worker.terminate()));
    },
    /** Sum of a field over all threads that ever were. */
    total: (field: 'operations' | 'added' | 'adding' | 'told' | 'givenUp'): number =>
      all().reduce((sum, me) => sum + (ledger.get(me, field) >>> 0), 0),
    describe: (thread: number): string => texts.get(thread) ?? `thread number ${thread}`,
  };
}

export type LockFleet = ReturnType<typeof createLockFleet>;
