// What a thread can still do with a lock in whose operation it was cut (lock-steps.ts). Each looks at one kind of lock and
// returns what was wrong; what the other thread holds, which is played by hand, is released on the way.

import type * as core from '../src/core.js';
import { LAYOUT, PERMITS } from './lock-plan.js';

const W = 1n << 62n;
const MASK = W - 1n;
const ROW = 64; // the first row of holders
const { mutex: M, condvar: C, once: O, rwlock: R, semaphore: S, barrier: B } = LAYOUT;

export interface Stage {
  readonly lib: typeof core;
  readonly other: bigint;
  readonly dead: bigint;
  readonly mutex: core.Mutex;
  readonly condvar: core.Condvar;
  readonly once: core.Once;
  readonly rwlock: core.RwLock;
  readonly semaphore: core.Semaphore;
  readonly barrier: core.Barrier;
  load(offset: number): number;
  store(offset: number, value: number): void;
  long(offset: number): bigint;
  storeLong(offset: number, value: bigint): void;
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    return String((error as core.CoexistError).code ?? error);
  }
}

/** Notes where the operation ends otherwise than expected: with 'ok', or with a code. */
function does(wrong: string[], what: string, run: () => unknown, expected = 'ok'): void {
  check(wrong, what, codeOf(run), expected);
}

const check = (wrong: string[], what: string, found: unknown, ...expected: unknown[]): void => {
  if (!expected.includes(found)) wrong.push(`${what}: ${found}, expected ${expected.join(' or ')}`);
};

// A mutex that the thread holds without a guard can be released without one; one that it does not hold is as it was.
export function mutexGoesOn({ mutex, long, storeLong, other }: Stage, self: bigint): string[] {
  const wrong: string[] = [];
  const owner = long(M) & MASK;
  if (owner === self) {
    does(wrong, 'lock by the owner', () => mutex.lock({ timeout: 0 }), 'COEXIST_EDEADLK');
    does(wrong, 'unlock by the owner', () => mutex.unlock());
  } else {
    does(wrong, 'unlock by another', () => mutex.unlock(), 'COEXIST_ENOTOWNER');
    if (owner === other) storeLong(M, 0n);
  }
  const expected = long(M) === -(1n << 63n) ? 'COEXIST_ENOTRECOVERABLE' : 'ok';
  does(wrong, 'lock afterwards', () => mutex.tryLock()?.unlock(), expected);
  return wrong;
}

// A cut may leave a hold behind, which lasts until the thread ends; it never makes a second one beside another's.
export function rwlockGoesOn({ rwlock, long, storeLong, load, other }: Stage, self: bigint, reads: boolean): string[] {
  const wrong: string[] = [];
  const owner = long(R) & MASK;
  const othersRead = long(R + ROW) === other && load(R + ROW + 8) > 0;
  if (owner === other) {
    // A thread that reads already may do so again, while a writer waits for it.
    if (!reads) check(wrong, 'tryRead beside a writer', rwlock.tryRead(), undefined);
    check(wrong, 'tryWrite beside a writer', rwlock.tryWrite(), undefined);
    storeLong(R, 0n);
  } else if (owner === self) {
    check(wrong, 'tryRead while it writes', rwlock.tryRead(), undefined);
    return wrong;
  }
  if (othersRead) check(wrong, 'tryWrite beside a reader', rwlock.tryWrite(), undefined);
  const reading = rwlock.tryRead();
  check(wrong, 'tryRead', reading?.mode, 'read', 'write');
  if (reading?.ownerDied) reading.markConsistent();
  reading?.unlock();
  return wrong;
}

// Permits may be missing until the thread ends, and never are too many.
export function semaphoreGoesOn({ semaphore, load, long, store, storeLong, other }: Stage): string[] {
  const wrong: string[] = [];
  const free = (): void => {
    if (long(S + ROW) !== other) return;
    store(S + ROW + 8, 0);
    storeLong(S + ROW, 0n);
  };
  free();
  // The first look takes from the dead what they held.
  semaphore.tryAcquire()?.release();
  const available = semaphore.available();
  if (available < 0 || available > PERMITS) wrong.push(`${available} permits are available`);
  if (available > 0) {
    does(wrong, 'acquire', () => semaphore.acquire({ permits: available, timeout: 0 }).release());
  }
  check(wrong, 'permits afterwards', semaphore.available(), available);
  check(wrong, 'the inner lock', long(S), 0n);
  check(wrong, 'the waiters', load(S + 32), 0, 1);
  return wrong;
}

export function barrierGoesOn({ barrier, long, load }: Stage, self: bigint): string[] {
  const wrong: string[] = [];
  does(wrong, 'leave', () => barrier.leave());
  for (let row = B + ROW; row < B + ROW + 64; row += 16) {
    if (long(row) === self) wrong.push(`a row is left, with count ${load(row + 8)}`);
  }
  does(wrong, 'join', () => barrier.join());
  does(wrong, 'leave again', () => barrier.leave());
  check(wrong, 'the inner lock', long(B), 0n);
  return wrong;
}

export function onceGoesOn({ once, long, storeLong, other }: Stage, self: bigint): string[] {
  const wrong: string[] = [];
  const owner = long(O) & MASK;
  if (owner === other) storeLong(O, 0n);
  const done = once.isCompleted();
  const code = codeOf(() => once.call(() => {}, { timeout: 0 }));
  check(wrong, 'call', code, !done && owner === self ? 'COEXIST_EDEADLK' : 'ok');
  return wrong;
}

export function condvarGoesOn(stage: Stage, self: bigint): string[] {
  const { condvar, load } = stage;
  const wrong: string[] = [];
  does(wrong, 'notifyAll', () => condvar.notifyAll());
  check(wrong, 'waiters', load(C + 4), 0, 1);
  return [...wrong, ...mutexGoesOn(stage, self)];
}
