// A histogram with a set of log-linear buckets per thread (docs/ABI.md, clause 58): the owner counts with ordinary loads and
// stores, anyone adds the sets up. Buckets are counters, which go on where the last owner of the slot left them, so a snapshot over
// all threads is exact across deaths. The scheme is that of HdrHistogram.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { BUCKET_BYTES, bucketOf, HISTOGRAM_PRECISION_MAX, LINES_WORDS, lowerBoundOf } from '../abi/histogram.js';
import type { AreaCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { coreFor } from '../area/current.js';
import { lookup } from '../area/directory.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import type { Area } from '../thread/area.js';
import { type Registration, register } from '../thread/registration.js';
import { sumsOn } from '../wasm/sums.js';
import { type HistogramSnapshot, snapshotIn } from './snapshot.js';

const DEFAULT_BUCKETS = 128;
const DEFAULT_PRECISION = 2;
const DISPOSED = -1;
const NOT_PLAIN = -1;
const INT32_MAX = 2 ** 31 - 1;

export interface HistogramOptions {
  /** Buckets of 8 bytes each in every thread's block. Default 128, which with the default precision reach up to 2^33. */
  readonly buckets?: number | undefined;
  /** There are 2^precision buckets in each power of two, 0 to 10. Default 2: values are told apart by a quarter or better. */
  readonly precision?: number | undefined;
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

/**
 * A named histogram of the process. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class Histogram {
  readonly name: string;
  readonly size: number;
  readonly precision: number;
  /** Values from here on count in the last bucket, as whatever belongs there. */
  readonly end: number;
  readonly #core: AreaCore;
  readonly #i64: BigInt64Array;
  readonly #offset: number;
  readonly #registration: Registration;
  // Small integers from the start, so that the engine knows them as such.
  /** Index of the own first bucket. */
  #base = DISPOSED;
  /** The highest value that a plain addition is allowed for: one test says that, and that the histogram lives. */
  #most = NOT_PLAIN;
  /** 2^precision, and the bits of an integer beyond precision + 1: what bucketOf() is made of where a value has 31 bits. */
  readonly #perPower: number = 0;
  readonly #spare: number = 0;

  constructor(
    name: string,
    { buckets = DEFAULT_BUCKETS, precision = DEFAULT_PRECISION, holder, area }: HistogramOptions = {},
  ) {
    const core = coreFor(area);
    const { blockOffset, blockStride } = core.geometry;
    const room = blockStride / BUCKET_BYTES;
    if (!Number.isInteger(buckets) || buckets < 1 || buckets > room)
      throw invalid('buckets', buckets, `an integer from 1 to ${room}`);
    if (!Number.isInteger(precision) || precision < 0 || precision > HISTOGRAM_PRECISION_MAX)
      throw invalid('precision', precision, `an integer from 0 to ${HISTOGRAM_PRECISION_MAX}`);

    const size = buckets * BUCKET_BYTES;
    const entry = lookup(core, { name, kind: 'histogram', version: precision, size, flags: 0 });
    this.name = name;
    this.size = buckets;
    this.precision = precision;
    this.end = lowerBoundOf(buckets, precision);
    this.#core = core;
    this.#i64 = core.views.i64;
    this.#offset = entry.offset;
    this.#perPower = 1 << precision;
    this.#spare = 31 - precision;
    this.#registration = register({ name: holder, area });
    this.#base = (blockOffset + this.#registration.slot * blockStride + entry.offset) >>> 3;
    // An integer to the engine too: it was computed as a double.
    this.#most = host.storesWhole64 ? Math.min(this.end - 1, INT32_MAX) | 0 : NOT_PLAIN;
  }

  /**
   * Counts a value, rounded down to an integer, in this thread's buckets. Choose the unit so that integers tell enough: ns, bytes.
   * @throws COEXIST_EUNREGISTERED after disposal, COEXIST_EINVAL where it is negative or not finite; nothing was counted
   */
  record(value: number): void {
    // hot: owner-only plain store. bucketOf() by hand, in 32-bit integers throughout: no call, and no overflow to look for.
    if (typeof value === 'number' && value >= 0 && value <= this.#most) {
      const whole = value | 0;
      const perPower = this.#perPower;
      const shift = (this.#spare - Math.clz32(whole | perPower)) | 0;
      this.#i64[(this.#base + Math.imul(shift, perPower) + (whole >> shift)) | 0]! += 1n;
    } else this.#record(value, 1n);
  }

  /**
   * Counts a value so many times.
   * @throws as `record()`, and COEXIST_EINVAL where count is not a safe integer of 0 or more
   */
  recordMany(value: number, count: number): void {
    if (!Number.isSafeInteger(count) || count < 0) throw invalid('count', count, 'a safe integer of 0 or more');
    this.#record(value, BigInt(count));
  }

  /** What all threads that ever recorded, dead ones included, have recorded by now. */
  snapshot(): HistogramSnapshot {
    const sums = sumsOn(this.#core.views, wasmAllowed());
    const counts = new Float64Array(this.size);
    for (let first = 0; first < this.size; ) {
      // The range ends with a line (clause 34), so the last one may have words beyond the buckets.
      const several = first + LINES_WORDS <= this.size;
      const at = this.#offset + first * BUCKET_BYTES;
      const words = several ? sums.sum_lines(at) : sums.sum_line(at);
      for (const sum of words.slice(0, this.size - first)) counts[first++] = Number(sum);
    }
    return snapshotIn(this.precision, counts);
  }

  /**
   * What this thread, and the slot's former owners, have recorded.
   * @throws COEXIST_EUNREGISTERED after disposal
   */
  own(): HistogramSnapshot {
    if (this.#base === DISPOSED) throw disposed(this.name);
    return this.of(this.#registration.slot);
  }

  /**
   * What all owners of a slot have recorded.
   * @throws COEXIST_EINVAL
   */
  of(slot: number): HistogramSnapshot {
    const { blockOffset, blockStride, slotCapacity } = this.#core.geometry;
    if (!Number.isInteger(slot) || slot < 0 || slot >= slotCapacity)
      throw invalid('slot', slot, `an integer from 0 to ${slotCapacity - 1}`);
    const base = (blockOffset + slot * blockStride + this.#offset) >>> 3;
    const counts = new Float64Array(this.size);
    for (let k = 0; k < counts.length; k++) counts[k] = Number(Atomics.load(this.#i64, base + k));
    return snapshotIn(this.precision, counts);
  }

  /** Unregisters; `snapshot()` and `of()` go on to work. Does nothing the second time. */
  dispose(): void {
    this.#base = DISPOSED;
    this.#most = NOT_PLAIN;
    this.#registration[dispose]();
  }

  [dispose](): void {
    this.dispose();
  }

  #record(value: number, count: bigint): void {
    if (this.#base === DISPOSED) throw disposed(this.name);
    if (typeof value !== 'number' || !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw invalid('value', value, 'a finite number of 0 or more');
    }
    const index = this.#base + Math.min(bucketOf(value, this.precision), this.size - 1);
    if (host.storesWhole64) this.#i64[index]! += count;
    else Atomics.add(this.#i64, index, count);
  }
}

function disposed(name: string): CoexistError {
  return new CoexistError('COEXIST_EUNREGISTERED', `the histogram ${show(name)} was disposed of`, {
    found: 'a disposed histogram',
    expected: 'a live one',
    remedy: 'Construct a new one.',
  });
}
