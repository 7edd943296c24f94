// One turn of each kind of lock, as a stress thread takes it over and over, with what must be true inside it. Most turns block, some
// try, some give up soon, some wait asynchronously.

import type * as sync from 'coexist/sync';
import { STATE } from './stress-lock-ledger.js';
import { once } from './stress-lock-once.js';
import type { Section } from './stress-lock-section.js';

export type Api = Pick<typeof sync, 'Barrier' | 'Condvar' | 'Mutex' | 'Once' | 'RwLock' | 'Semaphore'>;

export interface KindContext {
  readonly section: Section;
  /** One of the copies of the library. */
  readonly api: Api;
  /** Whether threads may die. */
  readonly deaths: boolean;
  /** Of the two roles that take turns, for a condition variable. */
  readonly produces: boolean;
  /** Threads that the run keeps alive. */
  readonly threads: number;
  readonly onces: SharedArrayBuffer;
  readonly fault: string | undefined;
}

/** A promise where it waited asynchronously. */
export type Turn = () => undefined | Promise<void>;

export interface Kind {
  /** One turn of a thread. */
  readonly turn: Turn;
  /** Once all threads have ended, the supervisor's own turn: whatever the dead left is told to it, and nothing is left behind. */
  settle(): void;
  /** What a thread does before it ends as it should. */
  end?(): void;
  /** Wakes those who wait for what will not come any more. */
  stop?(): void;
}

export const NAME = 'stress/lock';
const SOON_MS = 5;
const ONE_IN = { tries: 20, givesUp: 20, async: 200, writes: 4 } as const;
const CAPACITY = 4;
const EARLY_ADDS = 200;
const LATE_MS = 10_000;
const PHASE_MS = 1000;

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;
const noMark = { ownerDied: false, markConsistent: () => undefined } as const;

function mutex({ section, api, fault }: KindContext): Kind {
  const lock = new api.Mutex(NAME);
  const { random } = section;

  const inside = (guard: sync.MutexGuard): void => {
    section.enter(guard);
    section.add();
    section.leave();
    guard.unlock();
    section.left();
  };
  const without = (): undefined => {
    section.enter(noMark);
    section.add();
    section.leave();
    section.left();
    return undefined;
  };
  /** Lets the others in before it is done. */
  const early = (guard: sync.MutexGuard): undefined => {
    section.enter(guard);
    guard.unlock();
    for (let k = 0; k < EARLY_ADDS; k++) section.add();
    section.leave();
    section.left();
    return undefined;
  };
  const turn: Turn = () => {
    section.taking();
    if (fault === 'no-lock') return without();
    if (fault === 'unlock-early') return early(lock.lock());
    if (random.below(ONE_IN.async) === 0) return lock.lockAsync().then(inside);
    const guard = random.below(ONE_IN.tries) === 0 ? lock.tryLock() : blocking();
    if (guard === undefined) section.gaveUp();
    else inside(guard);
    return undefined;
  };
  return { turn, settle: () => inside(lock.lock({ timeout: LATE_MS })) };

  function blocking(): sync.MutexGuard | undefined {
    if (random.below(ONE_IN.givesUp) !== 0) return lock.lock();
    try {
      return lock.lock({ timeout: random.below(SOON_MS) });
    } catch (error) {
      if (!isCode(error, 'COEXIST_ETIMEDOUT')) throw error;
      return undefined;
    }
  }
}

function rwlock({ section, api, fault }: KindContext): Kind {
  const lock = new api.RwLock(NAME);
  const { me, random, ledger } = section;
  const { i32, control } = ledger;
  const cheats = fault === 'no-lock';

  const writes = (guard: sync.RwLockGuard): void => {
    section.enter(guard);
    section.add();
    section.leave();
    guard.unlock();
    section.left();
  };
  const look = (): void => {
    const [writer, before] = [Atomics.load(i32, control.owner), i32[control.counter] as number];
    section.obey();
    for (let k = random.below(100); k > 0; k--) {
      const after = i32[control.counter] as number;
      if (after === before) continue;
      ledger.violate('a change seen while reading', me, before, after);
      return;
    }
    const after = Atomics.load(i32, control.owner);
    if (writer !== 0 || after !== 0) ledger.violate('two inside', me, 0, writer || after);
  };
  const reads = (guard: sync.RwLockGuard): void => {
    if (guard.mode === 'write') {
      writes(guard);
      return;
    }
    section.left();
    look();
    guard.unlock();
  };

  const turn: Turn = () => {
    section.taking();
    const writing = random.below(ONE_IN.writes) === 0;
    if (cheats) {
      section.left();
      look();
      return undefined;
    }
    if (random.below(ONE_IN.async) === 0)
      return writing ? lock.writeAsync().then(writes) : lock.readAsync().then(reads);
    try {
      const options = random.below(ONE_IN.givesUp) === 0 ? { timeout: random.below(SOON_MS) } : undefined;
      if (writing) writes(lock.write(options));
      else reads(lock.read(options));
    } catch (error) {
      if (!isCode(error, 'COEXIST_ETIMEDOUT')) throw error;
      section.gaveUp();
    }
    return undefined;
  };
  return { turn, settle: () => writes(lock.write({ timeout: LATE_MS })) };
}

/** A queue of few items: one role puts them in, the other takes them out, each waits for the other. */
function condvar({ section, api, deaths, produces, fault }: KindContext): Kind {
  const lock = new api.Mutex(NAME);
  const room = new api.Condvar(`${NAME}/room`);
  const there = new api.Condvar(`${NAME}/there`);
  const { ledger } = section;
  const { i32, control } = ledger;
  const [mine, theirs] = produces ? [room, there] : [there, room];
  const possible = (): boolean => {
    const items = i32[control.items] as number;
    return produces ? items < CAPACITY : items > 0;
  };

  const turn: Turn = () => {
    section.taking();
    const guard = lock.lock();
    section.enter(guard);
    if (!possible()) {
      section.leave();
      const again = (): boolean => {
        // The guard was released and taken again, perhaps from a dead owner.
        section.enter(guard);
        section.obey();
        if (possible() || ledger.stopped()) return true;
        section.leave();
        return false;
      };
      // Without deaths a notification must come, and a wait that looks for itself now and then would hide that one was lost.
      if (deaths) wait(guard, again);
      else {
        do mine.wait(guard);
        while (!again());
      }
    }
    section.add();
    if (possible()) {
      i32[control.items]! += produces ? 1 : -1;
      i32[produces ? control.put : control.taken]!++;
    }
    section.leave();
    guard.unlock();
    section.left();
    if (fault !== 'no-notify') theirs.notify();
    return undefined;
  };

  // The guard was left before; the first look is as any other.
  function wait(guard: sync.MutexGuard, again: () => boolean): void {
    let first = true;
    mine.waitFor(guard, () => {
      if (!first) return again();
      first = false;
      return false;
    });
  }

  return {
    turn,
    settle() {
      section.taking();
      const guard = lock.lock({ timeout: LATE_MS });
      section.enter(guard);
      section.leave();
      guard.unlock();
      section.left();
    },
    stop() {
      room.notifyAll();
      there.notifyAll();
    },
  };
}

function semaphore({ section, api, threads, fault }: KindContext): Kind {
  const permits = Math.max(1, threads >> 1);
  const lock = new api.Semaphore(NAME, { permits });
  const { me, random, ledger } = section;
  const { i32, control } = ledger;

  const inside = (guard: sync.SemaphoreGuard): void => {
    if (guard.ownerDied) ledger.bump(me, 'told');
    const found = Atomics.add(i32, control.inside, 1) + 1;
    ledger.set(me, 'state', STATE.inside);
    const most = permits + Atomics.load(i32, control.slack);
    if (found > most) ledger.violate('more inside than permits', me, most, found);
    section.obey();
    section.dally();
    section.obey();
    ledger.set(me, 'state', STATE.leaving);
    Atomics.sub(i32, control.inside, 1);
    guard.release();
    section.left();
  };

  const turn: Turn = () => {
    if (fault === 'extra-permit') lock.release();
    section.taking();
    if (random.below(ONE_IN.async) === 0) return lock.acquireAsync().then(inside);
    try {
      inside(lock.acquire(random.below(ONE_IN.givesUp) === 0 ? { timeout: random.below(SOON_MS) } : undefined));
    } catch (error) {
      if (!isCode(error, 'COEXIST_ETIMEDOUT')) throw error;
      section.gaveUp();
    }
    return undefined;
  };
  return {
    turn,
    settle() {
      try {
        lock.acquire({ permits, timeout: LATE_MS }).release();
        if (lock.available() !== permits) ledger.violate('permits lost', me, permits, lock.available());
      } catch (error) {
        if (!isCode(error, 'COEXIST_ETIMEDOUT')) throw error;
        ledger.violate('permits lost', me, permits, lock.available());
      }
    },
  };
}

/** All threads go through the same phases. */
function barrier({ section, api, threads, fault }: KindContext): Kind {
  const { me, ledger } = section;
  const { i32, control } = ledger;
  const lock = new api.Barrier(NAME, { parties: threads });
  let phase = 0;
  const turn: Turn = () => {
    phase++;
    Atomics.add(i32, control.put, 1);
    if (fault !== 'no-wait') {
      try {
        lock.wait({ timeout: PHASE_MS });
      } catch (error) {
        if (!isCode(error, 'COEXIST_ETIMEDOUT')) throw error;
        // The others are not there yet, or have stopped.
        phase--;
        Atomics.sub(i32, control.put, 1);
        section.gaveUp();
        return undefined;
      }
    }
    // Everybody has arrived in this phase, and nobody can be two phases on.
    const arrived = Atomics.load(i32, control.put);
    const [least, most] = [phase * threads, (phase + 1) * threads];
    if (arrived < least || arrived > most) ledger.violate('phase not complete', me, least, arrived);
    return undefined;
  };
  // A party that ends without having left breaks the barrier for the others.
  return { turn, settle: () => undefined, end: () => lock.leave() };
}

export const KINDS: Readonly<Record<string, (context: KindContext) => Kind>> = {
  mutex,
  rwlock,
  once,
  condvar,
  semaphore,
  barrier,
};
