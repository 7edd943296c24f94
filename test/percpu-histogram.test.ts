// Histograms: bucket bounds against a slow reference, refusals, and threads that are killed while they count (docs/ABI.md,
// clause 58).

import { attach } from 'coexist';
import { bucketOf, lowerBoundOf } from 'coexist/abi';
import { Histogram } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { copyUrl } from './support/copies.js';
import { failure } from './support/failures.js';
import { EMPTY, empty, histogramOf, randomFrom, SEED, small } from './support/histograms.js';
import { rawSlot, stateOf } from './support/slot.js';
import { startActors, terminateAll, untilFree } from './support/steps.js';

describe.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('buckets of precision %i', (precision) => {
  test('every integer up to 65,536 is in the bucket that counting them off puts it in', () => {
    // One bucket for each integer below 2^(p + 1), then 2^p equal ones from each power of two to the next.
    let [bucket, lower, width] = [0, 0, 1];
    const wrong: number[] = [];
    for (let value = 0; value <= 65_536; value++) {
      if (value === lower + width) {
        lower = value;
        bucket++;
        if (value >= 2 ** (precision + 1) && Number.isInteger(Math.log2(value))) width *= 2;
      }
      if (bucketOf(value, precision) !== bucket || lowerBoundOf(bucket, precision) !== lower) wrong.push(value);
    }
    expect(wrong).toEqual([]);
  });

  test('bounds and values fit each other, up to the largest number', () => {
    const wrong: number[] = [];
    const last = bucketOf(Number.MAX_VALUE, precision);
    expect(last).toBe((1024 - precision) * 2 ** precision + 2 ** precision - 1);
    for (let bucket = 0; bucket <= last; bucket++) {
      const [lower, upper] = [lowerBoundOf(bucket, precision), lowerBoundOf(bucket + 1, precision)];
      const below = upper === Infinity ? Number.MAX_VALUE : Math.max(lower, upper * (1 - 2 ** -53));
      const narrow = upper - lower <= Math.max(1, lower * 2 ** -precision) || upper === Infinity;
      if (bucketOf(lower, precision) !== bucket || bucketOf(below, precision) !== bucket || !narrow) wrong.push(bucket);
    }
    expect(wrong).toEqual([]);
  });
});

describe('recording', () => {
  test.each([0, 2, 7, 10])('precision %i: record() counts where bucketOf() says', (precision) => {
    const random = randomFrom(SEED + precision);
    const values = Array.from({ length: 5000 }, () => {
      const value = 2 ** (random() * 60);
      return random() < 0.5 ? value : Math.floor(value);
    });
    const buckets = 4096;
    const expected = new Map<number, number>();
    for (const value of values) {
      const bucket = Math.min(bucketOf(value, precision), buckets - 1);
      expected.set(bucket, (expected.get(bucket) ?? 0) + 1);
    }
    const { counts } = histogramOf(values, { buckets, precision }).snapshot().toJSON();
    expect(counts, `seed ${SEED}`).toEqual([...expected].sort(([a], [b]) => a - b));
  });

  test('what lies beyond counts in the last bucket, and reads as the end of the range', () => {
    const histogram = histogramOf([0, 3, 4, 5, 6, 7, 8, 100, 1e300], { buckets: 5, precision: 1 });
    // 0, 1, 2, 3 and [4, 6).
    expect(histogram.end).toBe(6);
    const snapshot = histogram.snapshot();
    expect(snapshot.buckets()).toEqual([
      { lower: 0, upper: 1, count: 1 },
      { lower: 3, upper: 4, count: 1 },
      { lower: 4, upper: Infinity, count: 7 },
    ]);
    expect([snapshot.max, snapshot.quantile(1), snapshot.quantile(0)]).toEqual([5, 5, 0]);
  });

  test('fewer buckets than there are in a power of two, and a single one', () => {
    expect(histogramOf([0, 1, 2, 3, 900], { buckets: 3, precision: 10 }).snapshot().toJSON().counts).toEqual([
      [0, 1],
      [1, 1],
      [2, 3],
    ]);
    expect(histogramOf([0, 1, 2 ** 70], { buckets: 1 }).snapshot()).toMatchObject({ count: 3, min: 0, max: 0 });
  });

  test('recordMany counts as often as it says, 0 times too', () => {
    const histogram = histogramOf([]);
    histogram.recordMany(5, 3);
    histogram.recordMany(2 ** 50, 2 ** 40);
    histogram.recordMany(9, 0);
    expect(histogram.snapshot().toJSON().counts).toEqual([
      [5, 3],
      [127, 2 ** 40],
    ]);
  });

  test('by default: 1 KiB of the block, up to 2^33', () => {
    const area = small();
    const histogram = new Histogram('h', { area });
    expect([histogram.size, histogram.precision, histogram.end, histogram.name]).toEqual([128, 2, 2 ** 33, 'h']);
    histogram.dispose();
    expect(rawSlot(area, 0).owner).toBe(0n);
  });

  test.each<Record<string, unknown>>([
    { buckets: 0 },
    { buckets: 1.5 },
    { buckets: 2 ** 13 + 1 },
    { buckets: '128' },
    { buckets: Number.NaN },
    { precision: -1 },
    { precision: 11 },
    { precision: 0.5 },
    { precision: null },
  ])('EINVAL: %j; nothing is created, nobody registered', (options) => {
    const area = small();
    const before = stateOf(area);
    failure('COEXIST_EINVAL', () => new Histogram('h', { area, ...options }));
    expect(stateOf(area)).toBe(before);
  });

  test('of() wants a slot that there is', () => {
    const histogram = histogramOf([1]);
    for (const slot of [-1, 2, 0.5, Number.NaN, '0']) failure('COEXIST_EINVAL', () => histogram.of(slot as number));
    expect(empty(histogram.of(1))).toEqual(EMPTY);
  });
});

test('threads that are killed while they record: at most what they said, at least what they confirmed', async () => {
  const area = attach();
  const histogram = new Histogram('killed');
  const actors = await startActors(4);
  // Each confirms behind each value, in a cell of its own.
  const confirmed = new Int32Array(new SharedArrayBuffer(4 * 64));
  for (const [k, actor] of actors.entries()) {
    actor.post(
      async ({ load, state }, { url, confirmed, k }) => {
        const { Histogram } = await load(url);
        const histogram = new Histogram('killed');
        state['histogram'] = histogram;
        for (let n = 0; ; n = (n + 1) % 1000) {
          histogram.record(n);
          Atomics.add(confirmed, k * 16, 1);
        }
      },
      { url: copyUrl(k % 2 === 0 ? 'a' : 'b', 'core.js'), confirmed, k },
    );
  }
  const deadline = Date.now() + 20_000;
  while (!actors.every((_, k) => Atomics.load(confirmed, k * 16) >= 1000)) {
    if (Date.now() > deadline) throw new Error('the threads did not record');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await terminateAll(actors);
  const said = actors.reduce((sum, _, k) => sum + Atomics.load(confirmed, k * 16), 0);
  const final = histogram.snapshot();
  expect(final.count).toBeGreaterThanOrEqual(said);
  expect(final.count).toBeLessThanOrEqual(said + actors.length);
  const slots = area
    .inspect()
    .slots.map(({ slot }) => slot)
    .filter((slot) => slot !== 0);
  const parts = [0, 1, 2, 3, 4].map((slot) => histogram.of(slot));
  expect(parts.reduce((all, part) => all.merge(part)).toJSON()).toEqual(final.toJSON());
  await untilFree(area, ...slots);
  expect(histogram.snapshot().toJSON()).toEqual(final.toJSON());
  histogram.dispose();
  expect(histogram.snapshot().toJSON()).toEqual(final.toJSON());
});
