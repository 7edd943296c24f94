// What a test and the threads that wait for its locks (lock-waiter.ts) agree on: the jobs, the words of the virtual clock, and
// where the locks lie. No thread of its own.

import type { LockMemory } from '../src/core.js';

export type Kind = 'mutex' | 'rwlock, writer' | 'rwlock, reader' | 'once' | 'semaphore' | 'condvar' | 'barrier';

export interface WaiterData {
  readonly copy: string;
  /** Which waiter of the clock this is, from 0. */
  readonly index: number;
  /** Words as `NOW`, `processed` and `sleeping` say. */
  readonly clock: SharedArrayBuffer;
}

export interface Job {
  readonly id: number;
  readonly kind: Kind;
  readonly form: 'sync' | 'async';
  readonly memory: LockMemory;
  /** Parties of the barrier. */
  readonly parties: number;
  /** What the one does who is told: says that all is well, or lets go without. */
  readonly repair: boolean;
}

export interface Told {
  readonly id: number;
  /** Whether this waiter was told of the death. */
  readonly told: boolean;
  /** Virtual time at which the wait was over. */
  readonly at: number;
  /** 'ok', or the code of the error that ended the wait. */
  readonly outcome: string;
}

/** Word that holds the virtual time, in ms. */
export const NOW = 0;
/** Word in which a waiter says up to which time it has done all that is due; -1 while it runs. */
export const processed = (index: number): number => 2 + 2 * index;
/** Word in which a waiter says how many of its jobs are asleep. */
export const sleeping = (index: number): number => 3 + 2 * index;

/** Where the locks of a test lie in its memory. */
export const LAYOUT = { mutex: 0, condvar: 64, once: 128, rwlock: 256, semaphore: 2048, barrier: 4096 } as const;
export const PERMITS = 3;
