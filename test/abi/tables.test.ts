// docs/ABI.md against src/abi: the marked tables of the page and the tables that coexist/abi exports are the same, row by row,
// and every clause of the page has its test file here.

import { readdirSync, readFileSync } from 'node:fs';
import {
  ABI_MAJOR,
  AREA_KEY,
  BARRIER,
  CAUSE_BYTES,
  CELL,
  CELL_DATA_OFFSET,
  CHANNEL,
  CHANNEL_CELLS_OFFSET,
  CHANNEL_NAMES_BYTES,
  CHANNEL_NAMES_OFFSET,
  CONDVAR,
  CONDVAR_BYTES,
  ENCODINGS,
  ENTRY,
  ENTRY_BYTES,
  endOf,
  FEATURE_SIZE,
  type Field,
  HEADER,
  HEADER_BYTES,
  HEADER_FEATURE_SIZE,
  HOLDER,
  HOLDER_BYTES,
  HOLDERS_OFFSET,
  INTERFACE,
  INTERFACE_BYTES,
  KINDS,
  LIMITS,
  MAGIC,
  MODULE,
  MUTEX,
  MUTEX_BYTES,
  OPERATIONS,
  PACKED,
  PERCPU,
  PERCPU_BYTES,
  POOL,
  POOL_BYTES,
  POOL_ITEM,
  POOL_ITEM_BYTES,
  READY,
  RECORD,
  RECORD_BYTES,
  RECORD_PAD,
  RING,
  RING_BYTES,
  RWLOCK,
  SEMAPHORE,
  SINGLETON,
  SLOT,
  SLOT_STRIDE,
  STRUCTURES,
  THREAD_KEY,
} from 'coexist/abi';
import { describe, expect, test } from 'vitest';

const page = readFileSync(new URL('../../docs/ABI.md', import.meta.url), 'utf8');
const SIZES: Readonly<Record<string, number>> = { u32: 4, i32: 4, u64: 8, i64: 8, 'u8[80]': 80, 'u8[32]': 32 };

/** Rows of a marked table as objects, by the column's heading. */
function table(name: string): Record<string, string>[] {
  const [, text] = new RegExp(`<!-- table: ${name} -->\\n([\\s\\S]*?)<!-- /table -->`).exec(page) ?? [];
  const [heading, , ...rows] = (text ?? '')
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return rows.map((cells) => Object.fromEntries((heading ?? []).map((column, k) => [column, cells[k] ?? ''])));
}

const meaning = (name: string, field: string): string =>
  table(name).find((row) => row['field'] === field)?.['meaning'] ?? '';

const structs: readonly [string, Readonly<Record<string, Field>>, number, readonly (readonly [number, number])[]][] = [
  ['header', HEADER, HEADER_BYTES, [[84, 4092]]],
  ['slot', SLOT, SLOT_STRIDE, [[64, 128]]],
  ['directory', ENTRY, ENTRY_BYTES, [[36, 48]]],
  ['mutex', MUTEX, MUTEX_BYTES, []],
  ['condvar', CONDVAR, CONDVAR_BYTES, []],
  ['holder', HOLDER, HOLDER_BYTES, []],
  ['rwlock', RWLOCK, HOLDERS_OFFSET, [[20, 64]]],
  ['semaphore', SEMAPHORE, HOLDERS_OFFSET, [[36, 64]]],
  ['barrier', BARRIER, HOLDERS_OFFSET, [[28, 64]]],
  ['percpu', PERCPU, PERCPU_BYTES, [[8, 64]]],
  ['pool', POOL, POOL_BYTES, [[40, 64]]],
  ['item', POOL_ITEM, POOL_ITEM_BYTES, []],
  [
    'ring',
    RING,
    RING_BYTES,
    [
      [12, 16],
      [32, 64],
      [80, 128],
    ],
  ],
  ['record', RECORD, RECORD_BYTES, []],
  [
    'channel',
    CHANNEL,
    CHANNEL_NAMES_OFFSET,
    [
      [40, 64],
      [68, 128],
    ],
  ],
  ['cell', CELL, CELL_DATA_OFFSET, []],
  ['singleton', SINGLETON, HOLDERS_OFFSET, [[48, 64]]],
  ['module', MODULE, HOLDERS_OFFSET, [[60, 64]]],
  ['interface', INTERFACE, INTERFACE_BYTES, []],
];

describe.each(structs)('table %s', (name, fields, bytes, gaps) => {
  test('has the same fields at the same places on both sides', () => {
    const onPage = table(name).map((row) => ({
      field: row['field'],
      offset: Number(row['offset']),
      type: row['type'],
      size: SIZES[row['type'] ?? ''],
    }));
    const inCode = Object.entries(fields).map(([field, { offset, type, size }]) => ({ field, offset, type, size }));
    expect(onPage.length).toBeGreaterThan(0);
    expect(inCode).toEqual(onPage);
  });

  test('assigns every byte once, but for the reserved gaps', () => {
    const taken = new Uint8Array(bytes);
    for (const { offset, size } of Object.values(fields)) {
      expect(offset % Math.min(size, 8)).toBe(0);
      for (let at = offset; at < offset + size; at++) taken[at]! += 1;
    }
    expect(Math.max(...taken)).toBe(1);
    const free: [number, number][] = [];
    for (let at = 0; at < bytes; at++) {
      if (taken[at] === 1) continue;
      if (free.at(-1)?.[1] === at) free.at(-1)![1] = at + 1;
      else free.push([at, at + 1]);
    }
    expect(free).toEqual(gaps);
  });
});

test('table kinds is what coexist/abi exports', () => {
  const onPage = table('kinds').map((row) => ({ name: row['name'], number: Number(row['kind']), range: row['range'] }));
  expect(onPage.length).toBeGreaterThan(0);
  expect(Object.entries(KINDS).map(([name, kind]) => ({ name, ...kind }))).toEqual(onPage);
});

test('operations, structures and encodings have the numbers of the page', () => {
  const operations = table('operations').map((row) => [row['name'], Number(row['number'])]);
  expect(Object.entries(OPERATIONS)).toEqual(operations);
  const structures = table('structures').map((row) => [row['structure'], Number(row['version'])]);
  expect(Object.entries(STRUCTURES)).toEqual(structures);
  const encodings = table('encodings').map((row) => [row['name'], Number(row['encoding'])]);
  expect(Object.entries(ENCODINGS)).toEqual(encodings);
  const packed = table('packed').map((row) => [row['name'], Number(row['number'])]);
  expect(Object.entries(PACKED)).toEqual(packed);
});

test('the values named in the tables are the constants of coexist/abi', () => {
  expect(meaning('header', 'magic')).toContain(`0x${MAGIC.toString(16)}`);
  expect(Number(meaning('header', 'abi_major'))).toBe(ABI_MAJOR);
  expect(meaning('header', 'state')).toMatch(new RegExp(`^${READY} READY`));
  expect(meaning('header', 'feature_size')).toContain(`in use, ${FEATURE_SIZE};`);
  expect(meaning('header', 'slot_offset')).toBe(`${HEADER_BYTES} by default`);
  expect(Number(meaning('header', 'slot_stride'))).toBe(SLOT_STRIDE);
  const { slotCapacity, blockStride, directoryCapacity } = LIMITS;
  expect(meaning('header', 'slot_capacity')).toBe(
    `${slotCapacity.default} by default, ${slotCapacity.min} to ${slotCapacity.max}`,
  );
  expect(meaning('header', 'block_stride')).toContain(`${blockStride.default} by default, at least ${blockStride.min}`);
  expect(meaning('header', 'directory_capacity')).toBe(
    `entries of ${ENTRY_BYTES} bytes, ${directoryCapacity.default} by default`,
  );
  expect(meaning('header', 'header_feature_size')).toMatch(new RegExp(`^${HEADER_FEATURE_SIZE};`));
  expect(meaning('record', 'length')).toContain(`0x${RECORD_PAD.toString(16).toUpperCase()}:`);
  expect(page).toContain(`capacity bytes follow at offset ${RING_BYTES},`);
  expect(page).toContain(`At offset ${CHANNEL_NAMES_OFFSET}, names_length bytes, ${CHANNEL_NAMES_BYTES} at most:`);
  expect(page).toContain(`Cell k lies ${CHANNEL_CELLS_OFFSET} + k * cell_bytes behind`);
  expect(page).toContain(`The part's bytes follow at offset ${CELL_DATA_OFFSET},`);
  expect(page).toContain(`cause lies behind the rows: UTF-8, ${CAUSE_BYTES} bytes at most.`);
  expect(HEADER_FEATURE_SIZE).toBe(endOf(HEADER.slot_hint));
  expect(FEATURE_SIZE).toBe(endOf(SLOT.reserved));
  expect(page).toContain(`\`${AREA_KEY}\``);
  expect(page).toContain(`\`Symbol.for('${THREAD_KEY}')\``);
});

test('every clause has its test files, every test file a clause', () => {
  const clauses = [...page.matchAll(/^### (\d+)\. /gm)].map(([, number]) => Number(number));
  expect(clauses).toEqual(Array.from({ length: 75 }, (_, k) => k + 1));
  const files = readdirSync(new URL('.', import.meta.url)).filter((file) => file !== 'tables.test.ts');
  const numbers = files.map((file) => /^(\d\d)-[a-z0-9-]+\.test\.ts$/.exec(file)?.[1] ?? file);
  expect([...new Set(numbers)].sort()).toEqual(clauses.map((number) => String(number).padStart(2, '0')));
});
