// The library and code that was written from docs/ABI.md alone count in the same buckets and see the same gauges, in one thread and
// across threads and deaths (clauses 58 and 59).

import { describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor, until } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { kill } from '../support/threads.js';
import type * as independent from './implementation.js';
import { open } from './implementation.js';
import * as metrics from './metrics.js';

const lib = (await import(copyUrl('a', 'core.js'))) as typeof core;
const urls = {
  library: copyUrl('b', 'core.js'),
  independent: new URL('./implementation.js', import.meta.url).href,
  metrics: new URL('./metrics.js', import.meta.url).href,
};

/** Counts and sets in a worker, with the one or the other. */
const count = (actor: Actor, user: string, memory: unknown, values: number[], level: number): Promise<void> =>
  actor.run(
    async ({ load, state }, { urls, user, memory, values, level }) => {
      if (user === 'library') {
        const { Gauge, Histogram, openArea } = await load(urls.library);
        const area = openArea(memory as core.AreaValue);
        const parts = [new Histogram('sizes', { area }), new Gauge('level', { area })] as const;
        for (const value of values) parts[0].record(value);
        parts[1].set(level);
        state['parts'] = parts;
      } else {
        const { open } = await load<typeof independent>(urls.independent);
        const { gauge, histogram } = await load<typeof metrics>(urls.metrics);
        const area = open(memory);
        const parts = [histogram('sizes', {}, area), gauge('level', area)] as const;
        for (const value of values) parts[0].record(value);
        parts[1].set(level);
        state['parts'] = parts;
      }
    },
    { urls, user, memory, values, level },
  );

describe.each([0, 2, 10])('precision %i', (precision) => {
  test('either puts every value into the same bucket', () => {
    const area = lib.createArea({ slots: 2, blockBytes: 2 ** 16 });
    const options = { buckets: 3000, precision };
    const ours = new lib.Histogram('h', { area, ...options });
    const theirs = metrics.histogram('h', options, open(area.memory));
    const values = [0, 0.5, 1, 1.5, Number.MAX_VALUE];
    for (let power = 1; power < 60; power++) {
      for (const value of [2 ** power, 2 ** power * 1.75, 2 ** power * (1 - 2 ** -53)]) values.push(value);
    }
    for (const value of values) {
      const before = theirs.counts();
      ours.record(value);
      const between = theirs.counts();
      theirs.record(value);
      const changed = (from: bigint[], to: bigint[]): number[] =>
        from.flatMap((was, k) => (to[k] === was + 1n ? [k] : to[k] === was ? [] : [-1]));
      expect([value, changed(before, between)]).toEqual([value, changed(between, theirs.counts())]);
      expect(changed(before, between)).toHaveLength(1);
    }
    expect(ours.snapshot().count).toBe(2 * values.length);
    ours.dispose();
    theirs.dispose();
    expect(area.inspect().slots).toEqual([]);
  });
});

test.each([
  ['library', 'independent'],
  ['independent', 'library'],
])('a thread with the %s dies, another with the %s takes its slot over', async (first, second) => {
  const area = lib.createArea({ slots: 2 });
  const histogram = new lib.Histogram('sizes', { area });
  const gauge = new lib.Gauge('level', { area });
  const theirs = {
    histogram: metrics.histogram('sizes', {}, open(area.memory)),
    gauge: metrics.gauge('level', open(area.memory)),
  };
  gauge.set(-1.5);
  const levels = (): number[][] => gauge.values().map(({ slot, generation, value }) => [slot, generation, value]);
  const theirLevels = (): number[][] =>
    theirs.gauge.values().map(({ slot, generation, value }) => [slot, generation, value]);

  const one = await Actor.start();
  await count(one, first, area.memory, [5, 100, 100], 7);
  for (const seen of [levels(), theirLevels()]) {
    expect(seen).toEqual([
      [0, 1, -1.5],
      [1, 1, 7],
    ]);
  }
  await kill(one);
  for (const seen of [levels(), theirLevels()]) expect(seen).toEqual([[0, 1, -1.5]]);

  const two = await Actor.start();
  await count(two, second, area.memory, [100, 2 ** 40], 0.25);
  for (const seen of [levels(), theirLevels()]) {
    expect(seen).toEqual([
      [0, 1, -1.5],
      [1, 2, 0.25],
    ]);
  }
  expect(histogram.snapshot().buckets()).toEqual([
    { lower: 5, upper: 6, count: 1 },
    { lower: 96, upper: 112, count: 3 },
    { lower: 7 * 2 ** 30, upper: Infinity, count: 1 },
  ]);
  const counts = theirs.histogram.counts();
  expect(counts.reduce((sum, here) => sum + here, 0n)).toBe(5n);
  expect(histogram.snapshot().toJSON().counts).toEqual(
    counts.flatMap((here, bucket) => (here === 0n ? [] : [[bucket, Number(here)]])),
  );
  await two.terminate();
  await until('the dead thread’s level is gone', () => levels().length === 1);
  for (const part of [histogram, gauge, theirs.histogram, theirs.gauge]) part.dispose();
});

test('each refuses what the other made otherwise', () => {
  const area = lib.createArea({ slots: 1 });
  const theirArea = open(area.memory);
  metrics.histogram('h', { precision: 3 }, theirArea);
  metrics.gauge('g', theirArea);
  const refused = expect.objectContaining({ code: 'COEXIST_EKIND' });
  expect(() => new lib.Histogram('h', { area })).toThrow(refused);
  expect(() => new lib.Histogram('g', { area })).toThrow(refused);
  expect(() => new lib.Gauge('h', { area })).toThrow(refused);
  new lib.Histogram('ours', { area, buckets: 64 });
  expect(() => metrics.histogram('ours', {}, theirArea)).toThrow(refused);
});
