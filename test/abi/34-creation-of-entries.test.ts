// Clause 34: creation of an entry: creator first, range and fields, state 2 last, waiters woken; given back where the range is
// not to be had.

import { register } from 'coexist';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, memoryOf, openForged, smallArea, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';
import { lines, writesOf } from '../support/writes.js';

const id = ownIdentity();

describe.each(BACKENDS)('%s', (backend) => {
  test('on the first free entry; ranges are rounded up to 64 bytes and follow each other', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const sizes = [1, 63, 64, 65, 128, 1000];
    sizes.forEach((length, k) => void new PerThread(`p${k}`, { type: 'u8', length, area }));
    expect(sizes.map((_, k) => bytes.entry(k, 'offset'))).toEqual([0, 64, 128, 192, 320, 448]);
    expect(sizes.map((_, k) => bytes.entry(k, 'size'))).toEqual(sizes);
    expect(bytes.header('block_used')).toBe(448 + 1024);
    expect(bytes.creator(sizes.length)).toBe(0n);
  });

  test('a library takes no range', () => {
    const area = smallArea(backend);
    register({ area, name: 'lib' });
    expect([bytesOf(area).header('block_used'), bytesOf(area).entry(0, 'offset')]).toEqual([0, 0]);
  });

  test.each([
    [4096, 0],
    [4032, 65],
    [64, 4033],
    [1, 4096],
  ])(
    'a block of which %i bytes are taken has no room for %i more: COEXIST_ENOSPC, the entry is given back',
    (used, more) => {
      const area = smallArea(backend);
      const bytes = bytesOf(area);
      register({ area });
      bytes.setHeader('block_used', Math.ceil(used / 64) * 64);
      bytes.setCreator(0, NO_SUCH_THREAD);
      bytes.setEntry(0, 'state', 1);
      const error = failure('COEXIST_ENOSPC', () => new PerThread('more', { type: 'u8', length: more || 1, area }));
      expect(error.found).toBe(more || 1);
      expect(error.remedy).toContain('COEXIST_BLOCK');
      expect([bytes.creator(0), bytes.entry(0, 'state')]).toEqual([0n, 0]);
      expect([bytes.slot(0, 'refcount'), bytes.header('block_used')]).toEqual([1, Math.ceil(used / 64) * 64]);
      register({ area, name: 'needs no range' });
      expect(bytes.entryName(0)).toBe('library:needs no range');
    },
  );

  test('exactly what is left fits', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new PerThread('most', { type: 'u8', length: 4000, area });
    expect(bytes.header('block_used')).toBe(4032);
    new PerThread('rest', { type: 'u8', length: 64, area });
    expect(bytes.header('block_used')).toBe(4096);
    const before = bytes.snapshot();
    failure('COEXIST_ENOSPC', () => new Counter('one more', { area }));
    expect(bytes.changed(before)).toEqual([]);
  });

  test('threads that create the same name at once make one entry, others one each', async () => {
    const area = smallArea(backend, { slots: 8, blockBytes: 8192 });
    const bytes = bytesOf(area);
    const actors = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const runs = actors.map((actor, k) =>
      actor.run(
        async ({ load }, { url, memory, gate, k }) => {
          const { openArea, Counter } = await load(url);
          const area = openArea(memory);
          Atomics.add(gate, 1, 1);
          Atomics.wait(gate, 0, 0, 10_000);
          for (let n = 0; n < 20; n++) {
            for (const name of [`shared ${n}`, `own ${k} ${n}`]) new Counter(name, { area }).add(1);
          }
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(area), gate, k },
      ),
    );
    await until('all actors wait at the gate', () => Atomics.load(gate, 1) === 3);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await Promise.all(runs);
    const entries = Array.from({ length: 60 + 20 + 1 }, (_, k) => [bytes.entry(k, 'state'), bytes.entryName(k)]);
    expect(entries.pop()).toEqual([0, '']);
    expect(entries.every(([state]) => state === 2)).toBe(true);
    expect(new Set(entries.map(([, name]) => name)).size).toBe(80);
    const offsets = entries.map((_, k) => bytes.entry(k, 'offset'));
    expect(offsets.sort((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, k) => k * 64));
    expect([0, 1, 2].map((k) => new Counter(`shared ${k}`, { area }).sum())).toEqual([3n, 3n, 3n]);
    for (const actor of actors) await actor.terminate();
  });
});

test('the order: creator, range and fields, ready, wake', () => {
  const area = smallArea('twin');
  const bytes = bytesOf(area);
  register({ area });
  const steps = lines(writesOf(area, () => new Counter('ab', { area })));
  const entry = steps.slice(0, steps.findIndex((step) => step.startsWith('wake')) + 1);
  expect(entry[0]).toBe(`entry[0].creator = ${id}`);
  expect(entry.slice(1, 3)).toEqual(['entry[0].state = 1', 'header.block_used = 64']);
  expect(entry.slice(-2, -1)).toEqual(['entry[0].state = 2']);
  expect(entry.at(-1)).toMatch(/^wake entry\[0\]\.state/);
  expect(entry.slice(1, -2)).toEqual(
    expect.arrayContaining([
      'header.block_used = 64',
      'entry[0].kind = 3',
      'entry[0].version = 1',
      'entry[0].size = 8',
      'entry[0].offset = 0',
      'entry[0].flags = 0',
      'entry[0].name_length = 2',
    ]),
  );
  expect(entry.filter((step) => step === 'entry[0].state = 2')).toHaveLength(1);
  expect(bytes.entryName(0)).toBe('ab');
});

test('the order of giving back: state, creator, wake', () => {
  const area = openForged('twin', (bytes) => bytes.setHeader('block_used', 4096));
  register({ area });
  const steps = lines(writesOf(area, () => failure('COEXIST_ENOSPC', () => new Counter('none', { area }))));
  expect(steps[0]).toBe(`entry[0].creator = ${id}`);
  expect(steps.slice(-3)).toEqual([
    'entry[0].state = 0',
    'entry[0].creator = 0',
    expect.stringMatching(/^wake entry\[0\]\.state/),
  ]);
});
