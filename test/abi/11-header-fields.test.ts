// Clause 11: what a creator writes into the header, and which fields move afterwards.

import { type Area, createArea, register } from 'coexist';
import { HEADER } from 'coexist/abi';
import { Counter } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf, type HeaderName } from '../support/area-bytes.js';
import { BACKENDS, on, registerIn, smallArea, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';

const fields = (area: Area): Record<string, number> => {
  const bytes = bytesOf(area);
  return Object.fromEntries(Object.keys(HEADER).map((name) => [name, bytes.header(name as HeaderName)]));
};

describe.each(BACKENDS)('%s', (backend) => {
  test('the defaults', () => {
    const area = on(backend, () => createArea());
    const header = fields(area);
    const directory = 4096 + 1024 * 128;
    expect(header).toEqual({
      magic: 0x51455352,
      abi_major: 1,
      feature_size: 64,
      state: 2,
      area_id: area.id,
      conflict: 0,
      slot_offset: 4096,
      slot_stride: 128,
      slot_capacity: 1024,
      slot_high_water: 0,
      block_offset: 8 * 2 ** 20,
      block_stride: 16384,
      directory_offset: directory,
      directory_capacity: 1024,
      heap_offset: directory + 1024 * 128,
      heap_size: expect.any(Number),
      reserved: 0,
      heap_used: 0,
      block_used: 0,
      slot_hint: 0,
      header_feature_size: 84,
    });
    expect(header['heap_offset']! + header['heap_size']!).toBeLessThanOrEqual(header['block_offset']!);
    expect(area.buffer.byteLength).toBe(24 * 2 ** 20);
    // Everything behind the header starts as zeros.
    expect(new Uint8Array(area.buffer).subarray(4096).every((byte) => byte === 0)).toBe(true);
  });

  test.each([
    [{ slots: 1, blockBytes: 4096, heapBytes: 0 }],
    [{ slots: 3, blockBytes: 8192, heapBytes: 1 }],
    [{ slots: 16384, blockBytes: 4096, heapBytes: 100_000 }],
  ])('with %o the parts are aligned, in bounds, and do not overlap', (options) => {
    const area = on(backend, () => createArea(options));
    const h = fields(area) as Record<HeaderName, number>;
    expect([h.slot_capacity, h.block_stride]).toEqual([options.slots, options.blockBytes]);
    expect([h.slot_offset % 128, h.block_offset % 4096, h.directory_offset % 128, h.heap_offset % 64]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(h.heap_size).toBeGreaterThanOrEqual(options.heapBytes);
    const parts = [
      [0, 4096],
      [h.slot_offset, h.slot_capacity * h.slot_stride],
      [h.directory_offset, h.directory_capacity * 128],
      [h.heap_offset, h.heap_size],
      [h.block_offset, h.slot_capacity * h.block_stride],
      [area.buffer.byteLength, 0],
    ].sort(([a], [b]) => (a as number) - (b as number)) as [number, number][];
    for (let k = 1; k < parts.length; k++)
      expect(parts[k]![0]).toBeGreaterThanOrEqual(parts[k - 1]![0] + parts[k - 1]![1]);
  });

  test('bounds of a creator', () => {
    const bad = [
      { slots: 0 },
      { slots: 16385 },
      { slots: 1.5 },
      { slots: Number.NaN },
      { blockBytes: 2048 },
      { blockBytes: 4097 },
      { blockBytes: 12288 },
      { blockBytes: 0 },
      { heapBytes: -1 },
    ];
    for (const options of bad) {
      const { found } = failure('COEXIST_EINVAL', () => on(backend, () => createArea(options)));
      expect(found).toBe(Object.values(options)[0]);
    }
  });

  test('ids are random and never 0', () => {
    const ids = Array.from({ length: 50 }, () => smallArea(backend).id);
    expect(new Set(ids).size).toBe(50);
    expect(ids).not.toContain(0);
  });

  test('only conflict, high water, the two used words and the hint ever change', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const before = bytes.snapshot();
    const actor = await startActor(backend);
    register({ area });
    await registerIn(actor, area, { name: 'named' });
    new Counter('counted', { area }).add(1);
    await actor.terminate();
    const moved = bytes.changed(before).filter((name) => name.startsWith('header.'));
    expect(moved).toEqual(['header.slot_high_water', 'header.block_used', 'header.slot_hint']);
    expect([bytes.header('slot_high_water'), bytes.header('block_used'), bytes.header('slot_hint')]).toEqual([
      2, 64, 2,
    ]);
  });

  test('high water is the highest slot ever claimed plus one, and never decreases', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const water: number[] = [];
    const first = register({ area });
    water.push(bytes.header('slot_high_water'));
    const actor = await startActor(backend);
    await registerIn(actor, area);
    water.push(bytes.header('slot_high_water'));
    first.unregister();
    await actor.terminate();
    water.push(bytes.header('slot_high_water'));
    register({ area }).unregister();
    water.push(bytes.header('slot_high_water'));
    expect(water).toEqual([1, 2, 2, 2]);
  });
});
