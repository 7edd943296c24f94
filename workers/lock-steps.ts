// The operations that lock-stepper.ts cuts: what was there before, what the others do while the thread sleeps, and what a thread that
// was cut must still be able to do. Others are played by hand, in the words of docs/ABI.md.

import type * as core from '../src/core.js';
import type { CutRequest } from './cutting.js';
import {
  barrierGoesOn,
  condvarGoesOn,
  mutexGoesOn,
  onceGoesOn,
  rwlockGoesOn,
  type Stage,
  semaphoreGoesOn,
} from './lock-goes-on.js';
import { LAYOUT, PERMITS } from './lock-plan.js';

const W = 1n << 62n;
const ROW = 64; // the first row of holders
const { mutex: M, condvar: C, once: O, rwlock: R, semaphore: S, barrier: B } = LAYOUT;

export interface StepRequest extends CutRequest {
  readonly memory: SharedArrayBuffer;
  /** Identity of a thread that lives, which the others are. */
  readonly other: bigint;
}

export interface Run {
  run(): unknown;
  /** What another thread does at the first sleep. */
  asleep?: () => void;
  /** In the thread that was cut: what it can still do; says what went wrong. */
  goOn(self: bigint): string[];
}

type Play = (stage: Stage) => Run | Promise<Run>;

const onMutex =
  (play: (stage: Stage) => Omit<Run, 'goOn'>): Play =>
  (stage) => ({ ...play(stage), goOn: (self) => mutexGoesOn(stage, self) });
const onRwlock =
  (play: (stage: Stage) => Omit<Run, 'goOn'>, reads = false): Play =>
  (stage) => ({ ...play(stage), goOn: (self) => rwlockGoesOn(stage, self, reads) });
const onSemaphore =
  (play: (stage: Stage) => Omit<Run, 'goOn'>): Play =>
  (stage) => ({ ...play(stage), goOn: () => semaphoreGoesOn(stage) });
const onBarrier =
  (play: (stage: Stage) => Omit<Run, 'goOn'>): Play =>
  (stage) => ({ ...play(stage), goOn: (self) => barrierGoesOn(stage, self) });
const onOnce =
  (play: (stage: Stage) => Omit<Run, 'goOn'>): Play =>
  (stage) => ({ ...play(stage), goOn: (self) => onceGoesOn(stage, self) });
const onCondvar =
  (play: (stage: Stage) => Omit<Run, 'goOn'>): Play =>
  (stage) => ({ ...play(stage), goOn: (self) => condvarGoesOn(stage, self) });

/** A row of holders by hand. */
function plantRow({ store, storeLong }: Stage, base: number, identity: bigint, count: number, phase = 0): void {
  storeLong(base + ROW, identity);
  store(base + ROW + 8, count);
  store(base + ROW + 12, phase);
  store(base + 16, 1);
}

/** Takes a mutex over from a dead owner. */
function adopt({ mutex, storeLong, dead }: Stage): core.MutexGuard {
  storeLong(M, dead);
  return mutex.lock();
}

export const PLAYS = {
  lock: onMutex(({ mutex }) => ({ run: () => mutex.lock() })),
  unlock: onMutex(({ mutex }) => {
    const guard = mutex.lock();
    return { run: () => guard.unlock() };
  }),
  'unlock with waiters': onMutex(({ mutex, long, storeLong }) => {
    const guard = mutex.lock();
    storeLong(M, long(M) | W);
    return { run: () => guard.unlock() };
  }),
  'contended lock': onMutex(({ mutex, storeLong, other }) => {
    storeLong(M, other);
    return { run: () => mutex.lock(), asleep: () => storeLong(M, 0n) };
  }),
  'lock given up': onMutex(({ mutex, storeLong, other }) => {
    storeLong(M, other);
    return { run: () => mutex.lock({ timeout: 20 }) };
  }),
  'lock of a dead owner': onMutex(({ mutex, storeLong, dead }) => {
    storeLong(M, dead);
    return { run: () => mutex.lock() };
  }),
  'mark consistent': onMutex((stage) => {
    const guard = adopt(stage);
    return { run: () => guard.markConsistent() };
  }),
  'unlock, not consistent': onMutex((stage) => {
    const guard = adopt(stage);
    return { run: () => guard.unlock() };
  }),

  read: onRwlock(({ rwlock }) => ({ run: () => rwlock.read() })),
  'read in the row of a dead reader': onRwlock((stage) => {
    plantRow(stage, R, stage.dead, 1);
    return { run: () => stage.rwlock.read() };
  }),
  'read unlock': onRwlock(({ rwlock }) => {
    const guard = rwlock.read();
    return { run: () => guard.unlock() };
  }),
  'read unlock with a writer waiting': onRwlock(({ rwlock, storeLong, other }) => {
    const guard = rwlock.read();
    storeLong(R, other);
    return { run: () => guard.unlock() };
  }, true),
  'read beside a writer': onRwlock(({ rwlock, storeLong, other }) => {
    storeLong(R, other);
    return { run: () => rwlock.read(), asleep: () => storeLong(R, 0n) };
  }),
  // A writer has found the reader dead, and freed its row, which keeps the old count until the next one takes it.
  'read beside a writer, in the row of a dead reader': onRwlock((stage) => {
    plantRow(stage, R, 0n, 1);
    stage.storeLong(R, stage.other);
    return { run: () => stage.rwlock.read(), asleep: () => stage.storeLong(R, 0n) };
  }),
  'read after a dead writer': onRwlock(({ rwlock, storeLong, dead }) => {
    storeLong(R, dead);
    return { run: () => rwlock.read() };
  }),
  write: onRwlock(({ rwlock }) => ({ run: () => rwlock.write() })),
  'write unlock': onRwlock(({ rwlock, long, storeLong }) => {
    const guard = rwlock.write();
    storeLong(R, long(R) | W);
    return { run: () => guard.unlock() };
  }),
  'write beside a reader': onRwlock((stage) => {
    plantRow(stage, R, stage.other, 1);
    return { run: () => stage.rwlock.write(), asleep: () => stage.store(R + ROW + 8, 0) };
  }),
  'write given up': onRwlock((stage) => {
    plantRow(stage, R, stage.other, 1);
    return { run: () => stage.rwlock.write({ timeout: 20 }) };
  }),
  'write after a dead reader': onRwlock((stage) => {
    plantRow(stage, R, stage.dead, 1);
    return { run: () => stage.rwlock.write() };
  }),

  acquire: onSemaphore(({ semaphore }) => ({ run: () => semaphore.acquire() })),
  'semaphore release': onSemaphore(({ semaphore, store }) => {
    const guard = semaphore.acquire();
    store(S + 32, 1);
    return { run: () => guard.release() };
  }),
  forget: onSemaphore(({ semaphore }) => {
    const guard = semaphore.acquire();
    return { run: () => guard.forget() };
  }),
  'contended acquire': onSemaphore((stage) => {
    plantRow(stage, S, stage.other, PERMITS);
    const asleep = (): void => {
      stage.store(S + ROW + 8, 0);
      stage.storeLong(S + ROW, 0n);
      stage.store(S + 28, stage.load(S + 28) + 1);
      stage.store(S + 32, 0);
    };
    return { run: () => stage.semaphore.acquire(), asleep };
  }),
  'acquire given up': onSemaphore((stage) => {
    plantRow(stage, S, stage.other, PERMITS);
    return { run: () => stage.semaphore.acquire({ timeout: 20 }) };
  }),
  'acquire from the dead': onSemaphore((stage) => {
    plantRow(stage, S, stage.dead, PERMITS);
    return { run: () => stage.semaphore.acquire() };
  }),

  'barrier wait': onBarrier((stage) => {
    const asleep = (): void => stage.store(B + 24, 1);
    return { run: () => stage.barrier.wait(), asleep };
  }),
  'barrier last': onBarrier((stage) => {
    plantRow(stage, B, stage.other, 1);
    return { run: () => stage.barrier.wait() };
  }),
  'barrier given up': onBarrier(({ barrier }) => ({ run: () => barrier.wait({ timeout: 20 }) })),

  once: onOnce(({ once }) => ({ run: () => once.call(() => {}) })),
  'once beside another': onOnce(({ once, storeLong, other }) => {
    storeLong(O, other);
    return { run: () => once.call(() => {}), asleep: () => storeLong(O, -0x7fffffffn << 32n) };
  }),
  'once after a dead one': onOnce(({ once, storeLong, dead }) => {
    storeLong(O, dead);
    return { run: () => once.call(() => {}) };
  }),

  'condvar wait': onCondvar(({ mutex, condvar, load, store }) => {
    const guard = mutex.lock();
    const asleep = (): void => {
      store(C + 8, load(C + 8) + 1);
      store(C, load(C) + 1);
    };
    return { run: () => condvar.wait(guard), asleep };
  }),
  'condvar wait given up': onCondvar(({ mutex, condvar }) => {
    const guard = mutex.lock();
    return { run: () => condvar.wait(guard, { timeout: 20 }) };
  }),
  'condvar notify': onCondvar(({ condvar, store }) => {
    store(C + 4, 1);
    return { run: () => condvar.notify() };
  }),
} satisfies Record<string, Play>;

export type Operation = keyof typeof PLAYS;
