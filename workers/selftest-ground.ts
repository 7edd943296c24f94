// What a selftest works on, as its threads and their controller see it: the shards of a PerCpu object in an area of the run's own, and
// memory beside them for nodes and the like. That memory is the end of the heap, of which nothing else is given out: the area is made
// with room for both.

import type * as Core from '../src/core.js';
import type { IndexName, ModeName } from './selftest-set.js';

export type Library = typeof Core;

/** What the layout of a test follows from; the same in all threads of a run. */
export interface Shape {
  readonly shards: number;
  /** Shards that begin with something in them: the first ones. */
  readonly filled: number;
  readonly threads: number;
}

export interface Ground extends Shape {
  readonly area: Core.Area;
  readonly perCpu: Core.PerCpu;
  readonly i32: Int32Array<SharedArrayBuffer>;
  /** Byte offset of the memory beside the shards. */
  readonly beside: number;
}

/** The part of a test that lays out memory. */
export interface Layout {
  shardBytes(shape: Shape): number;
  besideBytes(shape: Shape): number;
}

export const OBJECT_NAME = 'selftest';
/** Things that a filled shard begins with, as in the kernel's tests. */
export const PER_SHARD = 100;
/** Their values, 1 to 100, added up. */
export const SHARD_SUM = (PER_SHARD * (PER_SHARD + 1)) / 2;
/** Room for the directory's own objects. */
const HEAP_SPARE = 64 * 1024;
/** Buffers have room for everything in every shard, so of very many shards only some are filled. */
const MOST_FILLED = 64;
const MANY_SHARDS = 256;
const FEW_FILLED = 8;

const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

export function shapeOf(library: Library, mode: ModeName, index: IndexName, threads: number): Shape {
  const shards = index === 'cpu' ? library.host.possibleCpus() : slotsOf(mode, threads);
  const bounded = mode !== 'l';
  const most = shards > MANY_SHARDS ? FEW_FILLED : MOST_FILLED;
  return { shards, threads, filled: bounded ? Math.min(shards, most) : shards };
}

/** No slot to spare: a successor has to get that of a dead thread. The manager of the membarrier test needs one. */
const slotsOf = (mode: ModeName, threads: number): number => threads + (mode === 'r' ? 1 : 0);

/** The area of a run. */
export function createGround(
  library: Library,
  layout: Layout,
  mode: ModeName,
  index: IndexName,
  shape: Shape,
): Core.Area {
  const shardBytes = layout.shardBytes(shape);
  const inHeap = index === 'cpu' ? shape.shards * align(shardBytes + library.SHARD_HEAD_BYTES, library.SHARD_ALIGN) : 0;
  return library.createArea({
    slots: slotsOf(mode, shape.threads),
    heapBytes: align(HEAP_SPARE + inHeap + layout.besideBytes(shape), 64),
    // Blocks hold keys from offset 0 on; those of this run, and nothing else.
    blockBytes: Math.max(4096, 2 ** Math.ceil(Math.log2(shardBytes + 1024))),
  });
}

/** Registers this thread. */
export function openGround(library: Library, area: Core.Area, layout: Layout, index: IndexName, shape: Shape): Ground {
  const { heapOffset, heapSize } = area.geometry;
  const perCpu = new library.PerCpu(OBJECT_NAME, { area, index, bytes: align(layout.shardBytes(shape), 4) });
  return {
    ...shape,
    area,
    perCpu,
    i32: new Int32Array(area.buffer),
    beside: heapOffset + heapSize - align(layout.besideBytes(shape), 64),
  };
}
