// Clause 33: entries are used in order, never reused, and what is ready never changes again. (Offsets: tables.test.ts.)

import { register } from 'coexist';
import { ENTRY, ENTRY_BYTES } from 'coexist/abi';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, openIn, smallArea } from '../support/backends.js';
import { ownIdentity } from '../support/threads.js';

const NUMBERS = ['state', 'kind', 'version', 'size', 'offset', 'flags', 'name_length'] as const;

describe.each(BACKENDS)('%s', (backend) => {
  const row = (bytes: ReturnType<typeof bytesOf>, k: number) => [
    bytes.creator(k),
    ...NUMBERS.map((name) => bytes.entry(k, name)),
    bytes.entryName(k),
  ];

  test('what each kind of object writes, in order of creation', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    register({ area, name: 'my-lib' });
    new Counter('http/requests', { area });
    const { lib, area: same } = await openIn('b', backend, area);
    new lib.PerThread('spans', { type: 'f64', length: 5, version: 3, area: same });
    new PerThread('fresh', { type: 'u16', length: 7, fresh: true, area });
    new Counter('ünïcödé ☃ 𝄞', { area });
    const id = ownIdentity();
    expect([0, 1, 2, 3, 4].map((k) => row(bytes, k))).toEqual([
      [id, 2, 1, 0, 0, 0, 0, 14, 'library:my-lib'],
      [id, 2, 3, 1, 8, 0, 0, 13, 'http/requests'],
      [id, 2, 2, 3, 40, 64, 0, 5, 'spans'],
      [id, 2, 2, 1, 22, 128, 1, 5, 'fresh'],
      [id, 2, 3, 1, 8, 192, 0, 20, 'ünïcödé ☃ 𝄞'],
    ]);
    expect(row(bytes, 5)).toEqual([0n, 0, 0, 0, 0, 0, 0, 0, '']);
    expect(bytes.header('block_used')).toBe(256);
  });

  test('names of 1 and of 80 bytes fill the field, and nothing beyond', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new Counter('x', { area });
    new Counter('é'.repeat(40), { area });
    const name = (k: number): number[] => [
      ...bytes.u8.slice(bytes.entryAt(k) + ENTRY.name.offset, bytes.entryAt(k) + ENTRY_BYTES),
    ];
    expect(name(0)).toEqual([120, ...Array(79).fill(0)]);
    expect([bytes.entry(1, 'name_length'), bytes.entryName(1)]).toEqual([80, 'é'.repeat(40)]);
    expect(name(1)).toEqual(Array(40).fill([0xc3, 0xa9]).flat());
  });

  test('an entry is written whole over whatever a reserved place held', () => {
    const area = openForged(backend, (bytes) => {
      bytes.u8.fill(0xee, bytes.entryAt(0) + 12, bytes.entryAt(0) + 36);
      bytes.u8.fill(0xee, bytes.entryAt(0) + 48, bytes.entryAt(0) + 128);
    });
    const bytes = bytesOf(area);
    new Counter('c', { area });
    expect(row(bytes, 0)).toEqual([ownIdentity(), 2, 3, 1, 8, 0, 0, 1, 'c']);
    expect(bytes.u8.slice(bytes.entryAt(0) + 49, bytes.entryAt(0) + 128).every((byte) => byte === 0)).toBe(true);
  });

  test('entries outlive their creators’ registrations, and are found, not made again', async () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const counter = new Counter('kept', { area, holder: 'lib' });
    counter.dispose();
    const before = bytes.snapshot();
    for (const copy of ['a', 'b'] as const) {
      const { lib, area: same } = await openIn(copy, backend, area);
      new lib.Counter('kept', { area: same, holder: 'lib' }).dispose();
    }
    new Counter('kept', { area }).dispose();
    expect(bytes.changed(before).filter((name) => /^entry|block_used/.test(name))).toEqual([]);
    expect(bytes.creator(2)).toBe(0n);
  });

  test('a ready entry is read at its place, whoever wrote it', () => {
    const area = openForged(backend, (bytes) => {
      bytes.setCreator(0, 5n);
      bytes.setEntry(0, 'kind', 3);
      bytes.setEntry(0, 'version', 1);
      bytes.setEntry(0, 'size', 8);
      bytes.setEntry(0, 'offset', 1024);
      bytes.setEntryName(0, 'foreign');
      bytes.setEntry(0, 'state', 2);
      bytes.setHeader('block_used', 1088);
      for (const i of [0, 1]) bytes.i64[(bytes.blockAt(i) + 1024) / 8] = 100n;
      bytes.setHeader('slot_high_water', 2);
    });
    const counter = new Counter('foreign', { area });
    counter.add(1);
    expect(counter.sum()).toBe(201n);
    expect(bytesOf(area).i64[(bytesOf(area).blockAt(0) + 1024) / 8]).toBe(101n);
  });
});
