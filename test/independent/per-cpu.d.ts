// Types of per-cpu.js, as far as the tests use them.

import type { IndependentArea } from './implementation.js';

type Given = IndependentArea | unknown;

interface Options {
  readonly area: Given;
  readonly index?: 'cpu' | 'slot';
}

interface Shards {
  readonly count: number;
  at(shard: number): number;
  start(): number;
  dispose(): void;
}

export interface IndependentOps {
  load_cbne_store(v: number, expect: number, value: number, shard: number): number;
  load_add_store(v: number, count: number, shard: number): number;
  load_cbeq_store_add_load_store(v: number, expectnot: number, offset: number, load: number[], shard: number): number;
  load_add_load_load_add_store(p: number, offset: number, count: number, shard: number): number;
  load_cbne_store_store(v: number, expect: number, v2: number, value2: number, value: number, shard: number): number;
  load_cbne_load_cbne_store(
    v: number,
    expect: number,
    v2: number,
    expect2: number,
    value: number,
    shard: number,
  ): number;
  load_cbne_memcpy_store(
    v: number,
    expect: number,
    destination: number,
    source: number,
    length: number,
    value: number,
    shard: number,
  ): number;
}

export const DONE: 0;
export const COMPARE_FAILED: 1;
export const ABORTED: -1;
export function perCpu(
  name: string,
  options: Options & { bytes: number; version?: number },
): Shards & { ops: IndependentOps };
export function fence(area: Given, options?: { timeout?: number }): void;
export function list(
  name: string,
  options: Options & { next?: number },
): Shards & { push(node: number): void; pop(): number; nodes(shard: number): Generator<number> };
export function buffer(
  name: string,
  options: Options & { capacity: number },
): Shards & { push(entry: number): boolean; pop(): number | undefined; entries(shard: number): number[] };
