// A pool of items that lie in every shard at once (docs/ABI.md, clause 57), as rseq_mempool is of librseq: allocate once, and every
// CPU, or slot, has its own copy of the item at the same place. The states of the items survive whoever changes them; the rest
// is made from them again.

import { type CoexistError, invalid, show } from '../abi/errors.js';
import { STRUCTURES } from '../abi/percpu.js';
import {
  ITEM_ALLOCATED,
  ITEM_FREE,
  ITEM_SET_ASIDE,
  NOT_POISONED,
  POOL,
  POOL_BYTES,
  POOL_ITEM_BYTES,
  POOL_ITEMS_SUFFIX,
} from '../abi/pool.js';
import type { AreaCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { lookup } from '../area/directory.js';
import { ANCHOR_HIGH, ANCHOR_LOW } from '../area/thread-anchor.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import { enterKnowing, leave } from '../sync/inner-lock.js';
import { groundOf, type Place } from '../sync/place.js';
import { block, Limits } from '../sync/wait.js';
import { POOL_BUSY, POOL_CORRUPT, POOL_EMPTY, POOL_GONE, POOL_NOT_ALLOCATED } from '../wasm/outcomes.js';
import { type PoolSteps, poolStepsOn } from '../wasm/pool.js';
import {
  destroyed,
  doubleFree,
  exhausted,
  leaked,
  listCorrupt,
  type PoolItem,
  writtenWhileFree,
} from './pool-errors.js';
import { type PoolOptions, requireBytes, settled } from './pool-options.js';
import { itemWord, listFault, type PoolRows, poolWord, rebuild, stateOf, threadOf } from './pool-rows.js';
import { checkShard, closeShards, contentOf, openShards, type Shards, settleWord, shardNow } from './shards.js';
import { KEPT_MS, requireLive } from './structures.js';

const stepsByCore = new WeakMap<AreaCore, PoolSteps>();

// One per area and copy: a wasm instance belongs to one memory.
function poolStepsFor(core: AreaCore): PoolSteps {
  let steps = stepsByCore.get(core);
  if (steps === undefined) {
    const { anchor, views } = core;
    const identity = { low: anchor[ANCHOR_LOW] as number, high: anchor[ANCHOR_HIGH] as number };
    steps = poolStepsOn(views, wasmAllowed() ? views.memory : undefined, identity);
    stepsByCore.set(core, steps);
  }
  return steps;
}

/**
 * A pool of items that lie in every shard at once. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class Pool {
  readonly name: string;
  /** Bytes of an item in each shard. */
  readonly itemBytes: number;
  readonly items: number;
  readonly shards: number;
  /** Bytes from an item in one shard to the same item in the next. */
  readonly stride: number;
  readonly robust: boolean;
  readonly #shards: Shards;
  readonly #steps: PoolSteps;
  readonly #rows: PoolRows;
  readonly #place: Place;
  /** The pattern as it lies in memory; 0 where free items are not filled. */
  readonly #poison: number;

  constructor(name: string, options: PoolOptions) {
    const { items, itemBytes, robust, poison } = settled(name, options);
    this.itemBytes = itemBytes;
    this.items = items;
    this.name = name;
    this.robust = robust;
    this.#poison = poison;
    this.#shards = openShards(name + POOL_ITEMS_SUFFIX, this.itemBytes * items, STRUCTURES.items, options);
    this.shards = this.#shards.count;
    this.stride = this.#shards.stride;
    try {
      const { core } = this.#shards;
      const size = POOL_BYTES + items * POOL_ITEM_BYTES;
      const { offset: at } = lookup(core, { name, kind: 'pool', version: 1, size, flags: 0 });
      const { views } = core;
      this.#rows = { views, at, items };
      this.#place = { ground: groundOf(views.buffer, views.memory), at, label: `pool ${show(name)}`, holders: 0 };
      const constants = { items, item_bytes: itemBytes, poison: poison || NOT_POISONED };
      for (const [field, value] of Object.entries(constants) as [keyof typeof constants, number][]) {
        settleWord(core, at + POOL[field].offset, value, `pool ${show(name)} has ${field}`);
      }
      this.#steps = poolStepsFor(core);
    } catch (error) {
      closeShards(this.#shards);
      throw error;
    }
  }

  /**
   * Takes an item: zero in every shard, or a copy of `init` in each. Its byte offset in shard 0; `at()` gives that in another.
   * @throws COEXIST_ENOSPC, COEXIST_EBROKEN (it was written while it was free; robust), COEXIST_EGONE, COEXIST_EUNREGISTERED,
   * COEXIST_EINVAL, COEXIST_ETIMEDOUT (a thread keeps the pool's lock for 5 s)
   */
  alloc(init?: Uint8Array): number {
    requireLive(this.#shards);
    if (init !== undefined) requireBytes(init, this.itemBytes);
    const at = this.#rows.at;
    let index = this.#steps.allocate(at, 0);
    if (index === POOL_BUSY) index = this.#locked(() => this.#steps.allocate(at, 1));
    if (index < 0) throw this.#refused(index);
    const item = this.#first(index);
    const { u32, u8 } = this.#rows.views;
    const dirty = itemWord(this.#rows, index, 'dirty');
    this.#requirePoison(index, item, u32[dirty] as number);
    this.#steps.zero(item, this.itemBytes, this.stride, u32[dirty] as number);
    if (init !== undefined) {
      u32[dirty] = this.shards;
      for (let shard = 0; shard < this.shards; shard++) u8.set(init, item + shard * this.stride);
    }
    return item;
  }

  /**
   * Gives an item back, in all shards. Any thread may.
   * @throws COEXIST_EINVAL (no item, or not allocated: a double free), COEXIST_EGONE, COEXIST_EUNREGISTERED,
   * COEXIST_ETIMEDOUT; nothing changed
   */
  free(item: number): void {
    requireLive(this.#shards);
    const index = this.#indexOf(item);
    // Before anything is written into what may be another's by now; the transition looks again.
    if (this.#rows.views.u32[itemWord(this.#rows, index, 'state')] !== ITEM_ALLOCATED) throw this.#notAllocated(index);
    this.#soil(index);
    this.#fill(index, item);
    this.#free(index);
  }

  /**
   * Byte offset of the item in a shard.
   * @throws COEXIST_EINVAL
   */
  at(item: number, shard: number): number {
    this.#indexOf(item);
    checkShard(this.#shards, shard);
    return item + shard * this.stride;
  }

  /** The shard of this thread now, as `PerCpu.start()`; -1 after disposal. */
  start(): number {
    return this.#shards.live ? shardNow(this.#shards) : -1;
  }

  /** What is allocated, and by whom: at its end, what was leaked. */
  allocated(): PoolItem[] {
    const { self } = this.#place.ground;
    const found: PoolItem[] = [];
    for (let index = 0; index < this.items; index++) {
      if (stateOf(this.#rows, index) !== ITEM_ALLOCATED) continue;
      const owner = threadOf(this.#rows, index, 'allocated_by');
      found.push({ item: this.#first(index), owner, alive: host.liveness(owner, self) });
    }
    return found;
  }

  /**
   * Frees the items of threads that are proven dead, where nobody else was given them; returns how many.
   * @throws COEXIST_EGONE, COEXIST_EUNREGISTERED
   */
  freeDead(): number {
    requireLive(this.#shards);
    let freed = 0;
    for (const { item, owner, alive } of this.allocated()) {
      if (alive === 'dead' && this.#locked(() => this.#freeOf(item, owner))) freed++;
    }
    return freed;
  }

  /**
   * Looks at every free item and at the free list.
   * @throws COEXIST_EBROKEN
   */
  check(): void {
    const fault = this.#locked(() => listFault(this.#rows));
    if (fault !== undefined) throw this.#corrupt(fault);
    if (!this.robust) return;
    for (let index = 0; index < this.items; index++) {
      if (this.#stained(index) < 0) continue;
      // It may have been allocated meanwhile, and freed again. Under the lock what is free stays so, and holds its poison.
      const found = this.#locked(() => this.#stained(index));
      if (found >= 0) throw this.#written(index, found);
    }
  }

  /**
   * Makes the free list from the states of the items.
   * @throws COEXIST_EUNREGISTERED, COEXIST_ETIMEDOUT
   */
  repair(): void {
    requireLive(this.#shards);
    this.#locked(() => rebuild(this.#rows));
  }

  /**
   * Checks the pool and ends it, for every thread.
   * @throws COEXIST_EBUSY where items are allocated, COEXIST_EBROKEN, COEXIST_EGONE, COEXIST_EUNREGISTERED; nothing changed
   */
  destroy(): void {
    requireLive(this.#shards);
    if (Atomics.load(this.#rows.views.u32, poolWord(this.#rows, 'destroyed')) !== 0) throw destroyed(this.name);
    this.check();
    const left = this.#locked(() => {
      if (Atomics.load(this.#rows.views.u32, poolWord(this.#rows, 'destroyed')) !== 0) throw destroyed(this.name);
      const items = this.allocated();
      if (items.length === 0) Atomics.store(this.#rows.views.u32, poolWord(this.#rows, 'destroyed'), 1);
      return items;
    });
    if (left.length > 0) throw leaked(this.name, left);
  }

  /** Unregisters; items stay as they are. Does nothing the second time. */
  dispose(): void {
    closeShards(this.#shards);
  }

  [dispose](): void {
    this.dispose();
  }

  // Under the pool's lock; made whole first where its owner died, or was cut. COEXIST_ETIMEDOUT where a thread keeps it.
  #locked<T>(act: () => T): T {
    const limits = new Limits({ timeout: KEPT_MS }, false);
    const { token, inherited } = block(enterKnowing(this.#place, false, limits), this.#rows.views.i32);
    if (inherited) rebuild(this.#rows);
    try {
      return act();
    } finally {
      leave(this.#place, token);
    }
  }

  #free(index: number): void {
    const { at } = this.#rows;
    let result = this.#steps.free(at, 0, index);
    if (result === POOL_BUSY) result = this.#locked(() => this.#steps.free(at, 1, index));
    if (result === POOL_NOT_ALLOCATED) throw this.#notAllocated(index);
    if (result !== 0) throw this.#refused(result);
  }

  // Under the lock: others may have freed it since its owner was found dead, and a living thread may have it now.
  #freeOf(item: number, owner: bigint): boolean {
    const index = this.#indexOf(item);
    const by = threadOf(this.#rows, index, 'allocated_by');
    if (stateOf(this.#rows, index) !== ITEM_ALLOCATED || by !== owner) return false;
    this.#soil(index);
    this.#fill(index, item);
    const result = this.#steps.free(this.#rows.at, 1, index);
    if (result !== 0) throw this.#refused(result);
    return true;
  }

  // What it may have been written in: all shards by CPU, by slot those ever claimed.
  #soil(index: number): void {
    const { u32 } = this.#rows.views;
    const dirty = itemWord(this.#rows, index, 'dirty');
    const used = this.#shards.byCpu ? this.shards : this.#shards.core.highWater();
    if ((u32[dirty] as number) < used) u32[dirty] = used;
  }

  #fill(index: number, item: number): void {
    if (this.#poison === 0) return;
    const dirty = this.#rows.views.u32[itemWord(this.#rows, index, 'dirty')] as number;
    for (let shard = 0; shard < dirty; shard++)
      this.#steps.fill(item + shard * this.stride, this.itemBytes, this.#poison);
  }

  #differs(item: number, dirty: number): number {
    for (let shard = 0; shard < dirty; shard++) {
      const found = this.#steps.differs(item + shard * this.stride, this.itemBytes, this.#poison);
      // What wasm gives is signed: beyond 2 GiB a byte offset comes back below 0, and only -1 is none.
      if (found !== -1) return found >>> 0;
    }
    return -1;
  }

  // Where a free item is not what free items hold; -1 where it is, or is not free.
  #stained(index: number): number {
    if (stateOf(this.#rows, index) !== ITEM_FREE) return -1;
    return this.#differs(this.#first(index), this.#rows.views.u32[itemWord(this.#rows, index, 'dirty')] as number);
  }

  // An item that was never allocated is not poisoned, and has never been written: dirty is 0.
  #requirePoison(index: number, item: number, dirty: number): void {
    const found = this.#poison === 0 ? -1 : this.#differs(item, dirty);
    if (found < 0) return;
    const error = this.#written(index, found);
    this.#locked(() => {
      Atomics.store(this.#rows.views.u32, itemWord(this.#rows, index, 'state'), ITEM_SET_ASIDE);
      rebuild(this.#rows);
    });
    throw error;
  }

  #first(index: number): number {
    return contentOf(this.#shards, 0) + index * this.itemBytes;
  }

  #indexOf(item: number): number {
    const index = (item - contentOf(this.#shards, 0)) / this.itemBytes;
    if (Number.isInteger(index) && index >= 0 && index < this.items) return index;
    throw invalid('item', item, `an item of pool ${show(this.name)}, as alloc() gave it`);
  }

  #written(index: number, address: number): CoexistError {
    const value = this.#rows.views.u32[address >>> 2] as number;
    return writtenWhileFree(this.name, this.#first(index), address, value, threadOf(this.#rows, index, 'freed_by'));
  }

  #notAllocated(index: number): CoexistError {
    return doubleFree(this.name, this.#first(index), threadOf(this.#rows, index, 'freed_by'));
  }

  #corrupt(fault: string): CoexistError {
    const { u32 } = this.#rows.views;
    const word = poolWord(this.#rows, 'free');
    const head = Atomics.load(u32, word);
    const lastBy = head >= 1 && head <= this.items ? threadOf(this.#rows, head - 1, 'freed_by') : 0n;
    return listCorrupt(this.name, word * 4, fault, lastBy);
  }

  #refused(result: number): CoexistError {
    if (result === POOL_EMPTY) return exhausted(this.name, this.items);
    if (result === POOL_CORRUPT) return this.#corrupt('its first item is not free');
    if (result === POOL_GONE) return destroyed(this.name);
    throw new RangeError(`no result of a pool: ${result}`);
  }
}
