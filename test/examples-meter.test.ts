// The example library meter: counts per thread and in total, exact across deaths, as Prometheus text.

import { attach } from 'coexist';
import { afterEach, expect, test } from 'vitest';
import type * as meterModule from '../examples/meter/index.js';
import { createMeter } from '../examples/meter/index.js';
import { Actor, until } from './support/actor.js';
import { exampleUrl } from './support/examples.js';

const url = exampleUrl('meter/index.js');

// The workers of a test are dead by its end.
afterEach(() => {
  attach().reclaim();
});

/** Counts in a worker; returns its slot. */
const count = async (actor: Actor, prefix: string, sizes: number[]): Promise<number> =>
  actor.run(
    async ({ load, state }, args) => {
      const { createMeter } = await load<typeof meterModule>(args.url);
      state['meter'] ??= createMeter({ prefix: args.prefix });
      const meter = state['meter'] as meterModule.Meter;
      for (const size of args.sizes) meter.count(size);
      return meter.slot;
    },
    { url, prefix, sizes },
  );

test('counts are read per thread and in total, by any thread', async () => {
  const meter = createMeter({ prefix: 'read' });
  const actors = [await Actor.start(), await Actor.start()] as const;
  const slots = [await count(actors[0], 'read', [10, 20]), await count(actors[1], 'read', [5])];
  meter.count(100);
  expect(meter.totals()).toEqual({ files: 4n, bytes: 135n });
  const bySlot = new Map(meter.threads().map((row) => [row.slot, [row.files, row.bytes]]));
  expect(bySlot).toEqual(
    new Map([
      [meter.slot, [1n, 100n]],
      [slots[0], [2n, 30n]],
      [slots[1], [1n, 5n]],
    ]),
  );
  for (const actor of actors) await actor.terminate();
  meter.dispose();
});

test('a meter registers its four objects under its name, and none after its disposal', () => {
  const area = attach();
  const meter = createMeter({ prefix: 'one' });
  const row = area.inspect().slots.find(({ slot }) => slot === meter.slot);
  expect(row).toMatchObject({ refcount: 4, holders: ['meter'] });
  meter.count(7);
  meter.dispose();
  expect(area.inspect().slots).toEqual([]);
  expect(() => meter.count(1)).toThrow(expect.objectContaining({ code: 'COEXIST_EUNREGISTERED' }));
  expect(meter.totals()).toEqual({ files: 1n, bytes: 7n });
});

test('totals stay exact when a thread is terminated, and the next owner of its slot has a share of its own', async () => {
  const area = attach();
  const meter = createMeter({ prefix: 'death' });
  const first = await Actor.start();
  const slot = await count(first, 'death', [1, 2, 3]);
  await first.terminate();
  expect(meter.threads().find((row) => row.slot === slot)).toMatchObject({ files: 3n, bytes: 6n });
  await until('the slot is reclaimed', () => {
    area.reclaim();
    return area.inspect().slots.every((row) => row.slot !== slot);
  });

  const second = await Actor.start();
  expect(await count(second, 'death', [10])).toBe(slot);
  const rows = meter.threads().filter((row) => row.slot === slot);
  expect(rows).toMatchObject([{ files: 1n, bytes: 10n }]);
  expect(meter.totals()).toEqual({ files: 4n, bytes: 16n });
  await second.terminate();
  meter.dispose();
});

test('the Prometheus text is well-formed and says what totals(), sizes() and threads() say', async () => {
  const meter = createMeter({ prefix: 'text' });
  const actor = await Actor.start();
  const sizes = [2 ** 40, 1, 255, 256, 1023, 1024, 70_000, 2 ** 32 - 1, 2 ** 32];
  const earliest = Date.now() / 1000;
  const slot = await count(actor, 'text', sizes);
  meter.count(9);

  const { types, samples } = parse(meter.prometheus());
  const all = [...sizes, 9];
  const bytes = all.reduce((sum, size) => sum + size, 0);
  expect(Object.fromEntries(types)).toEqual({
    text_file_bytes: 'histogram',
    text_files_total: 'counter',
    text_bytes_total: 'counter',
    text_thread_files_total: 'counter',
    text_thread_bytes_total: 'counter',
    text_thread_last_file_timestamp_seconds: 'gauge',
  });
  const expected = new Map([
    ['text_files_total', 10],
    ['text_bytes_total', bytes],
    ['text_file_bytes_sum', bytes],
    ['text_file_bytes_count', 10],
    ['text_file_bytes_bucket{le="+Inf"}', 10],
  ]);
  for (let bound = 256; bound <= 2 ** 32; bound *= 4) {
    // Exact, though the histogram's buckets are wide: the values are integers, and the bounds are bounds of buckets.
    const most = bound - 1;
    expected.set(`text_file_bytes_bucket{le="${most}"}`, all.filter((size) => size <= most).length);
  }
  for (const { slot, generation, files, bytes } of meter.threads()) {
    expected.set(`text_thread_files_total{slot="${slot}",generation="${generation}"}`, Number(files));
    expected.set(`text_thread_bytes_total{slot="${slot}",generation="${generation}"}`, Number(bytes));
  }
  const times = [...samples].filter(([name]) => name.startsWith('text_thread_last_file'));
  expect(new Map([...samples].filter(([name]) => !name.startsWith('text_thread_last_file')))).toEqual(expected);
  expect(expected.size).toBe(5 + 13 + 4);
  expect(times).toHaveLength(2);
  for (const [, time] of times) {
    expect(time).toBeGreaterThanOrEqual(earliest);
    expect(time).toBeLessThanOrEqual(Date.now() / 1000);
  }

  await actor.terminate();
  const of = (name: string): string[] =>
    [...parse(meter.prometheus()).samples.keys()].filter((key) => key.startsWith(`${name}{slot="${slot}"`));
  await until(
    'the dead thread has no last file any more',
    () => of('text_thread_last_file_timestamp_seconds').length === 0,
  );
  expect(of('text_thread_files_total'), 'its share is still there').toHaveLength(1);
  meter.dispose();
});

/** Samples by name and labels; fails where a line is not of the text exposition format, or where a family is out of order. */
function parse(text: string): { types: Map<string, string>; samples: Map<string, number> } {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  const helped = new Set<string>();
  let family = '';
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.trimEnd().split('\n')) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    const sample =
      /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{slot="\d+",generation="\d+"\}|\{le="(?:\d+|\+Inf)"\})? (\d+(?:\.\d+)?)$/.exec(
        line,
      );
    expect([help, type, sample].filter(Boolean), line).toHaveLength(1);
    if (help) {
      expect(helped.has(help[1]!), 'one HELP for each family').toBe(false);
      helped.add(help[1]!);
    }
    if (type) {
      expect(helped.has(type[1]!), 'HELP comes before TYPE').toBe(true);
      family = type[1]!;
      types.set(family, type[2]!);
    }
    if (sample) {
      const suffixes = types.get(family) === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      expect(
        suffixes.map((suffix) => family + suffix),
        'samples follow their TYPE',
      ).toContain(sample[1]);
      expect(samples.has(sample[1]! + (sample[2] ?? '')), line).toBe(false);
      samples.set(sample[1]! + (sample[2] ?? ''), Number(sample[3]));
    }
  }
  return { types, samples };
}

test('what is no size is refused and counted nowhere', () => {
  const meter = createMeter({ prefix: 'wrong' });
  for (const bytes of [-1, 1.5, Number.NaN, 2 ** 53, '1', undefined]) {
    expect(() => meter.count(bytes as number), String(bytes)).toThrow(RangeError);
  }
  expect(meter.totals()).toEqual({ files: 0n, bytes: 0n });
  meter.count(1000);
  expect(meter.sizes()).toMatchObject({ count: 1, min: 896, max: 1023 });
  meter.dispose();
});

test('a prefix that Prometheus would refuse is refused', () => {
  for (const prefix of ['', '1st', 'a b', 'ä', undefined, null, 5]) {
    expect(() => createMeter({ prefix: prefix as string }), String(prefix)).toThrow(TypeError);
  }
  expect(attach().inspect().slots).toEqual([]);
});
