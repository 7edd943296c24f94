// What a histogram held at one moment, as immutable data: quantiles and the like, and the arithmetic of snapshots. Knows nothing of
// threads or memory.

import { invalid } from '../abi/errors.js';
import { HISTOGRAM_PRECISION_MAX, lowerBoundOf } from '../abi/histogram.js';

/** More than any block holds (docs/ABI.md, clause 14). */
const MOST_BUCKETS = 2 ** 23;

/** One bucket: so many recorded values v with lower <= v < upper. */
export interface Bucket {
  readonly lower: number;
  /** Infinity for the last bucket of a histogram, which takes whatever lies beyond. */
  readonly upper: number;
  readonly count: number;
}

/** A snapshot as plain data: for JSON, for `postMessage`, and for `merge()` elsewhere. */
export interface HistogramData {
  readonly precision: number;
  /** Buckets of the histogram, empty ones included. */
  readonly size: number;
  /** Index and count of each bucket that is not empty, in the order of values. */
  readonly counts: readonly (readonly [bucket: number, count: number])[];
}

/** Counts are numbers, exact up to 2^53 in all. Of an empty one, min, max, mean and all quantiles are NaN. */
export interface HistogramSnapshot {
  readonly precision: number;
  readonly size: number;
  /** Values recorded. */
  readonly count: number;
  /** The lowest value that the lowest bucket in use can hold. */
  readonly min: number;
  /** The highest value that the highest bucket in use can hold. */
  readonly max: number;
  /** Mean of the buckets' middles. */
  readonly mean: number;
  /**
   * The highest value of the bucket that the value of rank ceil(q * count) is in: never below that value (rounded down to an
   * integer), and above it by less than one part in 2^precision. What lay beyond the range counts as its end.
   * @param q from 0 to 1
   * @throws COEXIST_EINVAL
   */
  quantile(q: number): number;
  quantiles(qs: readonly number[]): number[];
  /** Those that are not empty, in the order of values. */
  buckets(): Bucket[];
  /**
   * Both added up.
   * @throws COEXIST_EINVAL for another precision or size
   */
  merge(other: HistogramSnapshot | HistogramData): HistogramSnapshot;
  /**
   * What was recorded since an earlier snapshot of the same histogram.
   * @throws COEXIST_EINVAL for another precision or size, or where a bucket would hold less than nothing
   */
  subtract(earlier: HistogramSnapshot | HistogramData): HistogramSnapshot;
  toJSON(): HistogramData;
}

/**
 * The snapshot of these data: what `toJSON()` gave, here or in another process.
 * @throws COEXIST_EINVAL
 * @since 0.1.0
 */
export function snapshotOf(data: HistogramData): HistogramSnapshot {
  const counts = countsIn('data', data);
  return snapshotIn(data.precision, counts);
}

function countsIn(name: string, data: HistogramData): Float64Array {
  const { precision, size, counts } = data ?? {};
  const sound =
    isIndex(precision, HISTOGRAM_PRECISION_MAX + 1) &&
    isIndex(size, MOST_BUCKETS + 1) &&
    Array.isArray(counts) &&
    counts.every((pair) => Array.isArray(pair) && isIndex(pair[0], size) && isIndex(pair[1], Number.POSITIVE_INFINITY));
  if (!sound) throw invalid(name, data, 'a snapshot, or what toJSON() of one gave');
  const all = new Float64Array(size);
  for (const [bucket, count] of counts) all[bucket]! += count;
  return all;
}

const isIndex = (value: unknown, end: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;

/** Keeps `counts`: nobody may write there again. */
export function snapshotIn(precision: number, counts: Float64Array): HistogramSnapshot {
  const size = counts.length;
  const lower = (bucket: number): number => lowerBoundOf(bucket, precision);
  const highest = (bucket: number): number => Math.min(lower(bucket + 1) - 1, Number.MAX_VALUE);

  let [count, sum, first, last] = [0, 0, -1, -1];
  for (let bucket = 0; bucket < size; bucket++) {
    const here = counts[bucket] as number;
    if (here === 0) continue;
    if (first < 0) first = bucket;
    last = bucket;
    count += here;
    const low = lower(bucket);
    sum += here * (low + (highest(bucket) - low) / 2);
  }

  const quantile = (q: number): number => {
    if (typeof q !== 'number' || !(q >= 0 && q <= 1)) throw invalid('q', q, 'a number from 0 to 1');
    if (first < 0) return Number.NaN;
    // One part in 2^52 less: 0.07 * 100 is 7.000000000000001, and its rank is 7.
    const rank = q === 1 ? count : Math.max(1, Math.ceil(q * count * (1 - Number.EPSILON)));
    let bucket = first;
    for (let below = counts[first] as number; below < rank && bucket < last; below += counts[bucket] as number)
      bucket++;
    return highest(bucket);
  };

  const combined = (name: string, other: HistogramSnapshot | HistogramData, sign: 1 | -1): HistogramSnapshot => {
    const data = typeof other === 'object' && other !== null && 'toJSON' in other ? other.toJSON() : other;
    const theirs = countsIn(name, data);
    if (data.precision !== precision || data.size !== size) {
      const expected = `one of ${size} buckets with precision ${precision}`;
      throw invalid(name, `one of ${data.size} buckets with precision ${data.precision}`, expected);
    }
    const result = counts.map((here, bucket) => here + sign * (theirs[bucket] as number));
    if (result.some((here) => here < 0)) throw invalid(name, data, 'an earlier snapshot of the same histogram');
    return snapshotIn(precision, result);
  };

  const inUse = (): number[] => [...counts.keys()].filter((bucket) => counts[bucket] !== 0);
  return Object.freeze({
    precision,
    size,
    count,
    min: first < 0 ? Number.NaN : lower(first),
    max: first < 0 ? Number.NaN : highest(last),
    mean: sum / count,
    quantile,
    quantiles: (qs: readonly number[]) => qs.map(quantile),
    buckets: () =>
      inUse().map((bucket) => ({
        lower: lower(bucket),
        upper: bucket === size - 1 ? Number.POSITIVE_INFINITY : lower(bucket + 1),
        count: counts[bucket] as number,
      })),
    merge: (other: HistogramSnapshot | HistogramData) => combined('other', other, 1),
    subtract: (earlier: HistogramSnapshot | HistogramData) => combined('earlier', earlier, -1),
    toJSON: () => ({
      precision,
      size,
      counts: inUse().map((bucket): [number, number] => [bucket, counts[bucket] as number]),
    }),
  });
}
