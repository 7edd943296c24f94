// Kills the owner of a lock while others wait for it, under a virtual clock: the waiters sleep (workers/lock-waiter.ts) until the
// test lets time pass, which it does only once the death can be seen in /proc. What each waiter is told, and when, comes back.

import { Worker } from 'node:worker_threads';
import type { ActorContext } from '../../workers/actor.js';
import {
  type Job,
  type Kind,
  LAYOUT,
  NOW,
  PERMITS,
  processed,
  sleeping,
  type Told,
  type WaiterData,
} from '../../workers/lock-plan.js';
import { Actor, until } from './actor.js';
import { copyUrl } from './copies.js';
import { deaths, SMALL_HEAP } from './deaths.js';
import { livesInProc } from './threads.js';

export const KINDS: readonly Kind[] = [
  'mutex',
  'rwlock, writer',
  'rwlock, reader',
  'once',
  'semaphore',
  'condvar',
  'barrier',
];
/** Ways for an owner to die; `nested` dies with its parent. */
export const WAYS: readonly string[] = [...Object.keys(deaths), 'nested'];

const STEP_MS = 10;
/** Beyond this, in virtual ms, nobody waits any longer. */
const END_MS = 5000;
/** How long woken threads may take before the clock goes on, in real ms. */
const PATIENCE_MS = 150;

export type LockForm = Job['form'];

/** Shared memory for one of each kind of lock; wasm memory, so that both backends can work on it. */
export const lockMemory = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });

/** A job, and the waiter that has it. */
export interface Posted {
  readonly id: number;
  readonly index: number;
}

/** Threads that wait for locks, and the clock that they live by. Used for many cases, one after the other. */
export class Waiters {
  readonly #clock: Int32Array;
  readonly #workers: Worker[];
  readonly #answers = new Map<number, Told>();
  #lastId = 0;

  private constructor(clock: SharedArrayBuffer, workers: Worker[]) {
    this.#clock = new Int32Array(clock);
    this.#workers = workers;
    for (const worker of workers) worker.on('message', (told: Told) => this.#answers.set(told.id, told));
  }

  /** Every other thread runs the JavaScript twin, so that both backends wait for the same lock. */
  static async start(count: number): Promise<Waiters> {
    const clock = new SharedArrayBuffer(4 * sleeping(count));
    const workers = Array.from({ length: count }, (_, index) => {
      const workerData: WaiterData = { copy: copyUrl(index % 2 === 0 ? 'a' : 'b', 'core.js'), index, clock };
      const env = { ...process.env, ...(index % 2 === 1 ? { COEXIST_NO_WASM: '1' } : {}) };
      return new Worker(new URL('../../build/workers/lock-waiter.js', import.meta.url), { workerData, env });
    });
    await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    );
    return new Waiters(clock, workers);
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  get count(): number {
    return this.#workers.length;
  }

  get now(): number {
    return Atomics.load(this.#clock, NOW);
  }

  /** Gives the job to the waiter of this index. */
  post(index: number, job: Omit<Job, 'id'>): Posted {
    const id = ++this.#lastId;
    Atomics.store(this.#clock, processed(index), -1);
    this.#workers[index]?.postMessage({ id, ...job } satisfies Job);
    return { id, index };
  }

  /** Waits until every one of these jobs is asleep. */
  asleep(jobs: readonly Posted[]): Promise<void> {
    return until('every waiter is asleep', () =>
      jobs.every(({ index }) => {
        const expected = jobs.filter((job) => job.index === index).length;
        return Atomics.load(this.#clock, sleeping(index)) === expected && this.#isQuiet(index);
      }),
    );
  }

  /**
   * Lets time pass until so many of the jobs have ended, or for so many virtual ms, in small steps, each only when everybody has done
   * what was due. From the first answer on the clock goes on only where wake-ups alone bring no progress.
   */
  async pass(jobs: readonly Posted[], enough: number = jobs.length, ms?: number): Promise<Told[]> {
    const end = this.now + (ms ?? END_MS);
    const ended = () => jobs.flatMap(({ id }) => this.#answers.get(id) ?? []);
    while (this.now < end && (ended().length < enough || ms !== undefined)) {
      const before = ended().length;
      if (before > 0 && ms === undefined) await within(PATIENCE_MS, () => ended().length > before);
      if (ended().length > before) continue;
      Atomics.add(this.#clock, NOW, STEP_MS);
      await until('what was due is done', () =>
        jobs.every(({ id, index }) => this.#answers.has(id) || this.#isQuiet(index)),
      );
    }
    if (ended().length >= enough) return ended();
    throw new Error(`${ended().length} of ${jobs.length} have ended after ${ms ?? END_MS} virtual ms`);
  }

  /** How many of these jobs have not ended. */
  open(jobs: readonly Posted[]): number {
    return jobs.filter(({ id }) => !this.#answers.has(id)).length;
  }

  /** Waits, by the real clock, until a wake-up has had its effect: those that still wait are asleep again. */
  async settle(jobs: readonly Posted[]): Promise<void> {
    for (const { index } of jobs) Atomics.store(this.#clock, processed(index), -1);
    await until('woken threads are done, or asleep', () =>
      jobs.every(({ id, index }) => this.#answers.has(id) || this.#isQuiet(index)),
    );
  }

  #isQuiet(index: number): boolean {
    return Atomics.load(this.#clock, processed(index)) === this.now;
  }
}

async function within(ms: number, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + ms; Date.now() < end && !condition(); ) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

interface HoldArguments {
  readonly url: string;
  readonly memory: WebAssembly.Memory;
  readonly kind: Kind;
  readonly layout: typeof LAYOUT;
  readonly permits: number;
  readonly parties: number;
}

/** Takes the lock for ever; the thread's identity. */
export async function hold(
  { load, state }: ActorContext,
  { url, memory, kind, layout, permits, parties }: HoldArguments,
): Promise<bigint> {
  const { Barrier, Condvar, Mutex, Once, RwLock, Semaphore } = await load(url);
  const held = {
    mutex: () => Mutex.at(memory, layout.mutex).lock(),
    'rwlock, writer': () => RwLock.at(memory, layout.rwlock).write(),
    'rwlock, reader': () => RwLock.at(memory, layout.rwlock).read(),
    once: () => void Once.at(memory, layout.once).callAsync(() => new Promise(() => {})),
    semaphore: () => Semaphore.at(memory, layout.semaphore, { permits }).acquire({ permits }),
    condvar() {
      // Woken waiters then queue for the mutex.
      const guard = Mutex.at(memory, layout.mutex).lock();
      Condvar.at(memory, layout.condvar).notifyAll();
      return guard;
    },
    barrier: () => Barrier.at(memory, layout.barrier, { parties }).join(),
  };
  state[`held ${kind}`] = held[kind]();
  const exports = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array>;
  const anchor = exports[Symbol.for('coexist.thread.v1')] as Int32Array;
  return (BigInt(anchor[3] as number) << 32n) | BigInt((anchor[2] as number) >>> 0);
}

/** A thread that holds locks until it is made to die. */
export class Owner {
  readonly #actor: Actor;
  readonly #way: string;
  #identity = 0n;

  private constructor(actor: Actor, way: string) {
    this.#actor = actor;
    this.#way = way;
  }

  static async start(way: string, env: NodeJS.ProcessEnv = process.env): Promise<Owner> {
    const limits = way === 'out of memory' ? { resourceLimits: SMALL_HEAP } : {};
    return new Owner(await Actor.start({ env, ...limits }), way);
  }

  async hold(kind: Kind, memory: WebAssembly.Memory, parties: number): Promise<void> {
    const args: HoldArguments = {
      url: copyUrl('a', 'core.js'),
      memory,
      kind,
      layout: LAYOUT,
      permits: PERMITS,
      parties,
    };
    if (this.#way !== 'nested') {
      this.#identity = await this.#actor.run(hold, args);
      return;
    }
    this.#identity = await this.#actor.run(
      async ({ nest, state }, { source, args }) => {
        state['child'] ??= await nest();
        const child = state['child'] as Awaited<ReturnType<typeof nest>>;
        return (await child.step(source, args)) as bigint;
      },
      { source: String(hold), args },
    );
  }

  /** Dies, and returns once that can be seen in /proc. */
  async die(): Promise<void> {
    await deaths[this.#way === 'nested' ? 'terminate, idle' : this.#way]?.(this.#actor);
    await until(`the death by ${this.#way} is visible`, () => !livesInProc(this.#identity));
  }
}

export interface Case {
  readonly kind: Kind;
  readonly form: LockForm;
  readonly waiters: readonly number[];
}

/**
 * One owner holds the locks of all cases, each in a memory of its own; it dies while everybody waits. The answers of each case, with
 * times counted from the moment that the death was visible.
 */
export async function ownerDies(
  pool: Waiters,
  way: string,
  cases: readonly Case[],
  { env = process.env, repair = true }: { env?: NodeJS.ProcessEnv; repair?: boolean } = {},
): Promise<Told[][]> {
  const owner = await Owner.start(way, env);
  const posted: Posted[][] = [];
  const memories = cases.map(() => lockMemory());
  const parties = ({ waiters }: Case): number => waiters.length + 1;
  const wait = (one: Case, k: number): void => {
    const { kind, form, waiters } = one;
    const job = {
      kind,
      form,
      memory: memories[k] as WebAssembly.Memory,
      parties: parties(one),
      repair,
    };
    posted[k] = waiters.map((index) => pool.post(index, job));
  };
  const late = ({ kind }: Case): boolean => kind === 'condvar';
  for (const [k, one] of cases.entries()) if (late(one)) wait(one, k);
  await pool.asleep(posted.flat());
  for (const [k, one] of cases.entries()) await owner.hold(one.kind, memories[k] as WebAssembly.Memory, parties(one));
  for (const [k, one] of cases.entries()) if (!late(one)) wait(one, k);
  await pool.asleep(posted.flat());
  await owner.die();
  const visible = pool.now;
  const answers = await pool.pass(posted.flat());
  return posted.map((jobs) =>
    jobs.map(({ id }) => {
      const told = answers.find((answer) => answer.id === id) as Told;
      return { ...told, at: told.at - visible };
    }),
  );
}
