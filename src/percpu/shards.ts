// Shared words with one shard for each CPU, or one for each slot (docs/ABI.md, clause 54), as operations and structures see
// them. Nothing depends on a CPU number being right: shards by CPU are safe for any number of threads, and a right number only
// keeps the threads apart. A shard by slot is its thread's alone.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { CPUS_BYTES, CPUS_NAME, PERCPU, PERCPU_BYTES, SHARD_ALIGN, SHARD_HEAD_BYTES } from '../abi/percpu.js';
import { SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { coreFor } from '../area/current.js';
import { lookup } from '../area/directory.js';
import { ANCHOR_HIGH, ANCHOR_LOW } from '../area/thread-anchor.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import type { Area } from '../thread/area.js';
import { cpuSource, publishCpu } from '../thread/cpu.js';
import { type Registration, register } from '../thread/registration.js';
import { type PercpuSteps, percpuStepsOn } from '../wasm/percpu.js';

/** What shards are counted by: the CPU a thread runs on, or the slot it owns (the kernel's concurrency id, mm_cid). */
export type ShardIndex = 'cpu' | 'slot';

/** What every constructor of sharded objects takes. */
export interface ShardedOptions {
  /** Default 'cpu'. */
  readonly index?: ShardIndex | undefined;
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

export interface Shards {
  readonly name: string;
  readonly core: AreaCore;
  readonly registration: Registration;
  readonly steps: PercpuSteps;
  readonly byCpu: boolean;
  readonly slot: number;
  /** Byte offset of the slot. */
  readonly slotAt: number;
  /** CPUs that the machine may ever have, or slots. */
  readonly count: number;
  /** Bytes from one shard to the next. */
  readonly stride: number;
  /** Byte offset of the content of shard 0. */
  readonly first: number;
  /** Byte offset of this thread's rseq_cs, which every slot has (clause 12). */
  readonly section: number;
  /** Where words of operations may lie: from the first byte, before the second. */
  readonly heap: number;
  readonly heapEnd: number;
  readonly blocks: number;
  readonly blocksEnd: number;
  live: boolean;
}

type Layout = Pick<Shards, 'count' | 'stride' | 'first'>;

const MOST_BYTES = 1 << 24;

/**
 * The shards of this name, made if there are none; registers this thread.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 */
export function openShards(name: string, bytes: number, version: number, options: ShardedOptions): Shards {
  const { index = 'cpu', holder, area } = options;
  if (index !== 'cpu' && index !== 'slot') throw invalid('index', index, "'cpu' or 'slot'");
  if (!Number.isInteger(bytes) || bytes < 4 || bytes > MOST_BYTES || bytes % 4 !== 0) {
    throw invalid('bytes', bytes, `a multiple of 4 from 4 to ${MOST_BYTES}`);
  }
  const core = coreFor(area);
  const { count, stride, first } = (index === 'cpu' ? byCpu : bySlot)(core, name, bytes, version);
  const registration = register({ name: holder, area });
  // Now, not at the first operation: loading what reads the number is the one moment in which a termination harms the process.
  if (index === 'cpu') cpuSource();
  const { heapOffset, heapSize, blockOffset, blockStride, slotCapacity } = core.geometry;
  return {
    name,
    core,
    registration,
    steps: stepsOf(core),
    byCpu: index === 'cpu',
    slot: registration.slot,
    slotAt: core.slotAt(registration.slot),
    count,
    stride,
    first,
    section: core.slotAt(registration.slot) + SLOT.rseq_cs.offset,
    heap: heapOffset,
    heapEnd: heapOffset + heapSize,
    blocks: blockOffset,
    blocksEnd: blockOffset + blockStride * slotCapacity,
    live: true,
  };
}

export function closeShards(shards: Shards): void {
  shards.live = false;
  shards.registration[dispose]();
}

/** The shard of this thread now. The number published in the slot is brought up to date on the way (clause 52). */
export function shardNow(shards: Shards): number {
  if (!shards.byCpu) return shards.slot;
  const cpu = publishCpu(shards.core, shards.slotAt);
  // Numbers are hints: one that is too large, as a slot's index in place of a CPU's number may be, is folded, and so is that of
  // a slot that somebody has unregistered once too often.
  return cpu >= 0 && cpu < shards.count ? cpu : (cpu >>> 0) % shards.count;
}

export const contentOf = (shards: Shards, shard: number): number => shards.first + shard * shards.stride;

/** The CPU's word of a shard; only shards by CPU have one. */
export const wordOf = (shards: Shards, shard: number): number => contentOf(shards, shard) - SHARD_HEAD_BYTES;

/** @throws COEXIST_EINVAL */
export function checkShard({ count }: Shards, shard: number): void {
  if (Number.isInteger(shard) && shard >= 0 && shard < count) return;
  throw invalid('shard', shard, `an integer from 0 to ${count - 1}`);
}

/**
 * Writes one of an object's constants, or finds that it is there already (clause 44).
 * @throws COEXIST_EKIND where another value is
 */
export function settleWord({ views }: AreaCore, at: number, value: number, what: string): void {
  const found = Atomics.compareExchange(views.u32, at >>> 2, 0, value);
  if (found === 0 || found === value) return;
  throw new CoexistError('COEXIST_EKIND', `${what} ${found}, expected ${value}`, {
    found,
    expected: value,
    remedy: 'Use the same options in every thread and copy, or another name.',
  });
}

/** Bytes from one shard to the next where each has so many bytes of content. */
export function strideOf(core: AreaCore, index: ShardIndex, bytes: number): number {
  if (index === 'slot') return core.geometry.blockStride;
  return Math.ceil((SHARD_HEAD_BYTES + bytes) / SHARD_ALIGN) * SHARD_ALIGN;
}

function byCpu(core: AreaCore, name: string, bytes: number, version: number): Layout {
  const count = cpusOf(core);
  const stride = strideOf(core, 'cpu', bytes);
  const size = PERCPU_BYTES + count * stride;
  const { offset } = lookup(core, { name, kind: 'percpu', version, size, flags: 0 });
  settleWord(core, offset + PERCPU.shards.offset, count, `${show(name)} has shards`);
  settleWord(core, offset + PERCPU.stride.offset, stride, `${show(name)} has stride`);
  return { count, stride, first: offset + PERCPU_BYTES + SHARD_HEAD_BYTES };
}

function bySlot(core: AreaCore, name: string, bytes: number, version: number): Layout {
  const { blockOffset, blockStride, slotCapacity } = core.geometry;
  const { offset } = lookup(core, { name, kind: 'key', version, size: bytes, flags: 0 });
  return { count: slotCapacity, stride: blockStride, first: blockOffset + offset };
}

/** Clause 54. Whoever asks first decides for all, so that every copy finds the same number. */
export function cpusOf(core: AreaCore): number {
  const { offset } = lookup(core, { name: CPUS_NAME, kind: 'cpus', version: 1, size: CPUS_BYTES, flags: 0 });
  const word = offset >>> 2;
  const known = Atomics.load(core.views.u32, word);
  if (known !== 0) return known;
  const own = host.possibleCpus();
  return Atomics.compareExchange(core.views.u32, word, 0, own) || own;
}

const stepsByCore = new WeakMap<AreaCore, PercpuSteps>();

// One per area and copy: a wasm instance belongs to one memory.
function stepsOf(core: AreaCore): PercpuSteps {
  let steps = stepsByCore.get(core);
  if (steps === undefined) {
    const { anchor, views } = core;
    const identity = { low: anchor[ANCHOR_LOW] as number, high: anchor[ANCHOR_HIGH] as number };
    const least = Math.min(core.geometry.heapOffset, core.geometry.blockOffset);
    steps = percpuStepsOn(views, wasmAllowed() ? views.memory : undefined, identity, least);
    stepsByCore.set(core, steps);
  }
  return steps;
}
