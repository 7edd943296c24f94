// The threads of a stress run: starts them, orders their deaths, and keeps the account of those that have ended. A thread
// that ends in another way than it was told to is a violation.

import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { DEATHS, type Death, EXIT_CODE, type Ledger, ON_PURPOSE } from './stress-ledger.js';
import { deriveSeed, type Random } from './stress-random.js';
import type { Flavour, ThreadData } from './stress-thread.js';
import type { Watch } from './stress-watch.js';

const FLAVOUR_WEIGHTS = { churn: 50, counter: 25, cut: 12, parent: 8, permanent: 5 } satisfies Record<Flavour, number>;
const DOOM_WEIGHTS = { terminate: 40, exit: 18, throw: 12, reject: 12, return: 12, oom: 6 };
/** How often a thread may be doomed before it has done anything. */
const UNBORN_SHARE = 0.1;
const MOST_NESTED = 2;
/**
 * Dying threads are replaced at once, but there are never more than this many for each that is wanted: a worker that
 * returns ends only when the engine's background work in the whole process pauses, which under load takes seconds.
 */
const MOST_FOR_EACH = 2;
/** Rows of the ledger for each thread wanted: its own, those of its nested ones, and the dying. */
export const ROWS_PER_THREAD = MOST_FOR_EACH * (1 + MOST_NESTED);
/** The longest that one operation may take, in ms. */
const OPERATION_MS = 30_000;
/** Small heaps: so that memory runs out soon where it is meant to, and 50 threads need little. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };

type Doom = Death | 'terminate';
export type DeathCounts = Record<Doom | 'nested', number>;

interface Thread {
  readonly me: number;
  readonly worker: Worker;
  readonly text: string;
  readonly nested: readonly number[];
  doom?: Doom;
  /** Its sequence word when it was last seen to change, and when that was. */
  sequence: number;
  changedAt: number;
  error?: NodeJS.ErrnoException;
}

export interface Totals {
  operations: number;
  registrations: number;
  added: number;
  /** Adds of which nobody can say whether they took place. */
  adding: number;
  full: number;
  cuts: number;
}

export interface Fleet {
  /** Numbers of all threads that have not ended, nested ones included. */
  live(): number[];
  readonly size: number;
  readonly started: number;
  /** Threads that have ended, nested ones and those that were never started included. */
  readonly ended: number;
  readonly deaths: DeathCounts;
  /** What went wrong in words, beside the recorded violations. */
  readonly notes: string[];
  /** Starts as many as are missing, at most so many at once. */
  fill(wanted: number, atOnce: number): void;
  /** Threads that have begun to work and not been told to die. */
  running(): number;
  /** Dooms one thread chosen at random. */
  kill(): void;
  /** Ends the threads that have not begun to work. */
  terminateUnborn(): void;
  /** Reports operations that do not end. */
  checkOperations(): void;
  terminateAll(): Promise<unknown>;
  totals(): Totals;
  describe(thread: number): string;
}

export interface FleetOptions {
  readonly seed: number;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly watch: Watch;
  readonly copies: readonly string[];
  readonly fault: string | undefined;
  stopping(): boolean;
}

export function createFleet({ seed, random, ledger, watch, copies, fault, stopping }: FleetOptions): Fleet {
  const threads = new Map<number, Thread>();
  const texts = new Map<number, string>([[0, 'the watcher']]);
  const freeRows = Array.from({ length: ledger.shape.rows }, (_, k) => ledger.shape.rows - 1 - k);
  const retired: Totals = { operations: 0, registrations: 0, added: 0, adding: 0, full: 0, cuts: 0 };
  const deaths: DeathCounts = { terminate: 0, exit: 0, throw: 0, reject: 0, return: 0, oom: 0, nested: 0 };
  const notes: string[] = [];
  let numbers = 0;
  let started = 0;
  let ended = 0;
  let faultDue = fault !== undefined;

  function number(text: string): number {
    const row = freeRows.pop()!;
    const me = ++numbers * ledger.shape.rows + row;
    ledger.clear(me);
    texts.set(me, text);
    return me;
  }

  const fields = Object.keys(retired) as (keyof Totals)[];

  function retire(me: number): void {
    ended++;
    watch.ended(me);
    for (const field of fields) retired[field] += ledger.get(me, field) >>> 0;
    freeRows.push(me % ledger.shape.rows);
    texts.delete(me);
  }

  const begun = ({ me }: Thread): boolean => ledger.get(me, 'operations') > 0;

  function onExit(thread: Thread, code: number): void {
    threads.delete(thread.me);
    const { me, error, text, nested } = thread;
    const how = howItDied(thread, code);
    if (how === undefined) {
      notes.push(`${text}, told to ${thread.doom ?? 'go on'}, ended with code ${code}: ${error?.stack ?? 'no error'}`);
      watch.violate('unexpected failure', -1, 0, code);
    } else if (how !== 'stopped') {
      deaths[how]++;
      deaths.nested += nested.filter((n) => ledger.get(n, 'sequence') > 0).length;
    }
    retire(me);
    nested.forEach(retire);
  }

  /** undefined: not as it was told to. */
  function howItDied({ me, doom, error }: Thread, code: number): Doom | 'stopped' | undefined {
    if (error !== undefined) {
      if (doom === 'oom') return error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? doom : undefined;
      return (doom === 'throw' || doom === 'reject') && error.message === ON_PURPOSE ? doom : undefined;
    }
    // Told to, or by its own choice after a vm timeout.
    if (code === EXIT_CODE && ledger.get(me, 'leaving') === 1) return 'exit';
    if (code === 0 && doom === 'return') return doom;
    if (code === 0 && stopping()) return 'stopped';
    return doom === 'terminate' ? doom : undefined;
  }

  function start(): void {
    const flavour = faultDue ? 'churn' : random.weighted(FLAVOUR_WEIGHTS);
    const twin = process.env['COEXIST_NO_WASM'] === '1' || random.chance(flavour === 'cut' ? 0.5 : 0.3);
    const kind = `${flavour}, ${twin ? 'JavaScript twin' : 'wasm'}`;
    const n = ++started;
    const me = number(`thread ${n} (${kind})`);
    const nestedCount = flavour === 'parent' ? 1 + random.below(MOST_NESTED) : 0;
    const nested = Array.from({ length: nestedCount }, (_, k) => number(`thread ${n}.${k + 1} (nested, ${kind})`));
    const data: ThreadData = {
      me,
      seed: deriveSeed(seed, n),
      flavour,
      ledger: ledger.shape,
      copies,
      nested,
      fault: faultDue ? fault : undefined,
    };
    faultDue = false;
    const worker = new Worker(new URL('stress-thread.js', import.meta.url), {
      workerData: data,
      resourceLimits: RESOURCE_LIMITS,
      ...(twin ? { env: { ...process.env, COEXIST_NO_WASM: '1' } } : {}),
    });
    const thread: Thread = { me, worker, text: texts.get(me)!, nested, sequence: 0, changedAt: performance.now() };
    threads.set(me, thread);
    worker.on('error', (error) => {
      thread.error = error;
    });
    worker.once('exit', (code) => onExit(thread, code));
  }

  function doom(thread: Thread, how: Doom): void {
    thread.doom = how;
    if (how === 'terminate') void thread.worker.terminate();
    else ledger.set(thread.me, 'command', DEATHS.indexOf(how) + 1);
  }

  return {
    live: () => [...threads.values()].flatMap(({ me, nested }) => [me, ...nested]),
    get size() {
      return threads.size;
    },
    get started() {
      return started;
    },
    get ended() {
      return ended;
    },
    deaths,
    notes,
    fill(wanted, atOnce) {
      const well = [...threads.values()].filter((thread) => thread.doom === undefined);
      const missing = Math.min(wanted - well.length, wanted * MOST_FOR_EACH - threads.size);
      const starting = well.filter((thread) => !begun(thread)).length;
      for (let k = Math.min(missing, atOnce - starting); k > 0; k--) start();
    },
    running: () => [...threads.values()].filter((thread) => thread.doom === undefined && begun(thread)).length,
    kill() {
      const unborn = random.chance(UNBORN_SHARE);
      const candidates = [...threads.values()].filter(
        (thread) => thread.doom === undefined && (unborn || begun(thread)),
      );
      if (candidates.length > 0) doom(random.pick(candidates), random.weighted(DOOM_WEIGHTS));
    },
    terminateUnborn() {
      for (const thread of threads.values()) {
        if (thread.doom === undefined && !begun(thread)) doom(thread, 'terminate');
      }
    },
    checkOperations() {
      const now = performance.now();
      for (const thread of threads.values()) {
        const sequence = ledger.get(thread.me, 'sequence');
        const resting = (sequence & 1) === 0 || thread.doom === 'terminate' || ledger.get(thread.me, 'leaving') === 1;
        if (resting || sequence !== thread.sequence) {
          thread.sequence = sequence;
          thread.changedAt = now;
        } else if (now - thread.changedAt > OPERATION_MS) {
          watch.violate('operation does not end', ledger.get(thread.me, 'slot') - 1, sequence + 1, sequence);
        }
      }
    },
    terminateAll: () => Promise.all([...threads.values()].map(({ worker }) => worker.terminate())),
    totals() {
      const totals = { ...retired };
      for (const { me, nested } of threads.values()) {
        // `adding` first: an add that has ended in between is then in `added`.
        for (const n of [me, ...nested]) {
          totals.adding += ledger.get(n, 'adding');
          for (const field of fields) if (field !== 'adding') totals[field] += ledger.get(n, field) >>> 0;
        }
      }
      return totals;
    },
    describe: (thread) => texts.get(thread) ?? `thread number ${thread}`,
  };
}
