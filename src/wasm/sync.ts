// The fast paths of locks behind one interface, with two implementations: one wasm call each, or the JavaScript twin where
// the memory is no wasm memory or wasm is off. Both act for one thread, whose identity they are made with.

import type { SharedMemory } from '../abi/views.js';
import { boundSteps, type Halves } from './bound.js';
import base64 from './sync.wat';
import { createLockTwin, type LockViews } from './sync-twin.js';

/** `at` is the byte offset of an object, `row` that of a row of its holders. */
export interface LockSteps {
  /** Clause 42: takes a free lock; its token, or 0 where it is not free. hot: one wasm call */
  lock(at: number): number;
  /** The same, trying at most so many times. */
  spin_lock(at: number, times: number): number;
  /**
   * Clause 42: releases, and wakes so many where somebody may be waiting. Token 0 stands for whatever hold of this thread is
   * not a guard's alone. Returns an `UNLOCK_` value. hot: one wasm call
   */
  unlock(at: number, token: number, wake: number): number;
  /** Clause 49: 1 where this thread now reads, 0 where there is a writer. hot: one wasm call */
  read_lock(at: number, row: number): number;
  /** Clause 49: 0, unchanged, where this thread did not read. hot: one wasm call */
  read_unlock(at: number, row: number): number;
  /** Clause 49: index of the first row from `from` on whose count is not 0, or -1. */
  next_reader(at: number, from: number): number;
  /** Clause 47: moves the sequence on and wakes so many. hot: one wasm call */
  signal(at: number, wake: number): void;
  /** Looks at a 32-bit word until it is another, at most so many times; how many were left, 0 where it stayed. */
  spin(at: number, value: number, times: number): number;
}

export const UNLOCK_DONE = 0;
/** It is held under another token; nothing changed. */
export const UNLOCK_TOKEN = 1;
/** This thread does not own it, or took it over from a dead owner; nothing changed. */
export const UNLOCK_LOOK = 2;

/** The steps on this memory, for the thread of this identity. */
export function lockStepsOn(views: LockViews, memory: SharedMemory | undefined, identity: Halves): LockSteps {
  return boundSteps('sync', base64, memory, [identity.low, identity.high], () => createLockTwin(views, identity));
}
