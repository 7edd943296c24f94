// Per-CPU objects by hand, as docs/ABI.md (clauses 53 to 57) lays them out: their entries, their shards, the CPU's words and the
// announcements of sections. No CPU number is known to the threads of such a test, so that each is at the shard of its slot's index.

import type { Area, AreaOptions } from 'coexist';
import type { LockMemory } from 'coexist/sync';
import type * as core from '../../src/core.js';
import { bytesOf } from './area-bytes.js';
import { type Backend, memoryOf, on, smallArea } from './backends.js';
import { type LockBytes, lockBytes } from './lock-memory.js';

process.env['COEXIST_NO_FFI'] = '1';

export const INDEXES = ['cpu', 'slot'] as const;
export type Index = (typeof INDEXES)[number];

/** The library with injection points in its sections, on both backends; not part of the package. */
export const INJECTED: string = new URL('../../build/inject/core.js', import.meta.url).href;
/** A second copy of it, in the same thread. */
export const INJECTED_AGAIN = `${INJECTED}?again`;

const CPUS_KIND = 10;
const ENTRY_READY = 2;
/** The bytes of ranges are rounded up to this. */
const RANGE = 64;
const SHARDS = 64;
const WORD_BYTES = 16;

/** A small private area on a machine of so many CPUs. The main thread of a test is in slot 0 of it, and at shard 0. */
export function perCpuArea(backend: Backend, { cpus = 2, ...options }: AreaOptions & { cpus?: number } = {}): Area {
  const area = smallArea(backend, { heapBytes: 4096, ...options });
  const bytes = bytesOf(area);
  const offset = bytes.header('heap_offset');
  bytes.setEntryName(0, 'coexist.cpus');
  bytes.setEntry(0, 'kind', CPUS_KIND);
  bytes.setEntry(0, 'version', 1);
  bytes.setEntry(0, 'size', 4);
  bytes.setEntry(0, 'offset', offset);
  bytes.setCreator(0, 4711n);
  bytes.setEntry(0, 'state', ENTRY_READY);
  bytes.setHeader('heap_used', RANGE);
  bytes.u32[offset / 4] = cpus;
  return area;
}

/** The same memory in the copy with injection points, in this thread; `at` is called at each of its points. */
export async function injectedIn(
  backend: Backend,
  area: Area,
  url = INJECTED,
): Promise<{ lib: typeof core; area: core.Area; at(point: ((point: number) => void) | undefined): void }> {
  const lib = (await import(url)) as typeof core;
  lib.injection.at = () => {};
  return {
    lib,
    area: on(backend, () => lib.openArea(memoryOf(area))),
    at: (point) => {
      lib.injection.at = point ?? (() => {});
    },
  };
}

export interface ObjectEntry {
  readonly kind: number;
  readonly version: number;
  readonly size: number;
  readonly offset: number;
  readonly flags: number;
}

/** The ready entry of this name; undefined if there is none. */
export function entryOf(area: Area, name: string): ObjectEntry | undefined {
  const bytes = bytesOf(area);
  for (let k = 0; bytes.creator(k) !== 0n; k++) {
    if (bytes.entryName(k) !== name) continue;
    const [kind, version, size] = [bytes.entry(k, 'kind'), bytes.entry(k, 'version'), bytes.entry(k, 'size')];
    return { kind, version, size, offset: bytes.entry(k, 'offset'), flags: bytes.entry(k, 'flags') };
  }
  return undefined;
}

export function objectOf(area: Area, name: string): ObjectEntry {
  const entry = entryOf(area, name);
  if (entry === undefined) throw new Error(`no entry of the name ${name}`);
  return entry;
}

/** Where the content of a shard of this object begins. */
export function contentAt(area: Area, name: string, index: Index, shard: number): number {
  const bytes = bytesOf(area);
  const { offset } = objectOf(area, name);
  if (index === 'slot') return bytes.blockAt(shard) + offset;
  const stride = bytes.u32[(offset + 4) / 4] as number;
  return offset + SHARDS + shard * stride + WORD_BYTES;
}

/** The CPU's word of a shard by CPU. */
export const cpuWordOf = (area: Area, name: string, shard: number): LockBytes =>
  lockBytes(memoryOf(area) as LockMemory, 'mutex', contentAt(area, name, 'cpu', shard) - WORD_BYTES);

const sectionIndex = (area: Area, slot: number): number => (bytesOf(area).slotAt(slot) + 8) / 8;

/** rseq_cs of a slot. */
export const sectionOf = (area: Area, slot: number): bigint =>
  Atomics.load(new BigInt64Array(area.buffer), sectionIndex(area, slot));

export function announce(area: Area, slot: number, section: bigint): void {
  Atomics.store(new BigInt64Array(area.buffer), sectionIndex(area, slot), section);
}

/** 32-bit words of an area, by byte offset. */
export function wordsIn(area: Area) {
  const u32 = new Uint32Array(area.buffer);
  return {
    get: (at: number): number => Atomics.load(u32, at >>> 2),
    set: (at: number, ...values: number[]): void => {
      for (const [k, value] of values.entries()) Atomics.store(u32, (at >>> 2) + k, value);
    },
    list: (at: number, count: number): number[] =>
      Array.from({ length: count }, (_, k) => Atomics.load(u32, (at >>> 2) + k)),
  };
}
