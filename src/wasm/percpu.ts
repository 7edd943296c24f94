// The per-CPU operations behind one interface, with two implementations: one wasm call each, or the JavaScript twin where the
// memory is no wasm memory or wasm is off. Both act for one thread, whose identity they are made with.

import type { SharedMemory, Views } from '../abi/views.js';
import { host } from '../host/host.js';
import { boundSteps, type Halves } from './bound.js';
import { injection } from './inject.js';
import base64 from './percpu.wat';
import { createPercpuTwin } from './percpu-twin.js';

/** `at`, `v` and pointers are byte offsets. */
export interface PercpuSteps {
  /** Adds to a 64-bit word, atomically. hot: one wasm call */
  add64(at: number, n: number): void;
  /** Adds to a 32-bit word, atomically. hot: one wasm call */
  add(at: number, n: number): void;
  /** 1 where the word was `expect` and is now `value`. hot: one wasm call */
  cas(at: number, expect: number, value: number): number;
  /**
   * A critical section (clause 55), announced at `cs`, holding `word` unless that is 0. `how` is a `COMMIT_` value; `limit` the last
   * byte offset that a pointer may have (7: the bytes to copy). Returns a `RUN_` value; 3: the pointer divided by 4. hot: one wasm call
   *
   * | op | a         | b      | c           | d       |
   * | -- | --------- | ------ | ----------- | ------- |
   * | 3  | expectnot | offset |             |         |
   * | 4  | offset    | count  |             |         |
   * | 5  | expect    | new    | v2          | new2    |
   * | 6  | expect    | new    | v2          | expect2 |
   * | 7  | expect    | new    | destination | source  |
   */
  run(
    op: number,
    how: number,
    cs: number,
    word: number,
    limit: number,
    v: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ): number;
}

/** The operations on this memory, for the thread of this identity; pointers lead to no byte below `least`. */
export function percpuStepsOn(
  views: Views,
  memory: SharedMemory | undefined,
  identity: Halves,
  least: number,
): PercpuSteps {
  // The sections of two copies in one thread must not be announced under one value, so that they count from different places.
  const from = (Math.floor(Math.random() * 2 ** 32) ^ (host.now() * 2 ** 20)) >>> 0;
  const become = [identity.low, identity.high, from, least];
  const inject = COEXIST_INJECT ? { inject: (point: number) => injection.at(point) } : undefined;
  return boundSteps('percpu', base64, memory, become, () => createPercpuTwin(views, identity, from, least), inject);
}
