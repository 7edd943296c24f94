// Clause 12: a memory that does not follow the contract is refused with the value found and the one expected, and nothing in it
// has changed. Every bad header goes through each way in: openArea, another copy's area, register.

import { type Area, createArea, openArea, register } from 'coexist';
import type { AreaValue } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { type AreaBytes, bytesOf } from '../support/area-bytes.js';
import { BACKENDS, forge, on } from '../support/backends.js';
import { failure } from '../support/failures.js';

interface Bad {
  readonly name: string;
  edit(bytes: AreaBytes): void;
  readonly found?: number;
  readonly expected?: number;
}

const set = (field: Parameters<AreaBytes['setHeader']>[0], value: number): Pick<Bad, 'name' | 'edit'> => ({
  name: `${field} = ${value}`,
  edit: (bytes) => bytes.setHeader(field, value),
});

const BAD: readonly Bad[] = [
  { ...set('magic', 0), found: 0, expected: 0x51455352 },
  { ...set('magic', 0x52534551), found: 0x52534551, expected: 0x51455352 },
  { ...set('abi_major', 0), found: 0, expected: 1 },
  { ...set('abi_major', 2), found: 2, expected: 1 },
  { ...set('state', 0), found: 0, expected: 2 },
  { ...set('state', 1), found: 1, expected: 2 },
  { ...set('state', 3), found: 3, expected: 2 },
  set('slot_offset', 0xfffff000),
  set('slot_offset', 0),
  set('slot_offset', 4097),
  set('slot_stride', 0x40000000),
  set('slot_stride', 32),
  set('slot_capacity', 0),
  set('slot_capacity', 16385),
  set('slot_capacity', 0xffffffff),
  set('block_offset', 0xfffff000),
  set('block_stride', 0x80000000),
  set('directory_offset', 0xffffff80),
  set('directory_capacity', 0x02000000),
  set('heap_offset', 0xffffffff),
  set('heap_size', 0xffffffff),
  ...(['slot_offset', 'block_offset', 'directory_offset'] as const).map((name) => set(name, 8196)),
  set('slot_stride', 132),
  set('block_stride', 4100),
  // Larger than the stride, and too small to hold the generation.
  set('feature_size', 129),
  set('feature_size', 43),
  set('feature_size', 33),
  set('feature_size', 0),
];

const waysIn: readonly [string, (value: AreaValue) => unknown][] = [
  ['openArea', (value) => openArea(value)],
  ['register', (value) => register({ area: asArea(value) })],
];

const asArea = (value: AreaValue): Area =>
  ('buffer' in value ? { memory: value, buffer: value.buffer } : { buffer: value }) as Area;

describe.each(BACKENDS)('%s', (backend) => {
  test.each(BAD)('$name', ({ edit, found, expected }) => {
    for (const [, enter] of waysIn) {
      const value = forge(backend, edit);
      const buffer = 'buffer' in value ? value.buffer : value;
      const bytes = bytesOf({ buffer });
      const before = bytes.snapshot();
      const error = failure('COEXIST_EABI', () => on(backend, () => enter(value)));
      if (found === undefined) {
        const field = /header field (\w+) is \d+/.exec(error.message)?.[1] as Parameters<typeof bytes.header>[0];
        expect(error.found).toBe(bytes.header(field));
        expect(error.message).toContain(String(error.found));
        expect(error.expected).toContain(`${buffer.byteLength} bytes`);
      } else {
        expect(error).toMatchObject({ found, expected });
        expect(error.message).toContain(String(found));
        expect(error.message).toContain(String(expected));
      }
      expect(bytes.changed(before)).toEqual([]);
    }
  });

  test('a creator refuses more than 4 GiB - 64 KiB', () => {
    const { found } = failure('COEXIST_EINVAL', () =>
      on(backend, () => createArea({ slots: 16384, blockBytes: 2 ** 18 })),
    );
    expect(found).toBeGreaterThan(2 ** 32 - 2 ** 16);
  });

  test('parts that end exactly at the end of the memory are inside it', () => {
    const value = forge(backend, (bytes) => {
      bytes.setHeader('heap_offset', bytes.u8.length - 64);
      bytes.setHeader('heap_size', 64);
    });
    expect(on(backend, () => openArea(value)).geometry.heapSize).toBe(64);
    const beyond = forge(backend, (bytes) => {
      bytes.setHeader('heap_offset', bytes.u8.length - 64);
      bytes.setHeader('heap_size', 65);
    });
    failure('COEXIST_EABI', () => on(backend, () => openArea(beyond)));
  });

  test('the same memory is accepted once it follows the contract', () => {
    const value = forge(backend, (bytes) => bytes.setHeader('state', 1));
    failure('COEXIST_EABI', () => on(backend, () => openArea(value)));
    bytesOf({ buffer: 'buffer' in value ? value.buffer : value }).setHeader('state', 2);
    expect(on(backend, () => register({ area: openArea(value) })).slot).toBe(0);
  });
});

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a string', 'memory'],
  ['a number', 7],
  ['an object', {}],
  ['a memory that is not shared', new ArrayBuffer(1 << 20)],
  ['a view', new Uint8Array(new ArrayBuffer(1 << 20))],
])('%s is no area', (_, value) => {
  const { expected } = failure('COEXIST_EABI', () => openArea(value as never));
  expect(expected).toContain('SharedArrayBuffer');
});

test('a memory too small for a header', () => {
  expect(failure('COEXIST_EABI', () => openArea(new SharedArrayBuffer(100)))).toMatchObject({ found: 100 });
});
