// What can be asked of a histogram's snapshot: quantiles against sorted values, merge and subtract, plain data and back.

import { type HistogramData, type HistogramSnapshot, snapshotOf } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import type * as core from '../src/core.js';
import { copyUrl } from './support/copies.js';
import { failure } from './support/failures.js';
import { EMPTY, empty, histogramOf, randomFrom, SEED, small } from './support/histograms.js';

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
