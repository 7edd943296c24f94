// A number per thread that goes with its thread (docs/ABI.md, clause 59): the owner sets it with an ordinary store, anyone reads
// those of the threads that live. The stamp says which claim of the slot a number belongs to (clause 40).

import { FLAG_STAMPED, STAMP_BYTES } from '../abi/directory.js';
import { CoexistError, invalid, show } from '../abi/errors.js';
import { SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { coreFor } from '../area/current.js';
import { lookup } from '../area/directory.js';
import { identityIn } from '../area/thread-anchor.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import type { Area } from '../thread/area.js';
import { type Registration, register } from '../thread/registration.js';

const GAUGE_VERSION = 1;
const GAUGE_BYTES = STAMP_BYTES + 8;
const DISPOSED = -1;

/** How often a slot that changes hands while it is read is read again. */
const TRIES = 8;

export interface GaugeOptions {
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

/** One live thread's number. */
export interface GaugeValue {
  readonly slot: number;
  readonly generation: number;
  /** The runtime's id of the thread, -1 if none. */
  readonly threadId: number;
  readonly value: number;
}

/**
 * A named gauge of the process. Constructing it registers this thread, with the number 0 unless the thread has one already;
 * disposing it unregisters. A thread's number is there until its last registration, of whatever library, has ended.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class Gauge {
  readonly name: string;
  readonly #core: AreaCore;
  readonly #f64: Float64Array;
  readonly #offset: number;
  readonly #registration: Registration;
  /** Index of the own number. */
  #index: number;

  constructor(name: string, { holder, area }: GaugeOptions = {}) {
    const core = coreFor(area);
    const request = { name, kind: 'gauge', version: GAUGE_VERSION, size: GAUGE_BYTES, flags: FLAG_STAMPED } as const;
    const entry = lookup(core, request);
    const { buffer } = core.views;
    this.name = name;
    this.#core = core;
    this.#f64 = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
    this.#offset = entry.offset;
    this.#registration = register({ name: holder, area });
    this.#index = this.#indexOf(this.#registration.slot);
    this.#start();
  }

  /**
   * Sets this thread's number.
   * @throws COEXIST_EUNREGISTERED after disposal, COEXIST_EINVAL where it is not finite; nothing was set
   */
  set(value: number): void {
    const index = this.#index;
    // hot: owner-only plain store
    if (typeof value === 'number' && value - value === 0 && index >= 0 && host.storesWhole64) this.#f64[index] = value;
    else this.#set(value);
  }

  /**
   * Adds to this thread's number.
   * @throws as `set()`, also where the sum is not finite
   */
  add(n: number): void {
    if (typeof n !== 'number') throw notFinite('n', n);
    this.set(this.own() + n);
  }

  /**
   * This thread's number.
   * @throws COEXIST_EUNREGISTERED after disposal
   */
  own(): number {
    if (this.#index === DISPOSED) throw disposed(this.name);
    return this.#f64[this.#index] as number;
  }

  /** The numbers of all threads that have one and are not proven dead. Costs one look at /proc for each. */
  values(): GaugeValue[] {
    const values: GaugeValue[] = [];
    const own = identityIn(this.#core.anchor);
    for (let slot = 0, end = this.#core.highWater(); slot < end; slot++) {
      const row = this.#read(slot, own);
      if (row !== undefined) values.push(row);
    }
    return values;
  }

  /** The sum of `values()`, 0 if there are none. */
  sum(): number {
    return this.values().reduce((sum, { value }) => sum + value, 0);
  }

  /** The lowest of `values()`, NaN if there are none. */
  min(): number {
    return this.#extreme(Math.min);
  }

  /** The highest of `values()`, NaN if there are none. */
  max(): number {
    return this.#extreme(Math.max);
  }

  /** Unregisters; reading the others' numbers goes on to work. Does nothing the second time. */
  dispose(): void {
    this.#index = DISPOSED;
    this.#registration[dispose]();
  }

  [dispose](): void {
    this.dispose();
  }

  #extreme(of: (...values: number[]) => number): number {
    const values = this.values();
    return values.length === 0 ? Number.NaN : values.map(({ value }) => value).reduce((a, b) => of(a, b));
  }

  #set(value: number): void {
    if (this.#index === DISPOSED) throw disposed(this.name);
    if (!Number.isFinite(value)) throw notFinite('value', value);
    Atomics.store(this.#core.views.i64, this.#index, bitsOf(value));
  }

  // Clause 40: clear, then stamp. Cut in between, there is no number yet.
  #start(): void {
    const { u32, i64 } = this.#core.views;
    const stamp = (this.#index - STAMP_BYTES / 8) * 2;
    if (Atomics.load(u32, stamp) === this.#registration.generation) return;
    Atomics.store(i64, this.#index, 0n);
    Atomics.store(u32, stamp, this.#registration.generation);
  }

  // Clauses 31 and 59: a number counts if the slot had the same owner under the same claim before and after it was read.
  #read(slot: number, own: bigint): GaugeValue | undefined {
    const core = this.#core;
    const { u32, i32, i64 } = core.views;
    const at = core.slotAt(slot);
    const index = this.#indexOf(slot);
    const generationAt = (at + SLOT.generation.offset) >>> 2;
    for (let tries = 0; tries < TRIES; tries++) {
      const owner = Atomics.load(i64, core.ownerIndex(slot));
      const generation = Atomics.load(u32, generationAt);
      const stamp = Atomics.load(u32, (index - STAMP_BYTES / 8) * 2);
      if (owner <= 0n || stamp !== generation || generation === 0) return undefined;
      const value = numberOf(Atomics.load(i64, index));
      const threadId = core.has(SLOT.thread_id) ? Atomics.load(i32, (at + SLOT.thread_id.offset) >>> 2) : -1;
      if (owner !== own && host.liveness(owner, own) === 'dead') return undefined;
      const same = Atomics.load(u32, generationAt) === generation;
      if (same && Atomics.load(i64, core.ownerIndex(slot)) === owner) return { slot, generation, threadId, value };
    }
    return undefined;
  }

  #indexOf(slot: number): number {
    const { blockOffset, blockStride } = this.#core.geometry;
    return (blockOffset + slot * blockStride + this.#offset + STAMP_BYTES) >>> 3;
  }
}

// The same eight bytes as a number and as an integer: 64-bit atomics exist for integers only.
const number = new Float64Array(1);
const bits = new BigInt64Array(number.buffer);

function bitsOf(value: number): bigint {
  number[0] = value;
  return bits[0] as bigint;
}

function numberOf(value: bigint): number {
  bits[0] = value;
  return number[0] as number;
}

function notFinite(argument: string, found: unknown): CoexistError {
  return invalid(argument, found, 'a finite number');
}

function disposed(name: string): CoexistError {
  return new CoexistError('COEXIST_EUNREGISTERED', `the gauge ${show(name)} was disposed of`, {
    found: 'a disposed gauge',
    expected: 'a live one',
    remedy: 'Construct a new one.',
  });
}
