// The buckets of a histogram (docs/ABI.md, clause 58), as functions between values and indices: one bucket for each integer below
// 2^(precision + 1), then 2^precision of them in every power of two, so that a bucket is narrower than its lower bound by that
// factor at least. The scheme is that of HdrHistogram (Gil Tene), with a power of two in the place of decimal digits.

import { RANGE_ALIGN } from './directory.js';

/** Most sub-buckets in a power of two, as their base-2 logarithm. */
export const HISTOGRAM_PRECISION_MAX = 10;
/** Bytes of a bucket: a 64-bit counter. */
export const BUCKET_BYTES = 8;

/** Buckets of the lines that a reader adds up over all blocks at a time: one that ranges are aligned to, and four. */
export const LINE_WORDS = RANGE_ALIGN / BUCKET_BYTES;
export const LINES_WORDS = 4 * LINE_WORDS;

/** Beyond 32 bits a value is divided until it fits: only its first bits decide. */
const FITS = 2 ** 32;
const STEP_BITS = 20;

/** Index of the bucket that a finite value of 0 or more counts in, if there are so many. */
export function bucketOf(value: number, precision: number): number {
  let [scaled, shift] = [value, 0];
  for (; scaled >= FITS; scaled /= 2 ** STEP_BITS) shift += STEP_BITS;
  const whole = scaled >>> 0;
  const drop = 31 - precision - Math.clz32(whole | (1 << precision));
  return (drop + shift) * 2 ** precision + (whole >>> drop);
}

/** The lowest value that counts in a bucket, which is where the bucket before it ends. */
export function lowerBoundOf(bucket: number, precision: number): number {
  const shift = Math.max(0, (bucket >> precision) - 1);
  return (bucket - (shift << precision)) * 2 ** shift;
}
