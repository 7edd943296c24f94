// The pool's transitions behind one interface, with two implementations: one wasm call each, or the JavaScript twin where the
// memory is no wasm memory or wasm is off. Both act for one thread, whose identity they are made with.

import type { SharedMemory, Views } from '../abi/views.js';
import { boundSteps, type Halves } from './bound.js';
import base64 from './pool.wat';
import { createPoolTwin } from './pool-twin.js';

/** `at` is the byte offset of the pool, `item` that of an item in a shard; `held` says that the lock is this thread's already. */
export interface PoolSteps {
  /** Takes an item; its index, or a `POOL_` value. hot: one wasm call */
  allocate(at: number, held: number): number;
  /** Gives an item back; 0, or a `POOL_` value, and nothing changed. hot: one wasm call */
  free(at: number, held: number, index: number): number;
  /** Clears an item in so many shards. */
  zero(item: number, bytes: number, stride: number, shards: number): void;
  /** Fills one item in one shard with a 32-bit pattern. */
  fill(item: number, bytes: number, pattern: number): void;
  /** Byte offset of the first word that is not the pattern, or -1. */
  differs(item: number, bytes: number, pattern: number): number;
}

/** The transitions on this memory, for the thread of this identity. */
export function poolStepsOn(views: Views, memory: SharedMemory | undefined, identity: Halves): PoolSteps {
  return boundSteps('pool', base64, memory, [identity.low, identity.high], () => createPoolTwin(views, identity));
}
