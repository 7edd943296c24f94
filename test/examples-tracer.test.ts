// The example library tracer: the last spans of each thread, whole or not at all, also when their thread died.

import { attach } from 'coexist';
import { afterEach, expect, test } from 'vitest';
import type * as tracerModule from '../examples/tracer/index.js';
import { createTracer, type Tracer } from '../examples/tracer/index.js';
import { capacityFor } from '../examples/tracer/layout.js';
import { Actor, until } from './support/actor.js';
import { exampleUrl } from './support/examples.js';

const url = exampleUrl('tracer/index.js');

// The workers of a test are dead by its end.
afterEach(() => {
  attach().reclaim();
});

function clock(): () => number {
  let now = 0;
  return () => now++;
}

const ownSpans = (tracer: Tracer): tracerModule.Span[] =>
  tracer.threads().findLast(({ slot }) => slot === tracer.slot)?.spans ?? [];

test('a thread keeps its last spans, oldest first; last() has the latest of all threads first', () => {
  const tracer = createTracer({ name: 'order', size: 4, now: clock() });
  for (let k = 0; k < 10; k++) tracer.start(`span ${k}`).end();
  expect(ownSpans(tracer).map(({ sequence, name, start, duration }) => [sequence, name, start, duration])).toEqual([
    [6, 'span 6', 12, 1],
    [7, 'span 7', 14, 1],
    [8, 'span 8', 16, 1],
    [9, 'span 9', 18, 1],
  ]);
  expect(tracer.last(2)).toMatchObject([
    { slot: tracer.slot, sequence: 9 },
    { slot: tracer.slot, sequence: 8 },
  ]);
  tracer.dispose();
});

test('a span is open until it ends, once; one that was overwritten ends without a trace', () => {
  const tracer = createTracer({ name: 'open', size: 2, now: clock() });
  const first = tracer.start('first');
  expect(ownSpans(tracer)).toMatchObject([{ name: 'first', start: 0, duration: undefined }]);
  const second = tracer.start('second');
  first.end();
  first.end();
  expect(ownSpans(tracer)).toMatchObject([{ duration: 2 }, { name: 'second', duration: undefined }]);
  const [third] = [tracer.start('third'), tracer.start('fourth')];
  second.end();
  expect(ownSpans(tracer)).toMatchObject([
    { name: 'third', duration: undefined },
    { name: 'fourth', duration: undefined },
  ]);
  third?.end();
  expect(ownSpans(tracer).map(({ duration }) => duration === undefined)).toEqual([false, true]);
  tracer.dispose();
});

test('long names are cut between characters, and told apart by their hash', () => {
  const tracer = createTracer({ name: 'names', size: 4 });
  const long = 'ä'.repeat(30);
  tracer.start(`x${long}1`).end();
  tracer.start(`x${long}2`).end();
  const [one, two] = ownSpans(tracer);
  expect(one?.name).toBe(`x${'ä'.repeat(21)}`);
  expect(two?.name).toBe(one?.name);
  expect(two?.nameHash).not.toBe(one?.nameHash);
  tracer.dispose();
});

test('the last spans are kept whatever ends between them, and an older one ends without a trace', () => {
  for (const size of [1, 3, 16]) {
    const tracer = createTracer({ name: `kept ${size}`, size, now: clock() });
    const long = 'n'.repeat(100);
    for (let round = 0; round < 20; round++) {
      // All open at once, ended when as many others have begun: as many records as there can be.
      const spans = Array.from({ length: size }, () => tracer.start(long));
      const rest = Array.from({ length: size - 1 }, () => tracer.start(long));
      for (const span of [...spans, ...rest].reverse()) span.end();
      expect(ownSpans(tracer).length).toBe(size);
      const newest = 2 * size * (round + 1) - 2 - round;
      expect(ownSpans(tracer).map(({ sequence, duration }) => [sequence, duration !== undefined])).toEqual(
        Array.from({ length: size }, (_, k) => [newest - size + 1 + k, true]),
      );
    }
    tracer.dispose();
  }
});

test('two tracers of one name in one thread, as two copies would make them, keep their spans apart', () => {
  const tracers = [createTracer({ name: 'twice', size: 8 }), createTracer({ name: 'twice', size: 8 })];
  const spans = tracers.map((tracer, k) => tracer.start(`of ${k}`));
  spans[1]?.end();
  for (const tracer of tracers) {
    expect(ownSpans(tracer).map(({ name, duration }) => [name, duration === undefined])).toEqual([
      ['of 0', true],
      ['of 1', false],
    ]);
    tracer.dispose();
  }
});

test('while a thread writes, and after it was terminated in the middle, a reader takes whole spans only', async () => {
  const tracer = createTracer({ name: 'race', size: 8 });
  const actor = await Actor.start();
  const slot = await actor.run(
    async ({ load, state }, args) => {
      const { createTracer } = await load<typeof tracerModule>(args.url);
      // Every field follows from the sequence number: span k starts at 1000 k and takes k.
      let calls = 0;
      const now = (): number => {
        const k = calls >> 1;
        return 1000 * k + (calls++ & 1) * k;
      };
      state['tracer'] = createTracer({ name: 'race', size: 8, now });
      return (state['tracer'] as Tracer).slot;
    },
    { url },
  );
  actor.post(({ state }) => {
    const own = state['tracer'] as Tracer;
    for (let k = 0; ; k++) own.start(`span ${k}`).end();
  });

  const check = (): number => {
    const row = tracer.threads().find((each) => each.slot === slot);
    for (const { sequence, name, start, duration } of row?.spans ?? []) {
      if (name !== `span ${sequence}` || start !== 1000 * sequence || (duration ?? sequence) !== sequence) {
        throw new Error(`torn: ${JSON.stringify({ sequence, name, start, duration })}`);
      }
    }
    return row?.spans.length ?? 0;
  };
  let seen = 0;
  await until('20000 spans are read', () => {
    for (let reads = 0; reads < 200; reads++) seen += check();
    return seen > 20_000;
  });
  await actor.terminate();
  expect(check()).toBe(8);
  tracer.dispose();
});

test('the open span of a dead thread tells what it was doing, also when the slot has another owner', async () => {
  const area = attach();
  const tracer = createTracer({ name: 'dead', size: 4 });
  const trace = async (actor: Actor, name: string): Promise<number> =>
    actor.run(
      async ({ load }, args) => {
        const { createTracer } = await load<typeof tracerModule>(args.url);
        const own = createTracer({ name: 'dead', size: 4 });
        own.start(args.name);
        return own.slot;
      },
      { url, name },
    );
  const namesIn = (slot: number): (readonly (string | undefined)[])[] =>
    tracer
      .threads()
      .filter((row) => row.slot === slot)
      .map(({ spans }) => spans.map(({ name, duration }) => (duration === undefined ? name : undefined)));

  const first = await Actor.start();
  const slot = await trace(first, 'its last work');
  await first.terminate();
  expect(namesIn(slot)).toEqual([['its last work']]);
  await until('the slot is reclaimed', () => {
    area.reclaim();
    return area.inspect().slots.every((row) => row.slot !== slot);
  });
  expect(namesIn(slot)).toEqual([['its last work']]);
  const second = await Actor.start();
  expect(await trace(second, 'other work')).toBe(slot);
  expect(namesIn(slot)).toEqual([['its last work'], ['other work']]);
  await second.terminate();
  tracer.dispose();
});

test('a tracer is one registration, under its name; threads must agree on the size', () => {
  const tracer = createTracer({ name: 'size', size: 4 });
  const [row] = attach().inspect().slots;
  expect(row).toMatchObject({ slot: tracer.slot, refcount: 1, holders: ['tracer'] });
  expect(capacityFor(4)).not.toBe(capacityFor(40));
  expect(() => createTracer({ name: 'size', size: 40 })).toThrow(expect.objectContaining({ code: 'COEXIST_EKIND' }));
  expect(() => createTracer({ size: 0 })).toThrow(RangeError);
  tracer.dispose();
  expect(attach().inspect().slots).toEqual([]);
});
