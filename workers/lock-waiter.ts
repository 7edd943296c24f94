// A thread that waits for locks under a virtual clock. Before a copy of the library is loaded, its clock, its timers and the
// sleeps of `Atomics` are replaced: a sleep of n ms ends when the word is notified, or when the test has let n virtual ms pass.
// Each job waits for one lock and says what the thread was told; asynchronous jobs run side by side.

import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
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
} from './lock-plan.js';

/** How often a sleeper looks at the virtual clock, in real ms. */
const POLL_MS = 5;

const { copy, index, clock } = workerData as WaiterData;
const real = globalThis.Atomics;
const words = new Int32Array(clock);
const now = (): number => real.load(words, NOW);

function wait(array: Int32Array, at: number, value: number, ms = Number.POSITIVE_INFINITY): string {
  const end = now() + ms;
  real.store(words, sleeping(index), 1);
  try {
    for (;;) {
      const outcome = real.wait(array, at, value, POLL_MS);
      if (outcome !== 'timed-out') return outcome;
      const time = now();
      if (time >= end) return outcome;
      real.store(words, processed(index), time);
    }
  } finally {
    real.store(words, processed(index), -1);
    real.store(words, sleeping(index), 0);
  }
}

type Outcome = { async: false; value: string } | { async: true; value: Promise<string> };

function waitAsync(array: Int32Array, at: number, value: number, ms = Number.POSITIVE_INFINITY): Outcome {
  const end = now() + ms;
  const first = real.waitAsync(array, at, value, POLL_MS);
  if (!first.async) return first;
  const rest = async (): Promise<string> => {
    for (let outcome = await first.value; ; ) {
      if (outcome !== 'timed-out' || now() >= end) return outcome;
      const next = real.waitAsync(array, at, value, POLL_MS);
      outcome = next.async ? await next.value : (next.value as typeof outcome);
      if (!next.async) return outcome;
    }
  };
  return { async: true, value: rest() };
}

const replaced: Record<string, unknown> = {};
for (const name of Object.getOwnPropertyNames(real)) replaced[name] = real[name as keyof Atomics];
Object.assign(replaced, { wait, waitAsync });
globalThis.Atomics = replaced as unknown as Atomics;

const coexist = (await import(copy)) as typeof core;
coexist.SPIN.lock = 0;
coexist.SPIN.event = 0;

const timers = new Set<{ readonly end: number; readonly fire: () => void }>();
Object.assign(coexist.host, {
  now,
  after(ms: number, fire: () => void): () => void {
    const timer = { end: now() + ms, fire };
    timers.add(timer);
    return () => timers.delete(timer);
  },
});
// A turn in which nothing was due says so: by then, what the turn before has set off is done.
setInterval(() => {
  const time = now();
  const due = [...timers].filter(({ end }) => end <= time);
  for (const timer of due) {
    timers.delete(timer);
    timer.fire();
  }
  real.store(words, sleeping(index), timers.size);
  real.store(words, processed(index), due.length > 0 ? -1 : time);
}, POLL_MS);

/** Waits for the lock, lets it go again; whether this thread was told of a death. */
const waits: Record<Kind, (job: Job) => Promise<{ told: boolean; at: number }>> = {
  async mutex({ memory, form, repair }) {
    const mutex = coexist.Mutex.at(memory, LAYOUT.mutex);
    const guard = form === 'sync' ? mutex.lock() : await mutex.lockAsync();
    return letGo(guard, guard.ownerDied, repair);
  },
  async 'rwlock, writer'({ memory, form, repair }) {
    const lock = coexist.RwLock.at(memory, LAYOUT.rwlock);
    const write = index % 2 === 0;
    let guard: core.RwLockGuard;
    if (form === 'sync') guard = write ? lock.write() : lock.read();
    else guard = await (write ? lock.writeAsync() : lock.readAsync());
    return letGo(guard, guard.ownerDied, repair);
  },
  async 'rwlock, reader'({ memory, form }) {
    const lock = coexist.RwLock.at(memory, LAYOUT.rwlock);
    const guard = form === 'sync' ? lock.write() : await lock.writeAsync();
    const at = now();
    guard.unlock();
    return { told: guard.readersDied > 0, at };
  },
  async once({ memory, form }) {
    const once = coexist.Once.at(memory, LAYOUT.once);
    let told = false;
    const initialise = (state: core.OnceState): void => {
      told = state.ownerDied;
    };
    if (form === 'sync') once.call(initialise);
    else await once.callAsync(initialise);
    return { told, at: now() };
  },
  async semaphore({ memory, form }) {
    const semaphore = coexist.Semaphore.at(memory, LAYOUT.semaphore, { permits: PERMITS });
    const guard = form === 'sync' ? semaphore.acquire() : await semaphore.acquireAsync();
    const at = now();
    guard.release();
    return { told: guard.ownerDied, at };
  },
  async condvar({ memory, form, repair }) {
    const [mutex, condvar] = [coexist.Mutex.at(memory, LAYOUT.mutex), coexist.Condvar.at(memory, LAYOUT.condvar)];
    const guard = form === 'sync' ? mutex.lock() : await mutex.lockAsync();
    if (form === 'sync') condvar.wait(guard);
    else await condvar.waitAsync(guard);
    return letGo(guard, guard.ownerDied, repair);
  },
  async barrier({ memory, form, parties }) {
    const barrier = coexist.Barrier.at(memory, LAYOUT.barrier, { parties });
    if (form === 'sync') barrier.wait();
    else await barrier.waitAsync();
    return { told: false, at: now() };
  },
};

function letGo(
  guard: { readonly ownerDied: boolean; markConsistent(): void; unlock(): void },
  told: boolean,
  repair: boolean,
): { told: boolean; at: number } {
  const at = now();
  if (told && repair) guard.markConsistent();
  guard.unlock();
  return { told, at };
}

const port = parentPort;
if (port === null) throw new Error('lock-waiter.js runs as a worker');
port.on('message', async (job: Job) => {
  real.store(words, processed(index), -1);
  try {
    port.postMessage({ id: job.id, ...(await waits[job.kind](job)), outcome: 'ok' } satisfies Told);
  } catch (error) {
    const { code, message } = error as core.CoexistError;
    const outcome = code ?? message;
    port.postMessage({ id: job.id, told: code === 'COEXIST_EBROKEN', at: now(), outcome } satisfies Told);
  }
});
port.postMessage('ready');
