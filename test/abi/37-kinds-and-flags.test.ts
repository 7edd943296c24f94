// Clause 37: the kinds and the one flag, and the heap that locks take their room from. (The table is compared in tables.test.ts.)

import { type Area, register } from 'coexist';
import { FLAG_STAMPED, KINDS, LIBRARY_PREFIX, STAMP_BYTES } from 'coexist/abi';
import { Counter, PerThread } from 'coexist/percpu';
import { Barrier, Condvar, Mutex, Once, RwLock, Semaphore } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';

const FIELDS = ['kind', 'version', 'size', 'offset', 'flags'] as const;
const shape = (bytes: AreaBytes, k: number): number[] => FIELDS.map((name) => bytes.entry(k, name));

type Make = (name: string, area: Area, holders?: number) => unknown;
/** Kind, number, bytes without rows, bytes of a row. */
const LOCKS: [string, number, number, number, Make][] = [
  ['mutex', 4, 16, 0, (name, area) => new Mutex(name, { area })],
  ['rwlock', 5, 64, 16, (name, area, holders) => new RwLock(name, { area, holders })],
  ['once', 6, 8, 0, (name, area) => new Once(name, { area })],
  ['condvar', 7, 16, 0, (name, area) => new Condvar(name, { area })],
  ['semaphore', 8, 64, 16, (name, area, holders) => new Semaphore(name, { area, holders, permits: 1 })],
  ['barrier', 9, 64, 16, (name, area, holders) => new Barrier(name, { area, holders, parties: 1 })],
];

describe.each(BACKENDS)('%s', (backend) => {
  test.each(LOCKS)(
    '%s: kind %i, version 1, %i bytes and %i for each holder, in the heap',
    (_, kind, bytes, each, make) => {
      const area = smallArea(backend, { heapBytes: 4096, slots: 7 });
      const memory = bytesOf(area);
      make('as many holders as slots', area);
      make('five', area, 5);
      const heap = memory.header('heap_offset');
      const first = bytes + 7 * each;
      const rounded = Math.ceil(first / 64) * 64;
      expect(shape(memory, 0)).toEqual([kind, 1, first, heap, 0]);
      expect(shape(memory, 1)).toEqual([kind, 1, bytes + 5 * each, heap + rounded, 0]);
      expect([memory.header('heap_used'), memory.header('block_used')]).toEqual([
        rounded + Math.ceil((bytes + 5 * each) / 64) * 64,
        0,
      ]);
    },
  );

  test.each(LOCKS)(
    '%s: a heap without room for it is COEXIST_ENOSPC, and the entry is given back',
    (_, __, bytes, each, make) => {
      const size = bytes + 4 * each;
      const rounded = Math.ceil(size / 64) * 64;
      for (const [heap, used] of [
        [0, 0],
        [rounded - 64, 0],
        [512, 512],
        [512, 512 - rounded + 64],
      ] as const) {
        const area = openForged(backend, (memory) => memory.setHeader('heap_used', used), { heapBytes: heap });
        register({ area });
        const memory = bytesOf(area);
        const before = memory.snapshot();
        const error = failure('COEXIST_ENOSPC', () => make('none', area));
        expect([error.found, error.expected]).toEqual([size, 'room in the directory, in the blocks and in the heap']);
        expect(error.message).toContain(`${size} bytes do not fit into what is left of the ${heap} bytes of the heap`);
        expect([memory.creator(0), memory.entry(0, 'state'), memory.header('heap_used')]).toEqual([0n, 0, used]);
        expect(memory.changed(before).filter((name) => !name.startsWith('entry[0]'))).toEqual([]);
      }
      const area = openForged(backend, (memory) => memory.setHeader('heap_used', 512 - rounded), { heapBytes: 512 });
      make('just fits', area);
      expect(bytesOf(area).header('heap_used')).toBe(512);
    },
  );

  test('one name is one kind: every other is COEXIST_EKIND, nothing changed', () => {
    const area = smallArea(backend, { heapBytes: 4096 });
    LOCKS.forEach(([kind, , , , make]) => void make(kind, area));
    const memory = bytesOf(area);
    const before = memory.snapshot();
    for (const [kind] of LOCKS) {
      for (const [other, , , , make] of LOCKS) {
        if (other === kind) expect(() => make(kind, area)).not.toThrow();
        else
          expect(failure('COEXIST_EKIND', () => make(kind, area)).message).toContain(
            `has kind ${kind}, expected ${other}`,
          );
      }
      failure('COEXIST_EKIND', () => new Counter(kind, { area }));
      failure('COEXIST_EINVAL', () => new Mutex('', { area }));
    }
    expect(memory.changed(before).filter((name) => !/^(slot|header.slot)/.test(name))).toEqual([]);
  });

  test('library: its prefixed name, version 0, size 0, offset 0, no range', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new Counter('takes a range first', { area });
    register({ area, name: 'my-lib' });
    expect([bytes.entryName(1), ...shape(bytes, 1)]).toEqual([
      `${LIBRARY_PREFIX}my-lib`,
      KINDS.library.number,
      0,
      0,
      0,
      0,
    ]);
    expect(bytes.header('block_used')).toBe(64);
  });

  test('counter: one 64-bit cell, version 1, in every block', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    new Counter('c', { area }).add(5);
    expect(shape(bytes, 0)).toEqual([KINDS.counter.number, 1, 8, 0, 0]);
    expect(bytes.i64[bytes.blockAt(0) / 8]).toBe(5n);
  });

  test('key: version and size are its user’s; stamped, the content starts 8 bytes into the range', () => {
    const area = smallArea(backend);
    const bytes = bytesOf(area);
    const plain = new PerThread('plain', { type: 'u32', length: 3, version: 0xffff, area });
    const stamped = new PerThread('stamped', { type: 'u32', length: 3, version: 0, fresh: true, area });
    expect([shape(bytes, 0), shape(bytes, 1)]).toEqual([
      [KINDS.key.number, 0xffff, 12, 0, 0],
      [KINDS.key.number, 0, 12 + STAMP_BYTES, 64, FLAG_STAMPED],
    ]);
    expect([plain.base * 4, stamped.base * 4]).toEqual([bytes.blockAt(0), bytes.blockAt(0) + 64 + STAMP_BYTES]);
    plain.own[0] = 11;
    stamped.own[0] = 22;
    expect([
      bytes.u32[bytes.blockAt(0) / 4],
      bytes.u32[(bytes.blockAt(0) + 64) / 4],
      bytes.u32[(bytes.blockAt(0) + 72) / 4],
    ]).toEqual([11, 1, 22]);
  });

  test.each([
    ['flags', 2],
    ['flags', 0x80000000],
    ['kind', 99],
    ['kind', 0],
  ] as const)(
    'an entry whose %s is %i is of another version: COEXIST_EKIND under its name, passed over otherwise',
    (field, value) => {
      const area = openForged(backend, (bytes) => {
        bytes.setCreator(0, 5n);
        bytes.setEntry(0, 'kind', 3);
        bytes.setEntry(0, 'version', 1);
        bytes.setEntry(0, 'size', 8);
        bytes.setEntry(0, field, value);
        bytes.setEntryName(0, 'later');
        bytes.setEntry(0, 'state', 2);
      });
      const bytes = bytesOf(area);
      const before = bytes.snapshot();
      const error = failure('COEXIST_EKIND', () => new Counter('later', { area }));
      expect(error.message).toContain(`has ${field} ${field === 'kind' ? `kind ${value}` : value}`);
      expect(bytes.changed(before)).toEqual([]);
      new Counter('other', { area });
      expect(bytes.entryName(1)).toBe('other');
      register({ area, name: 'lib' });
      expect(bytes.holders(0)).toBe(1n);
    },
  );
});
