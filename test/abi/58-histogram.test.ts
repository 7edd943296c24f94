// Clause 58: a histogram is one counter for each bucket in every block; which bucket a value counts in follows from the precision
// alone, and histograms are added up bucket by bucket.

import { register } from 'coexist';
import { KINDS } from 'coexist/abi';
import { Counter, Histogram, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, openIn, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { kill } from '../support/threads.js';
import { writesOf } from '../support/writes.js';

/** The clause, word by word, in integers of any size. */
function bucketByClause(value: number, p: number, buckets: number): number {
  const v = BigInt(Math.floor(value));
  let bucket = v;
  if (v >= 1n << BigInt(p)) {
    const e = BigInt(v.toString(2).length - 1);
    bucket = (e - BigInt(p)) * (1n << BigInt(p)) + v / (1n << (e - BigInt(p)));
  }
  return bucket >= BigInt(buckets) ? buckets - 1 : Number(bucket);
}

/** The words of a slot's block, from its beginning. */
function words(area: ReturnType<typeof smallArea>, slot: number, count: number): bigint[] {
  const bytes = bytesOf(area);
  return [...bytes.i64.slice(bytes.blockAt(slot) / 8, bytes.blockAt(slot) / 8 + count)];
}

const counts = (histogram: Histogram): [number, number][] =>
  histogram
    .snapshot()
    .toJSON()
    .counts.map(([bucket, count]) => [bucket, count]);

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test('the entry: kind 13, the precision as its version, 8 bytes for each bucket', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new Histogram('h', { area });
    new Histogram('fine', { area, buckets: 100, precision: 7 });
    const entry = (k: number) =>
      (['kind', 'version', 'size', 'flags', 'offset'] as const).map((f) => bytes.entry(k, f));
    expect(entry(0)).toEqual([KINDS.histogram.number, 2, 1024, 0, 0]);
    expect(entry(1)).toEqual([13, 7, 800, 0, 1024]);
    expect(bytes.header('block_used')).toBe(1024 + 832);
  });

  test.each([{ buckets: 127 }, { buckets: 136 }, { precision: 3 }, { buckets: 256, precision: 1 }])(
    'the same name with %j: EKIND, nothing changed',
    (other) => {
      const area = smallArea(backend);
      new Histogram('h', { area });
      const before = bytesOf(area).snapshot();
      failure('COEXIST_EKIND', () => new Histogram('h', { area, ...other }));
      failure('COEXIST_EKIND', () => new Counter('h', { area }));
      failure('COEXIST_EKIND', () => new PerThread('h', { area, type: 'i64', length: 128 }));
      expect(bytesOf(area).changed(before)).toEqual([]);
    },
  );

  test('each value adds one to the one word of its bucket, and changes nothing else', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const histogram = new Histogram('h', { area });
    // By hand, for precision 2.
    const cases = [
      [0, 0],
      [0.999, 0],
      [1, 1],
      [3, 3],
      [4, 4],
      [7.5, 7],
      [8, 8],
      [9, 8],
      [10, 9],
      [15, 11],
      [16, 12],
      [20, 13],
      [2 ** 31 - 1, 119],
      [2 ** 31, 120],
      [2 ** 32 - 1, 123],
      [2 ** 32, 124],
      [2 ** 33 - 1, 127],
      [2 ** 33, 127],
      [Number.MAX_VALUE, 127],
    ] as const;
    for (const [value, bucket] of cases) {
      const before = bytes.snapshot();
      const at = bytes.blockAt(0) / 8 + bucket;
      const was = bytes.i64[at] as bigint;
      histogram.record(value);
      expect([value, bytes.i64[at]]).toEqual([value, was + 1n]);
      bytes.i64[at] = was;
      expect(bytes.changed(before)).toEqual([]);
      bytes.i64[at] = was + 1n;
    }
    expect(histogram.snapshot().count).toBe(cases.length);
  });

  test.each([0, 1, 2, 5, 10])(
    'precision %i: around every power of two, up to the largest number there is',
    (precision) => {
      const area = smallArea(backend, { blockBytes: 2 ** 17 });
      const buckets = Math.min(1026 * 2 ** precision, 2 ** 14);
      const histogram = new Histogram('h', { area, buckets, precision });
      const expected = new Map<number, number>();
      const record = (value: number): void => {
        const bucket = bucketByClause(value, precision, buckets);
        expected.set(bucket, (expected.get(bucket) ?? 0) + 1);
        histogram.record(value);
      };
      for (let power = 0; power < 1024; power++) {
        const value = 2 ** power;
        for (const near of [
          value,
          value * 1.5,
          value * (1 + 2 ** -precision),
          value * (2 - 2 ** -52),
          value * (1 - 2 ** -53),
        ]) {
          if (near <= Number.MAX_VALUE) record(near);
        }
        if (power <= 52) for (const near of [value - 1, value + 1]) record(near);
      }
      expect(counts(histogram)).toEqual([...expected].sort(([a], [b]) => a - b));
    },
  );

  test('what is no value is refused and counted nowhere', () => {
    const area = smallArea(backend);
    const histogram = new Histogram('h', { area });
    const before = bytesOf(area).snapshot();
    const wrong = [-1, -0.001, -(2 ** -1074), Number.NaN, Infinity, -Infinity, '5', 5n, null, undefined, {}, true];
    for (const value of wrong) {
      expect(failure('COEXIST_EINVAL', () => histogram.record(value as number)).found).toBe(value);
      failure('COEXIST_EINVAL', () => histogram.recordMany(value as number, 1));
    }
    for (const count of [-1, 1.5, Number.NaN, 2 ** 53, '1', 1n]) {
      failure('COEXIST_EINVAL', () => histogram.recordMany(1, count as number));
    }
    expect(bytesOf(area).changed(before)).toEqual([]);
    histogram.record(-0);
    expect(counts(histogram)).toEqual([[0, 1]]);
  });

  test('all blocks below high water are added up, and no other; padding is not counted', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const histogram = new Histogram('h', { area, buckets: 11, precision: 1 });
    new Counter('neighbour', { area }).add(1000);
    for (let slot = 0; slot < 4; slot++) {
      const at = bytes.blockAt(slot) / 8;
      for (let k = 0; k < 16; k++) bytes.i64[at + k] = BigInt((slot + 1) * 100 + k);
    }
    const expected = (water: number): [number, number][] =>
      Array.from({ length: 11 }, (_, k) => [
        k,
        [100, 200, 300, 400].slice(0, water).reduce((sum, n) => sum + n + k, 0),
      ]);
    for (const water of [1, 2, 3, 4]) {
      bytes.setHeader('slot_high_water', water);
      expect(counts(histogram)).toEqual(expected(water));
    }
    // Whatever somebody wrote there.
    bytes.setHeader('slot_high_water', 1000);
    expect(counts(histogram)).toEqual(expected(4));
    const { lib, area: same } = await openIn('a', backend === 'wasm' ? 'twin' : 'wasm', area);
    const other = new lib.Histogram('h', { area: same, buckets: 11, precision: 1 });
    expect(other.snapshot().toJSON()).toEqual(histogram.snapshot().toJSON());
    expect(other.of(2).toJSON().counts[0]).toEqual([0, 300]);
  });

  test('over deaths, reclaims and new owners nothing is lost or counted twice', async () => {
    const area = smallArea(backend, { slots: 2 });
    const histogram = new Histogram('h', { area });
    histogram.record(1);
    const expected = new Map([[1, 1]]);
    for (let round = 1; round <= 3; round++) {
      const actor = await startActor(round === 2 ? 'twin' : backend);
      await actor.run(
        async ({ load, state }, { url, memory, round }) => {
          const { openArea, Histogram } = await load(url);
          const histogram = new Histogram('h', { area: openArea(memory) });
          state['histogram'] = histogram;
          for (let k = 0; k < 1000; k++) histogram.record(4 * round);
          histogram.recordMany(2 ** 40, round);
        },
        { url: copyUrl(round === 1 ? 'a' : 'b', 'core.js'), memory: memoryOf(area), round },
      );
      await kill(actor);
      const bucket = bucketByClause(4 * round, 2, 128);
      expected.set(bucket, (expected.get(bucket) ?? 0) + 1000);
      expected.set(127, (expected.get(127) ?? 0) + round);
      const sorted = [...expected].sort(([a], [b]) => a - b);
      expect(counts(histogram)).toEqual(sorted);
      if (round !== 1) expect(area.reclaim()).toBe(1);
      expect(counts(histogram)).toEqual(sorted);
    }
    // All three in one slot.
    expect(histogram.of(1).count).toBe(3006);
    expect(words(area, 1, 3)).toEqual([0n, 0n, 0n]);
    expect(histogram.own().count).toBe(1);
  });

  test('copies of one thread share its buckets', async () => {
    const area = smallArea(backend);
    const { lib, area: same } = await openIn('b', backend, area);
    const [ours, theirs] = [new Histogram('h', { area }), new lib.Histogram('h', { area: same })];
    ours.record(5);
    theirs.record(5);
    expect([words(area, 0, 6)[5], ours.own().count, theirs.snapshot().count]).toEqual([2n, 2, 2]);
  });

  test('after disposal it counts nothing and is still read', () => {
    const area = smallArea(backend);
    const keep = register({ area });
    const histogram = new Histogram('h', { area });
    histogram.record(5);
    histogram.dispose();
    const before = bytesOf(area).snapshot();
    for (const value of [0, 5, 2 ** 40, -1]) failure('COEXIST_EUNREGISTERED', () => histogram.record(value));
    failure('COEXIST_EUNREGISTERED', () => histogram.recordMany(5, 2));
    failure('COEXIST_EUNREGISTERED', () => histogram.own());
    histogram.dispose();
    histogram[Symbol.dispose]();
    expect(bytesOf(area).changed(before)).toEqual([]);
    expect([histogram.snapshot().count, histogram.of(0).count]).toEqual([1, 1]);
    keep.unregister();
  });
});

test('the owner counts with plain stores where the engine stores 8 bytes at once', () => {
  const area = smallArea('twin');
  const histogram = new Histogram('h', { area });
  const writes = writesOf(area, () => {
    for (const value of [0, 5.5, 2 ** 40]) histogram.record(value);
    histogram.recordMany(7, 3);
  });
  expect(['x64', 'arm64'].includes(process.arch) ? writes.length : 0).toBe(0);
  expect(histogram.snapshot().count).toBe(6);
});
