// Locks in other threads: an actor makes its own view of a placed lock, takes it, and keeps what it got until it is told.

import type { Actor } from './actor.js';
import type { CopyName } from './copies.js';
import { copyUrl } from './copies.js';
import type { LockBytes } from './lock-memory.js';

export interface Taking {
  readonly kind: 'Mutex' | 'RwLock' | 'Semaphore' | 'Barrier';
  readonly method: string;
  /** For the view: holders, permits, parties. */
  readonly options?: object;
  /** For the method, besides a bound in time. */
  readonly more?: object;
  readonly copy?: CopyName;
}

/** What an actor has got, as far as its guard says so; of a barrier, whether it came last. */
export interface Got {
  readonly mode?: string;
  readonly ownerDied?: boolean;
  readonly readersDied?: number;
  readonly last?: boolean;
}

type Guard = { mode?: string; ownerDied?: boolean; readersDied?: number };

/** Takes a lock in the actor's thread, blocking there. */
export function takeIn(
  actor: Actor,
  { memory, at }: LockBytes,
  { kind, method, options, more, copy = 'a' }: Taking,
): Promise<Got> {
  return actor.run(
    async ({ load, state }, { url, memory, at, kind, method, options, more }) => {
      const lib = await load(url);
      const Class = lib[kind] as unknown as { at(...args: unknown[]): Record<string, (options: object) => unknown> };
      const lock = Class.at(memory, at, options);
      state['lock'] = lock;
      const got = await lock[method]?.({ timeout: 15_000, ...more });
      if (typeof got === 'boolean') return { last: got };
      state['guard'] = got;
      const { mode, ownerDied, readersDied } = (got ?? {}) as Guard;
      return {
        ...(mode && { mode }),
        ...(ownerDied !== undefined && { ownerDied }),
        ...(mode && { readersDied }),
      } as Got;
    },
    { url: copyUrl(copy, 'core.js'), memory, at, kind, method, options, more },
  );
}

/** Calls a method of the guard that the actor has got, or of the lock itself. */
export function callIn(actor: Actor, method: string, of: 'guard' | 'lock' = 'guard'): Promise<void> {
  return actor.run(
    ({ state }, { method, of }) => {
      (state[of] as Record<string, () => void>)[method]?.();
    },
    { method, of },
  );
}
