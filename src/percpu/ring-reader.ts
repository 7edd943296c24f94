// Takes records out of the rings of all slots, or looks at them (docs/ABI.md, clause 60). A drainer holds the slot's inner lock for
// as long as it copies what is pending and moves head past it: the one CAS of head that takes records out also says whether the
// owner has overwritten some of them meanwhile. Callbacks run outside of the lock.

import { type CoexistError, invalid, show } from '../abi/errors.js';
import { RING, RING_BYTES, RING_CAPACITY_MIN } from '../abi/ring.js';
import type { AreaCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { coreFor } from '../area/current.js';
import { lookup } from '../area/directory.js';
import { enter, leave } from '../sync/inner-lock.js';
import { groundOf, type Place } from '../sync/place.js';
import { block, Limits } from '../sync/wait.js';
import type { Area } from '../thread/area.js';
import { type RingSteps, ringStepsOn } from '../wasm/ring.js';
import { fullFence } from './full-fence.js';
import { copyRing, type RingCopy, type RingRecord, recordAt, walkRecords } from './ring-records.js';

const RING_VERSION = 1;
const CAPACITY_DEFAULT = 4096;
/** How often a ring is copied again whose owner has overwritten all of the copy meanwhile. */
const TRIES = 64;
/** How long stats() waits for a drainer, in ms. One is inside for microseconds. */
const STATS_MS = 50;

export interface RingReaderOptions {
  /** Bytes for records in each thread's block, a power of two from 64 on. Default 4096. */
  readonly capacity?: number | undefined;
  /** A private area; the process's own if left out. */
  readonly area?: Area | undefined;
}

export interface DrainOptions {
  /** Records to take at most. */
  readonly limit?: number | undefined;
  /** Only this slot's ring. */
  readonly slot?: number | undefined;
  /** ms to wait, in all, for rings that another thread is draining. Default 0: those are passed over. */
  readonly timeout?: number | undefined;
}

/** An attempt that its writer is still making counts as dropped until it is stored. */
export interface RingStats {
  /** Records ever offered. */
  readonly attempted: bigint;
  /** Records taken out for a callback or an array, even if the thread that took them died before it had looked at them. */
  readonly delivered: bigint;
  /** The others: without room, overwritten, cut short with their writer, or lost with a drainer that died. */
  readonly dropped: bigint;
  /** Records to be drained. */
  readonly pending: bigint;
  /** The same by slot, where anything was ever offered. */
  readonly slots: readonly RingSlotStats[];
}

export interface RingSlotStats extends Omit<RingStats, 'slots'> {
  readonly slot: number;
}

const stepsOf = new WeakMap<AreaCore, RingSteps>();

function ringSteps(core: AreaCore): RingSteps {
  let steps = stepsOf.get(core);
  if (steps === undefined) {
    steps = ringStepsOn(core.views, wasmAllowed());
    stepsOf.set(core, steps);
  }
  return steps;
}

/** Reads the rings of one name; from `Ring.reader()`. Needs no registration. */
export class RingReader {
  readonly name: string;
  readonly capacity: number;
  readonly #core: AreaCore;
  readonly #steps: RingSteps;
  readonly #offset: number;
  readonly #places: Place[] = [];
  /** Where the next drain begins, so that a limit starves nobody. */
  #next = 0;

  /** @internal Use `Ring.reader()`. */
  constructor(name: string, { capacity = CAPACITY_DEFAULT, area }: RingReaderOptions = {}) {
    const core = coreFor(area);
    const most = 2 ** Math.floor(Math.log2(core.geometry.blockStride - RING_BYTES));
    const whole = Number.isInteger(capacity) && capacity >= RING_CAPACITY_MIN && capacity <= most;
    if (!whole || (capacity & (capacity - 1)) !== 0) {
      throw invalid('capacity', capacity, `a power of two from ${RING_CAPACITY_MIN} to ${most}`);
    }
    const size = RING_BYTES + capacity;
    this.#offset = lookup(core, { name, kind: 'ring', version: RING_VERSION, size, flags: 0 }).offset;
    this.#core = core;
    this.#steps = ringSteps(core);
    this.name = name;
    this.capacity = capacity;
  }

  /** @internal What a writer needs besides. */
  get parts() {
    const { u8, u32 } = this.#core.views;
    return { u8, u32, steps: this.#steps, at: (slot: number): number => this.#at(slot) };
  }

  /**
   * Hands on what is pending, dead writers' records included: slot by slot, oldest first, each record once over all drainers.
   * Returns how many. An error of the callback is thrown once the other records that were taken out with its own, of that slot, have
   * been handed on.
   * @throws COEXIST_EINVAL
   */
  drain(callback: (record: RingRecord) => void, options: DrainOptions = {}): number {
    if (typeof callback !== 'function') throw invalid('callback', callback, 'a function');
    let errors: { readonly first: unknown } | undefined;
    let count = 0;
    for (const records of this.#batches(options)) {
      for (const record of records) {
        try {
          callback(record);
        } catch (error) {
          errors ??= { first: error };
        }
      }
      if (errors !== undefined) throw errors.first;
      count += records.length;
    }
    return count;
  }

  /** As `drain()`, as an array. @throws COEXIST_EINVAL */
  take(options: DrainOptions = {}): RingRecord[] {
    const records: RingRecord[] = [];
    for (const batch of this.#batches(options)) for (const record of batch) records.push(record);
    return records;
  }

  /** The records that are pending, by slot, oldest first, without taking them out or waiting for anybody. @throws COEXIST_EINVAL */
  peek({ slot }: Pick<DrainOptions, 'slot'> = {}): RingRecord[] {
    const records: RingRecord[] = [];
    const { from, end } = this.#slots(slot);
    for (let k = this.#pending(from, end); k >= 0; k = this.#pending(k + 1, end)) {
      const { copy, starts } = this.#look(k);
      if (copy !== undefined) for (const start of starts) records.push(recordAt(copy, start, k));
    }
    return records;
  }

  /** What has become of everything that was ever offered. Blocks for a drainer that is inside, 50 ms at most. */
  stats(): RingStats {
    const slots: RingSlotStats[] = [];
    const limits = new Limits({ timeout: STATS_MS }, false);
    const sum = { attempted: 0n, delivered: 0n, dropped: 0n, pending: 0n };
    for (let slot = 0, end = this.#core.highWater(); slot < end; slot++) {
      const row = this.#statsOf(slot, limits);
      if (row.attempted === 0n) continue;
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += row[key];
      slots.push(row);
    }
    return { ...sum, slots };
  }

  *#batches({ limit = Number.POSITIVE_INFINITY, slot, timeout = 0 }: DrainOptions): Generator<RingRecord[]> {
    if (!(limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && limit >= 0))) {
      throw invalid('limit', limit, 'an integer from 0 on', 'Leave it out to take everything.');
    }
    const limits = new Limits({ timeout }, false);
    const { from, end } = this.#slots(slot);
    const start = slot === undefined && this.#next < end ? this.#next : from;
    let left = limit;
    for (const [first, last] of [
      [start, end],
      [from, start],
    ] as const) {
      for (let k = this.#pending(first, last); k >= 0 && left > 0; k = this.#pending(k + 1, last)) {
        const records = this.#drainSlot(k, left, limits);
        this.#next = k + 1;
        left -= records.length;
        if (records.length > 0) yield records;
      }
    }
  }

  #drainSlot(slot: number, limit: number, limits: Limits): RingRecord[] {
    const token = this.#enter(slot, limits);
    if (token === 0) return [];
    try {
      return this.#takeOut(slot, limit);
    } finally {
      leave(this.#place(slot), token);
    }
  }

  // Under the inner lock: only the owner, overwriting, moves head besides.
  #takeOut(slot: number, limit: number): RingRecord[] {
    const { i64 } = this.#core.views;
    const head = this.#index(slot, 'head');
    for (let tries = 0; tries < TRIES; tries++) {
      const before = Atomics.load(i64, head);
      const tail = Atomics.load(i64, this.#index(slot, 'tail'));
      if (tail === before) return [];
      if (!this.#possible(before, tail)) {
        // The owner has overwritten more than the ring holds since head was read; or else, if head is still there, it never was right.
        Atomics.compareExchange(i64, head, before, tail);
        continue;
      }
      const copy = this.#copy(slot, before, tail);
      for (let seen = before; seen < tail; ) {
        const from = Number(seen - before);
        const { starts, end } = walkRecords(copy, from, limit);
        // Where there should be a record, and none can be: all that is pending goes.
        const next = starts.length > 0 ? before + BigInt(end) : tail;
        const found = Atomics.compareExchange(i64, head, seen, next);
        if (found === seen) {
          // Stopped before this: what was taken out, and never handed on, counts as dropped.
          const delivered = this.#index(slot, 'delivered');
          Atomics.store(i64, delivered, Atomics.load(i64, delivered) + BigInt(starts.length));
          return starts.map((start) => recordAt(copy, start, slot));
        }
        // Overwritten up to there: from there on the copy is what it was when it was made.
        seen = found;
      }
    }
    return [];
  }

  // What is pending as it was at one moment: what head has not passed when the copy is done is whole in it.
  #look(slot: number): { copy: RingCopy | undefined; starts: readonly number[] } {
    const { i64 } = this.#core.views;
    for (let tries = 0; tries < TRIES; tries++) {
      const before = Atomics.load(i64, this.#index(slot, 'head'));
      const tail = Atomics.load(i64, this.#index(slot, 'tail'));
      if (before === tail) break;
      if (!this.#possible(before, tail)) continue;
      const copy = this.#copy(slot, before, tail);
      // The copy is made by ordinary loads, which a later load alone may overtake.
      fullFence();
      const after = Atomics.load(i64, this.#index(slot, 'head'));
      if (after <= tail)
        return { copy, starts: walkRecords(copy, Number(after - before), Number.POSITIVE_INFINITY).starts };
    }
    return { copy: undefined, starts: [] };
  }

  #statsOf(slot: number, limits: Limits): RingSlotStats {
    const { i64 } = this.#core.views;
    const token = this.#enter(slot, limits);
    try {
      const delivered = BigInt.asUintN(64, Atomics.load(i64, this.#index(slot, 'delivered')));
      // Before the look, and of what that finds only the attempts counted here: its writer goes on meanwhile.
      const attempted = BigInt.asUintN(64, Atomics.load(i64, this.#index(slot, 'attempted')));
      const { copy, starts } = this.#look(slot);
      const counted = starts.filter((start) => recordAt(copy as RingCopy, start, slot).sequence < attempted);
      const pending = BigInt(counted.length);
      const rest = attempted - delivered - pending;
      return { slot, attempted, delivered, dropped: rest < 0n ? 0n : rest, pending };
    } finally {
      if (token !== 0) leave(this.#place(slot), token);
    }
  }

  // The token, or 0 where another drainer is inside for longer than this may wait. Takes over from a dead one.
  #enter(slot: number, limits: Limits): number {
    const place = this.#place(slot);
    const { steps, views } = place.ground;
    const token = steps.lock(place.at);
    if (token !== 0) return token;
    try {
      return block(enter(place, false, limits), views.i32);
    } catch (error) {
      const { code } = error as CoexistError;
      if (code === 'COEXIST_ETIMEDOUT' || code === 'COEXIST_EUNSUPPORTED') return 0;
      throw error;
    }
  }

  #pending(from: number, end: number): number {
    return this.#steps.next_pending(this.#at(0), this.#core.geometry.blockStride, from, end);
  }

  #slots(slot: number | undefined): { from: number; end: number } {
    if (slot === undefined) return { from: 0, end: this.#core.highWater() };
    const { slotCapacity } = this.#core.geometry;
    if (Number.isInteger(slot) && slot >= 0 && slot < slotCapacity) return { from: slot, end: slot + 1 };
    throw invalid('slot', slot, `an integer from 0 to ${slotCapacity - 1}`);
  }

  #possible(head: bigint, tail: bigint): boolean {
    return head <= tail && tail - head <= BigInt(this.capacity);
  }

  #copy(slot: number, head: bigint, tail: bigint): RingCopy {
    const place = Number(head & BigInt(this.capacity - 1));
    return copyRing(this.#core.views.u8, this.#at(slot) + RING_BYTES, place, Number(tail - head), this.capacity);
  }

  #at(slot: number): number {
    const { blockOffset, blockStride } = this.#core.geometry;
    return blockOffset + slot * blockStride + this.#offset;
  }

  #index(slot: number, field: 'head' | 'tail' | 'attempted' | 'delivered'): number {
    return (this.#at(slot) + RING[field].offset) >>> 3;
  }

  #place(slot: number): Place {
    const { views } = this.#core;
    this.#places[slot] ??= {
      ground: groundOf(views.buffer, views.memory),
      at: this.#at(slot),
      label: `the ring ${show(this.name)} of slot ${slot}`,
      holders: 0,
    };
    return this.#places[slot];
  }
}
