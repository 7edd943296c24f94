// Clause 37: the kinds and the one flag. (The table is compared in tables.test.ts.)

import { register } from 'coexist';
import { FLAG_STAMPED, KINDS, LIBRARY_PREFIX, STAMP_BYTES } from 'coexist/abi';
import { Counter, PerThread } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, openForged, smallArea } from '../support/backends.js';
import { failure } from '../support/failures.js';

const FIELDS = ['kind', 'version', 'size', 'offset', 'flags'] as const;
const shape = (bytes: AreaBytes, k: number): number[] => FIELDS.map((name) => bytes.entry(k, name));

describe.each(BACKENDS)('%s', (backend) => {
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
    const plain = new PerThread('plain', { type: 'u32', length: 3, version: 0xffffffff, area });
    const stamped = new PerThread('stamped', { type: 'u32', length: 3, version: 0, fresh: true, area });
    expect([shape(bytes, 0), shape(bytes, 1)]).toEqual([
      [KINDS.key.number, 0xffffffff, 12, 0, 0],
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
