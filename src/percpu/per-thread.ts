// A range of bytes in every thread's block, under one name (docs/ABI.md, clauses 38 to 41): each thread writes its own, any
// thread reads all. Typed views over the whole area and indices into them, since a subarray costs 1.5x an index.

import { FLAG_STAMPED, STAMP_BYTES } from '../abi/directory.js';
import { CoexistError, invalid, show } from '../abi/errors.js';
import { SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { coreFor } from '../area/current.js';
import { type Entry, lookup } from '../area/directory.js';
import { dispose } from '../host/dispose.js';
import type { Area } from '../thread/area.js';
import { type Registration, register } from '../thread/registration.js';

interface Elements {
  i8: Int8Array<SharedArrayBuffer>;
  u8: Uint8Array<SharedArrayBuffer>;
  i16: Int16Array<SharedArrayBuffer>;
  u16: Uint16Array<SharedArrayBuffer>;
  i32: Int32Array<SharedArrayBuffer>;
  u32: Uint32Array<SharedArrayBuffer>;
  i64: BigInt64Array<SharedArrayBuffer>;
  u64: BigUint64Array<SharedArrayBuffer>;
  f32: Float32Array<SharedArrayBuffer>;
  f64: Float64Array<SharedArrayBuffer>;
}

export type ElementType = keyof Elements;

const ARRAYS = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;

/** Those above are given out by the contract (clause 56). */
const MOST_VERSION = 0xffff;

export interface PerThreadOptions<T extends ElementType> {
  readonly type: T;
  /** Elements in each thread's block. */
  readonly length: number;
  /** Version of the content's layout, 0 to 65535; another one under the same name is COEXIST_EKIND. Default 1. */
  readonly version?: number | undefined;
  /** Start at zero in every thread that takes a slot over; otherwise the last owner's content goes on. Default false. */
  readonly fresh?: boolean | undefined;
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

/** One thread's content. */
export interface ThreadBlock<T extends ElementType> {
  readonly slot: number;
  /** The claim the content was read under; 0 where the slot was never claimed. */
  readonly generation: number;
  /** Live view: its thread may be writing. Read-only by convention. */
  readonly view: Elements[T];
}

/**
 * A typed array in every thread's block. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerThread<T extends ElementType> {
  readonly name: string;
  readonly length: number;
  /** View over the whole area: `array[base + k]` is element k of the own block, the fastest way to it. */
  readonly array: Elements[T];
  /** Index of the own block's first element in `array`. */
  readonly base: number;
  readonly slot: number;
  readonly #core: AreaCore;
  readonly #entry: Entry;
  readonly #registration: Registration;
  #own: Elements[T] | undefined;

  constructor(name: string, options: PerThreadOptions<T>) {
    const { type, length, version = 1, fresh = false, holder, area } = options;
    const array = ARRAYS[type];
    if (!Object.hasOwn(ARRAYS, type)) throw invalid('type', type, `one of ${Object.keys(ARRAYS).join(', ')}`);
    const core = coreFor(area);
    const head = fresh ? STAMP_BYTES : 0;
    const most = (core.geometry.blockStride - head) / array.BYTES_PER_ELEMENT;
    if (!Number.isInteger(length) || length < 1 || length > most)
      throw invalid('length', length, `an integer from 1 to ${most}`);
    if (!Number.isInteger(version) || version < 0 || version > MOST_VERSION)
      throw invalid('version', version, `an integer from 0 to ${MOST_VERSION}`);

    this.#core = core;
    this.#entry = lookup(core, {
      name,
      kind: 'key',
      version,
      size: head + length * array.BYTES_PER_ELEMENT,
      flags: fresh ? FLAG_STAMPED : 0,
    });
    const { buffer } = core.views;
    const elements = Math.floor(buffer.byteLength / array.BYTES_PER_ELEMENT);
    this.array = new (array as unknown as new (buffer: SharedArrayBuffer, at: number, length: number) => Elements[T])(
      buffer,
      0,
      elements,
    );
    this.#registration = register({ name: holder, area });
    this.name = name;
    this.length = length;
    this.slot = this.#registration.slot;
    this.base = this.indexOf(this.slot);
    this.#own = this.#view(this.slot);
    if (fresh) this.#start();
  }

  /**
   * The own block's content.
   * @throws COEXIST_EUNREGISTERED after disposal
   */
  get own(): Elements[T] {
    if (this.#own !== undefined) return this.#own;
    throw new CoexistError('COEXIST_EUNREGISTERED', `the accessor of ${show(this.name)} was disposed of`, {
      found: 'a disposed accessor',
      expected: 'a live one',
      remedy: 'Construct a new one.',
    });
  }

  /** Index in `array` of the first element of a slot's block. */
  indexOf(slot: number): number {
    const { blockOffset, blockStride } = this.#core.geometry;
    return (blockOffset + slot * blockStride + this.#entry.offset + this.#head) / this.array.BYTES_PER_ELEMENT;
  }

  /**
   * The content in any slot's block. With `fresh`, undefined where nobody has used this name under the slot's present claim.
   * @throws COEXIST_EINVAL
   */
  at(slot: number): ThreadBlock<T> | undefined {
    const { slotCapacity } = this.#core.geometry;
    if (!Number.isInteger(slot) || slot < 0 || slot >= slotCapacity)
      throw invalid('slot', slot, `an integer from 0 to ${slotCapacity - 1}`);
    const generation = Atomics.load(this.#core.views.u32, this.#generationIndex(slot));
    if (this.#head > 0) {
      const stamp = Atomics.load(this.#core.views.u32, this.#stampIndex(slot));
      if (generation === 0 || stamp !== generation) return undefined;
    }
    return { slot, generation, view: this.#view(slot) };
  }

  /** The content of all slots that were ever claimed, live and dead. */
  *blocks(): Generator<ThreadBlock<T>> {
    for (let slot = 0, end = this.#core.highWater(); slot < end; slot++) {
      const block = this.at(slot);
      if (block !== undefined) yield block;
    }
  }

  /** Unregisters; `own` is no longer to be had. Does nothing the second time. */
  dispose(): void {
    this.#own = undefined;
    this.#registration[dispose]();
  }

  [dispose](): void {
    this.dispose();
  }

  get #head(): number {
    return (this.#entry.flags & FLAG_STAMPED) !== 0 ? STAMP_BYTES : 0;
  }

  // Clause 40: clear, then stamp. Cut in between, the content stays void and is cleared again.
  #start(): void {
    const { u32, u8 } = this.#core.views;
    const stamp = this.#stampIndex(this.slot);
    if (Atomics.load(u32, stamp) === this.#registration.generation) return;
    const start = stamp * 4 + STAMP_BYTES;
    u8.fill(0, start, start + this.#entry.size - STAMP_BYTES);
    Atomics.store(u32, stamp, this.#registration.generation);
  }

  #view(slot: number): Elements[T] {
    const start = this.indexOf(slot);
    return this.array.subarray(start, start + this.length) as Elements[T];
  }

  #stampIndex(slot: number): number {
    const { blockOffset, blockStride } = this.#core.geometry;
    return (blockOffset + slot * blockStride + this.#entry.offset) >>> 2;
  }

  #generationIndex(slot: number): number {
    return (this.#core.slotAt(slot) + SLOT.generation.offset) >>> 2;
  }
}
