// Histograms of private areas, and seeded random values for them.

import { createArea } from 'coexist';
import { Histogram, type HistogramSnapshot } from 'coexist/percpu';

export const SEED = Number(process.env['SEED'] ?? 20_181_104);

/** mulberry32: numbers from 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const small = () => createArea({ slots: 2, blockBytes: 2 ** 16, heapBytes: 0 });

/** A histogram of a private area with these values. */
export function histogramOf(
  values: readonly number[],
  options: { buckets?: number; precision?: number } = {},
): Histogram {
  const histogram = new Histogram('h', { area: small(), ...options });
  for (const value of values) histogram.record(value);
  return histogram;
}

/** What an empty snapshot says, to compare with EMPTY. */
export const empty = (snapshot: HistogramSnapshot): unknown[] => [
  snapshot.count,
  snapshot.min,
  snapshot.max,
  snapshot.mean,
  ...snapshot.quantiles([0, 0.5, 1]),
  ...snapshot.buckets(),
];
export const EMPTY = [0, NaN, NaN, NaN, NaN, NaN, NaN];
