// Locks at the places of workers/lock-plan.ts as the test's own thread uses them, and steps by which an actor waits for one.

import { Barrier, Condvar, Mutex, Once, RwLock, Semaphore } from 'coexist/sync';
import type * as core from '../../src/core.js';
import type { ActorContext } from '../../workers/actor.js';
import { type Kind, LAYOUT, PERMITS } from '../../workers/lock-plan.js';
import { Actor, until } from './actor.js';
import { copyUrl } from './copies.js';
import { identityOf, livesInProc } from './threads.js';

type Memory = WebAssembly.Memory;

export const locksIn = (memory: core.LockMemory) => ({
  mutex: Mutex.at(memory, LAYOUT.mutex),
  condvar: Condvar.at(memory, LAYOUT.condvar),
  once: Once.at(memory, LAYOUT.once),
  rwlock: RwLock.at(memory, LAYOUT.rwlock),
  semaphore: Semaphore.at(memory, LAYOUT.semaphore, { permits: PERMITS }),
  barrier: (parties: number) => Barrier.at(memory, LAYOUT.barrier, { parties }),
});

/** Words of a memory, at byte offsets. */
export const wordsOf = ({ buffer }: { readonly buffer: ArrayBufferLike }) => {
  const [i32, i64] = [new Int32Array(buffer), new BigInt64Array(buffer)];
  return {
    load: (at: number): number => Atomics.load(i32, at >>> 2),
    store: (at: number, value: number): number => Atomics.store(i32, at >>> 2, value),
    add: (at: number, value: number): number => Atomics.add(i32, at >>> 2, value),
    long: (at: number): bigint => Atomics.load(i64, at >>> 3),
    storeLong: (at: number, value: bigint): bigint => Atomics.store(i64, at >>> 3, value),
  };
};

interface WaitArguments {
  readonly url: string;
  readonly memory: Memory;
  readonly kind: Kind;
  readonly form: 'sync' | 'async';
  readonly layout: typeof LAYOUT;
  readonly permits: number;
  readonly parties: number;
}

async function waitFor(
  { load, state }: ActorContext,
  { url, memory, kind, form, layout, permits, parties }: WaitArguments,
): Promise<string> {
  const { Barrier, Condvar, Mutex, Once, RwLock, Semaphore } = await load(url);
  const sync = form === 'sync';
  const mutex = Mutex.at(memory, layout.mutex);
  const waits = {
    mutex: () => (sync ? mutex.lock() : mutex.lockAsync()),
    'rwlock, writer': () => {
      const lock = RwLock.at(memory, layout.rwlock);
      return sync ? lock.read() : lock.readAsync();
    },
    'rwlock, reader': () => {
      const lock = RwLock.at(memory, layout.rwlock);
      return sync ? lock.write() : lock.writeAsync();
    },
    once: () => {
      const once = Once.at(memory, layout.once);
      return sync ? once.call(() => {}) : once.callAsync(() => {});
    },
    semaphore: () => {
      const semaphore = Semaphore.at(memory, layout.semaphore, { permits });
      return sync ? semaphore.acquire() : semaphore.acquireAsync();
    },
    condvar: async () => {
      const condvar = Condvar.at(memory, layout.condvar);
      const guard = mutex.lock();
      if (sync) condvar.wait(guard);
      else await condvar.waitAsync(guard);
      return guard;
    },
    barrier: () => {
      const barrier = Barrier.at(memory, layout.barrier, { parties });
      return sync ? barrier.wait() : barrier.waitAsync();
    },
  };
  try {
    const got = (await waits[kind]()) as core.MutexGuard | boolean | undefined;
    state['got'] = got;
    return typeof got === 'object' && got.ownerDied ? 'told' : 'ok';
  } catch (error) {
    return String((error as core.CoexistError).code);
  }
}

/** Makes an actor wait; resolves with 'told', 'ok' or an error code once it has the lock, which it keeps. */
export function waitIn(actor: Actor, kind: Kind, form: 'sync' | 'async', memory: Memory, parties = 2): Promise<string> {
  const url = copyUrl('b', 'core.js');
  return actor.run(waitFor, { url, memory, kind, form, layout: LAYOUT, permits: PERMITS, parties });
}

/**
 * Replaces the blocking sleep of an actor's `Atomics`, before it loads any copy, by one that never ends: what a waiter is that was
 * woken and has not run since.
 */
export function parkSleeps(actor: Actor): Promise<void> {
  return actor.run(() => {
    const real = globalThis.Atomics;
    const replaced: Record<string, unknown> = {};
    for (const name of Object.getOwnPropertyNames(real)) replaced[name] = real[name as keyof Atomics];
    replaced['wait'] = () => real.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    globalThis.Atomics = replaced as unknown as Atomics;
  });
}

/** A thread that waits until it is ended, wherever it is then. */
export class Victim {
  readonly actor: Actor;
  readonly #identity: bigint;

  private constructor(actor: Actor, identity: bigint) {
    this.actor = actor;
    this.#identity = identity;
  }

  static async start(): Promise<Victim> {
    const actor = await Actor.start();
    return new Victim(actor, await identityOf(actor));
  }

  /** Waits for the lock; resolves with 'died' if it never had it. */
  wait(kind: Kind, form: 'sync' | 'async', memory: Memory): Promise<string> {
    return waitIn(this.actor, kind, form, memory).catch(() => 'died');
  }

  /** Returns once the death can be seen in /proc. */
  async die(): Promise<void> {
    await this.actor.terminate();
    await until('the death is visible', () => !livesInProc(this.#identity));
  }
}
