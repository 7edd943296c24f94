// Histograms and what can be asked of a snapshot: bucket bounds against a slow reference, quantiles against sorted values,
// arithmetic of snapshots, refusals, and threads that are killed while they count (docs/ABI.md, clause 58).

import { attach, createArea } from 'coexist';
import { bucketOf, lowerBoundOf } from 'coexist/abi';
import { Histogram, type HistogramData, type HistogramSnapshot, snapshotOf } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import type * as core from '../src/core.js';
import { copyUrl } from './support/copies.js';
import { failure } from './support/failures.js';
import { rawSlot, stateOf } from './support/slot.js';
import { startActors, terminateAll, untilFree } from './support/steps.js';

const SEED = Number(process.env['SEED'] ?? 20_181_104);

/** mulberry32: numbers from 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const small = () => createArea({ slots: 2, blockBytes: 2 ** 16, heapBytes: 0 });

/** A histogram of a private area with these values. */
function histogramOf(values: readonly number[], options: { buckets?: number; precision?: number } = {}): Histogram {
  const histogram = new Histogram('h', { area: small(), ...options });
  for (const value of values) histogram.record(value);
  return histogram;
}

const empty = (snapshot: HistogramSnapshot): unknown[] => [
  snapshot.count,
  snapshot.min,
  snapshot.max,
  snapshot.mean,
  ...snapshot.quantiles([0, 0.5, 1]),
  ...snapshot.buckets(),
];
const EMPTY = [0, NaN, NaN, NaN, NaN, NaN, NaN];

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

describe('snapshots', () => {
  test('an empty one', () => {
    expect(empty(histogramOf([]).snapshot())).toEqual(EMPTY);
  });

  test('one value: every quantile is its bucket', () => {
    const snapshot = histogramOf([100]).snapshot();
    expect(snapshot).toMatchObject({ count: 1, min: 96, max: 111, mean: 103.5 });
    expect(snapshot.quantiles([0, 0.01, 0.5, 1])).toEqual([111, 111, 111, 111]);
  });

  test('where every value has a bucket of its own, all is exact', () => {
    const values = [5, 1, 1, 7, 0, 3, 3, 3];
    const snapshot = histogramOf(values).snapshot();
    expect(snapshot).toMatchObject({ count: 8, min: 0, max: 7, mean: 23 / 8 });
    const sorted = values.toSorted((a, b) => a - b);
    for (let rank = 1; rank <= 8; rank++) expect(snapshot.quantile(rank / 8)).toBe(sorted[rank - 1]);
    // Between two ranks, the higher one.
    expect(snapshot.quantiles([0, 0.13, 0.5000001, 0.9])).toEqual([0, 1, 3, 7]);
  });

  test('quantile(k / n) is the k-th of n values, whatever k / n rounds to', () => {
    const wrong: [number, number][] = [];
    for (let n = 1; n <= 300; n++) {
      // 2048 buckets of their own.
      const counts = Array.from({ length: n }, (_, k): [number, number] => [k, 1]);
      const snapshot = snapshotOf({ precision: 10, size: 2048, counts });
      for (let k = 1; k <= n; k++) if (snapshot.quantile(k / n) !== k - 1) wrong.push([k, n]);
    }
    expect(wrong).toEqual([]);
  });

  const distributions: Record<string, (random: () => number) => number> = {
    uniform: (random) => random() * 1e6,
    exponential: (random) => -Math.log(1 - random()) * 1e5,
    'log-uniform': (random) => 2 ** (random() * 32),
    'heavy-tailed': (random) => 100 / (1 - random()) ** 2,
    'two lumps': (random) => (random() < 0.99 ? 1000 + random() * 10 : 5e7 + random() * 1e6),
  };
  test.each(Object.keys(distributions).flatMap((name) => [0, 2, 5, 8].map((precision) => [name, precision] as const)))(
    '%s, precision %i: quantiles are never below the value, and above it by less than the bound',
    (name, precision) => {
      const random = randomFrom(SEED);
      const draw = distributions[name] as (random: () => number) => number;
      const values = Array.from({ length: 20_000 }, () => Math.floor(draw(random)));
      const sorted = Float64Array.from(values).sort();
      const snapshot = histogramOf(values, { buckets: 8192, precision }).snapshot();
      const wrong: unknown[] = [];
      const check = (q: number): void => {
        const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
        const found = snapshot.quantile(q);
        const most = Math.max(exact, exact * (1 + 2 ** -precision) - Number.MIN_VALUE);
        if (found < exact || (found > most && found !== exact)) wrong.push({ q, exact, found });
      };
      for (const q of [0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1]) check(q);
      for (let k = 0; k < 500; k++) check(random());
      expect(wrong, `seed ${SEED}`).toEqual([]);
      const [lowest, highest] = [sorted[0] as number, sorted.at(-1) as number];
      expect(snapshot.min).toBeLessThanOrEqual(lowest);
      expect(snapshot.max).toBeGreaterThanOrEqual(highest);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(Math.abs(snapshot.mean - mean)).toBeLessThanOrEqual(mean * 2 ** -(precision + 1));
    },
  );

  test('q is a number from 0 to 1', () => {
    for (const histogram of [histogramOf([]), histogramOf([1])]) {
      const snapshot = histogram.snapshot();
      for (const q of [-0.1, 1.1, Number.NaN, 50, '0.5', null, undefined]) {
        failure('COEXIST_EINVAL', () => snapshot.quantile(q as number));
        failure('COEXIST_EINVAL', () => snapshot.quantiles([0.5, q as number]));
      }
    }
  });

  test('a snapshot does not change, by what is recorded later or by whoever holds it', () => {
    const histogram = histogramOf([5, 100]);
    const snapshot = histogram.snapshot();
    const before = JSON.stringify([snapshot, snapshot.buckets()]);
    histogram.record(5);
    snapshot.buckets()[0] = { lower: 9, upper: 9, count: 9 };
    (snapshot.toJSON().counts as [number, number][])[0]![1] = 9;
    expect(() => {
      (snapshot as { count: number }).count = 9;
    }).toThrow(TypeError);
    expect(JSON.stringify([snapshot, snapshot.buckets()])).toBe(before);
  });

  test('as JSON and back, and across a structured clone', () => {
    const snapshot = histogramOf([0, 5, 5, 2 ** 40]).snapshot();
    const text = JSON.stringify(snapshot);
    expect(JSON.parse(text)).toEqual({
      precision: 2,
      size: 128,
      counts: [
        [0, 1],
        [5, 2],
        [127, 1],
      ],
    });
    for (const data of [JSON.parse(text), structuredClone(snapshot.toJSON())] as HistogramData[]) {
      const back = snapshotOf(data);
      expect([back.toJSON(), back.count, back.max]).toEqual([snapshot.toJSON(), 4, 2 ** 33 - 1]);
    }
  });

  test('merge adds up, of whatever copy or as data; merging parts gives the whole', async () => {
    const { Histogram: Other } = (await import(copyUrl('b', 'core.js'))) as typeof core;
    const random = randomFrom(SEED);
    const values = Array.from({ length: 3000 }, () => Math.floor(random() * 1e6));
    const whole = histogramOf(values).snapshot();
    const parts = [histogramOf(values.slice(0, 700)), histogramOf([]), histogramOf(values.slice(700))];
    const [a, b, c] = parts.map((part) => part.snapshot()) as [HistogramSnapshot, HistogramSnapshot, HistogramSnapshot];
    const foreign = new Other('h', { area: small() });
    for (const value of values.slice(700)) foreign.record(value);
    for (const merged of [a.merge(b).merge(c), c.merge(b.merge(a)), a.merge(foreign.snapshot()), c.merge(a.toJSON())]) {
      expect(merged.toJSON()).toEqual(whole.toJSON());
      expect([merged.count, merged.mean, merged.quantile(0.5)]).toEqual([3000, whole.mean, whole.quantile(0.5)]);
    }
    expect(a.count).toBe(700);
  });

  test('subtract leaves what came since', () => {
    const histogram = histogramOf([5, 5, 100]);
    const earlier = histogram.snapshot();
    for (const value of [5, 7, 2 ** 40]) histogram.record(value);
    const later = histogram.snapshot();
    const since = later.subtract(earlier);
    expect(since.toJSON()).toEqual(
      histogramOf([5, 7, 2 ** 40])
        .snapshot()
        .toJSON(),
    );
    expect(since).toMatchObject({ count: 3, min: 5 });
    expect(empty(later.subtract(later.toJSON()))).toEqual(EMPTY);
    failure('COEXIST_EINVAL', () => earlier.subtract(later));
  });

  test('another precision or size is refused, and what is no snapshot', () => {
    const snapshot = histogramOf([1]).snapshot();
    const good = snapshot.toJSON();
    const others: unknown[] = [
      histogramOf([1], { precision: 3 }).snapshot(),
      histogramOf([1], { buckets: 64 }).snapshot(),
      { ...good, precision: 1 },
      { ...good, size: 129 },
    ];
    const broken: unknown[] = [
      null,
      undefined,
      5,
      'x',
      {},
      { ...good, precision: 11 },
      { ...good, size: -1 },
      { ...good, counts: {} },
      { ...good, counts: [[128, 1]] },
      { ...good, counts: [[-1, 1]] },
      { ...good, counts: [[0.5, 1]] },
      { ...good, counts: [[0, -1]] },
      { ...good, counts: [[0, Number.NaN]] },
      { ...good, counts: [[0, 1n]] },
      { ...good, counts: [5] },
    ];
    for (const other of [...others, ...broken] as HistogramSnapshot[]) {
      failure('COEXIST_EINVAL', () => snapshot.merge(other));
      failure('COEXIST_EINVAL', () => snapshot.subtract(other));
    }
    for (const data of broken as HistogramData[]) failure('COEXIST_EINVAL', () => snapshotOf(data));
  });

  test('counts beyond 32 bits', () => {
    const histogram = histogramOf([1]);
    histogram.recordMany(1, 2 ** 50);
    histogram.recordMany(1000, 2 ** 51);
    const snapshot = histogram.snapshot();
    expect(snapshot.count).toBe(2 ** 50 + 2 ** 51 + 1);
    expect(snapshot.quantiles([0.33, 0.34, 1])).toEqual([1, 1023, 1023]);
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
