// The threads of a stress run on rings or on per-CPU data: started, ordered to die in every way there is, and replaced. Some have a
// seat, of which there is one thread at a time. One that ends in another way than it was told to is a violation.

import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { DEATHS, EXIT_CODE, ON_PURPOSE } from './stress-ledger.js';
import type { DeathCounts } from './stress-lock-fleet.js';
import { deriveSeed, type Random } from './stress-random.js';

const DOOM_WEIGHTS = { terminate: 60, exit: 12, throw: 8, reject: 8, return: 8, oom: 4 };
type Doom = keyof typeof DOOM_WEIGHTS;
/** In place of the number of a Death. */
const TERMINATED = -1;
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 };

interface Thread {
  readonly me: number;
  readonly seat: number | undefined;
  readonly worker: Worker;
  /** Of the runtime, as long as it lives. */
  readonly threadId: number;
  doom?: Doom;
  error?: NodeJS.ErrnoException;
}

export interface ThreadsOptions {
  readonly seed: number;
  readonly random: Random;
  /** Threads that a run can start. */
  readonly most: number;
  /** What a thread runs, a module beside this one, and what it is given besides its number and its seed. */
  readonly file: string;
  dataOf(seat: number | undefined): object;
  /** What the thread's ledger says of it. */
  readonly ledger: {
    order(thread: number, death: number): void;
    leaving(thread: number): boolean;
    stopped(seat: number | undefined): boolean;
    /** False while it must not be terminated. */
    begun(thread: number): boolean;
  };
  readonly violate: (rule: string, text: string) => void;
}

/** What every thread is given. */
export interface ThreadData {
  readonly me: number;
  /** Where it has one. */
  readonly seat: number | undefined;
  readonly seed: number;
}

export type Threads = ReturnType<typeof createThreads>;

export function createThreads({ seed, random, most, file, dataOf, ledger, violate }: ThreadsOptions) {
  const threads = new Map<number, Thread>();
  const deaths: DeathCounts = { terminate: 0, exit: 0, throw: 0, reject: 0, return: 0, oom: 0 };
  const unseated: number[] = [];
  const doomed = new Set<number>();
  const ended: number[] = [];
  let started = 0;
  let seatedDeaths = 0;

  function start(seat: number | undefined): void {
    const me = started++;
    if (seat === undefined) unseated.push(me);
    const twin = process.env['COEXIST_NO_WASM'] === '1' || random.chance(0.3);
    const workerData: ThreadData = { ...dataOf(seat), me, seat, seed: deriveSeed(seed, me) };
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData,
      resourceLimits: RESOURCE_LIMITS,
      ...(twin ? { env: { ...process.env, COEXIST_NO_WASM: '1' } } : {}),
    });
    const thread: Thread = { me, seat, worker, threadId: worker.threadId };
    threads.set(me, thread);
    worker.on('error', (error) => {
      thread.error = error;
    });
    worker.once('exit', (code) => {
      threads.delete(me);
      ended.push(me);
      const how = howItDied(thread, code);
      if (how === undefined) {
        const text = `told to ${thread.doom ?? 'go on'}, ended with code ${code}: ${thread.error?.stack ?? 'no error'}`;
        violate('unexpected failure', `thread ${me}${seat === undefined ? '' : ` of seat ${seat}`}, ${text}`);
      } else if (how !== 'stopped') deaths[how]++;
    });
  }

  /** undefined: not as it was told to. */
  function howItDied({ me, doom, error, seat }: Thread, code: number): Doom | 'stopped' | undefined {
    if (error !== undefined) {
      if (doom === 'oom') return error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? doom : undefined;
      return (doom === 'throw' || doom === 'reject') && error.message === ON_PURPOSE ? doom : undefined;
    }
    if (code === EXIT_CODE && doom === 'exit' && ledger.leaving(me)) return doom;
    if (code === 0 && doom === 'return') return doom;
    if (code === 0 && ledger.stopped(seat)) return 'stopped';
    return doom === 'terminate' ? doom : undefined;
  }

  const well = (): Thread[] => [...threads.values()].filter(({ doom }) => doom === undefined);

  return {
    deaths,
    /** Numbers of all threads without a seat that ever were; of those that were told to die; of those that have ended. */
    unseated,
    doomed,
    ended,
    live: (): Iterable<Thread> => threads.values(),
    get size() {
      return threads.size;
    },
    get started() {
      return started;
    },
    get seatedDeaths() {
      return seatedDeaths;
    },
    running: (): number => well().length,
    living: (kind: 'seated' | 'unseated'): number =>
      [...threads.values()].filter(({ seat }) => (seat === undefined) === (kind === 'unseated')).length,
    /** Starts what is missing; a seat is free once its thread has ended. */
    fill(count: number, seats: number): void {
      for (let seat = 0; seat < seats; seat++) {
        const taken = [...threads.values()].some((thread) => thread.seat === seat);
        if (!taken && started < most) start(seat);
      }
      const lacking = count - well().filter(({ seat }) => seat === undefined).length;
      const room = 2 * (count + seats) - threads.size;
      for (let k = Math.min(lacking, room); k > 0 && started < most; k--) start(undefined);
    },
    kill(): void {
      const candidates = well().filter(({ me }) => ledger.begun(me));
      if (candidates.length === 0) return;
      const thread = random.pick(candidates);
      const how = random.weighted(DOOM_WEIGHTS);
      thread.doom = how;
      doomed.add(thread.me);
      if (thread.seat !== undefined) seatedDeaths++;
      ledger.order(thread.me, how === 'terminate' ? TERMINATED : DEATHS.indexOf(how) + 1);
      if (how === 'terminate') void thread.worker.terminate();
    },
    terminateAll(): Promise<unknown> {
      for (const thread of threads.values()) thread.doom ??= 'terminate';
      return Promise.all([...threads.values()].map(({ worker }) => worker.terminate()));
    },
  };
}
