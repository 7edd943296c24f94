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

test('a meter is one registration, under its name, and none after its disposal', () => {
  const area = attach();
  const meter = createMeter({ prefix: 'one' });
  const row = area.inspect().slots.find(({ slot }) => slot === meter.slot);
  expect(row).toMatchObject({ refcount: 1, holders: ['meter'] });
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

test('the Prometheus text is well-formed and says what totals() and threads() say', async () => {
  const meter = createMeter({ prefix: 'text' });
  const actor = await Actor.start();
  await count(actor, 'text', [2 ** 40, 1]);
  meter.count(9);

  const text = meter.prometheus();
  expect(text.endsWith('\n')).toBe(true);
  const types = new Map<string, string>();
  const samples = new Map<string, bigint>();
  const helped = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) \S.*$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/.exec(line);
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{slot="\d+",generation="\d+"\})? (\d+)$/.exec(line);
    expect([help, type, sample].filter(Boolean), line).toHaveLength(1);
    if (help) helped.add(help[1]!);
    if (type) types.set(type[1]!, type[2]!);
    if (sample) {
      expect(types.get(sample[1]!), 'TYPE comes before its samples').toBe('counter');
      expect(helped.has(sample[1]!), 'HELP comes before its samples').toBe(true);
      samples.set(sample[1]! + (sample[2] ?? ''), BigInt(sample[3]!));
    }
  }
  const expected = new Map([
    ['text_files_total', 3n],
    ['text_bytes_total', 2n ** 40n + 10n],
  ]);
  for (const { slot, generation, files, bytes } of meter.threads()) {
    expected.set(`text_thread_files_total{slot="${slot}",generation="${generation}"}`, files);
    expected.set(`text_thread_bytes_total{slot="${slot}",generation="${generation}"}`, bytes);
  }
  expect(samples).toEqual(expected);
  expect(samples.size).toBe(6);
  await actor.terminate();
  meter.dispose();
});

test('a prefix that Prometheus would refuse is refused', () => {
  for (const prefix of ['', '1st', 'a b', 'ä', undefined, null, 5]) {
    expect(() => createMeter({ prefix: prefix as string }), String(prefix)).toThrow(TypeError);
  }
  expect(attach().inspect().slots).toEqual([]);
});
