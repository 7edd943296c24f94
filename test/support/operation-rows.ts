// The operations of docs/ABI.md, clause 55, as rows: what the words of a shard are before, what is called, what it gives, and which words
// have changed behind it; and what the tests run them on.

import type { Area } from 'coexist';
import { ops, PerCpu } from 'coexist/percpu';
import { bytesOf } from './area-bytes.js';
import { type Backend, on } from './backends.js';
import { contentAt, type Index, injectedIn, perCpuArea, wordsIn } from './per-cpu.js';

const { COMPARE_FAILED, DONE } = ops;
export const WORDS = 16;
export const ORDERS = ['relaxed', 'release'] as const;
export type Order = (typeof ORDERS)[number];

export interface Context {
  readonly perCpu: PerCpu;
  readonly lib: typeof ops;
  readonly order: Order | undefined;
  readonly shard: number;
  /** Byte offset of word k of the shard. */
  at(k: number): number;
}

export interface Row {
  readonly what: string;
  readonly op: number;
  /** The words of the shard, as far as they are not 0; pointers as the word they lead to. */
  readonly before: (at: (k: number) => number) => number[];
  readonly run: (context: Context) => number;
  readonly status: number;
  /** Words that have changed. */
  readonly after?: (at: (k: number) => number) => Record<number, number>;
}

/** Where operation 3 leaves what it found. */
export const load: { [index: number]: number } = [0];
const BIG = 0x80000000;

export const rows: Row[] = [
  ...[0, 7, BIG, 0xffffffff].flatMap((expect): Row[] => [
    {
      what: `*v is ${expect}`,
      op: 1,
      before: () => [expect],
      run: ({ lib, perCpu, at, shard, order }) => lib.load_cbne_store(perCpu, at(0), expect, 9, shard, order),
      status: DONE,
      after: () => ({ 0: 9 }),
    },
    {
      what: `*v is ${expect}, given as a signed integer`,
      op: 1,
      before: () => [expect],
      run: ({ lib, perCpu, at, shard, order }) => lib.load_cbne_store(perCpu, at(0), expect | 0, -1, shard, order),
      status: DONE,
      after: () => ({ 0: 0xffffffff }),
    },
    {
      what: `*v is not ${expect}`,
      op: 1,
      before: () => [(expect + 1) >>> 0],
      run: ({ lib, perCpu, at, shard, order }) => lib.load_cbne_store(perCpu, at(0), expect, 9, shard, order),
      status: COMPARE_FAILED,
    },
  ]),
  ...(
    [
      [5, 3, 8],
      [5, -6, 0xffffffff],
      [0xffffffff, 1, 0],
      [0x7fffffff, 1, BIG],
      [1, 0xffffffff, 0],
      [1, 2 ** 53, 1],
      [1, -(2 ** 53), 1],
      [7, 0, 7],
    ] as const
  ).map(
    ([from, count, to]): Row => ({
      what: `${from} + ${count}`,
      op: 2,
      before: () => [from],
      run: ({ lib, perCpu, at, shard, order }) => lib.load_add_store(perCpu, at(0), count, shard, order),
      status: DONE,
      after: () => ({ 0: to }),
    }),
  ),
  ...[0, 4, 20].flatMap((offset): Row[] => [
    {
      what: `*v is not expectnot, offset ${offset}`,
      op: 3,
      before: (at) => [at(4), 0, 0, 0, 41, 42, 43, 44, 45, 46],
      run: ({ lib, perCpu, at, shard, order }) => {
        load[0] = 0;
        const status = lib.load_cbeq_store_add_load_store(perCpu, at(0), 0, offset, load, shard, order);
        return status !== DONE || load[0] === at(4) ? status : Number.NaN;
      },
      status: DONE,
      after: () => ({ 0: 41 + offset / 4 }),
    },
    {
      what: `*v is expectnot, offset ${offset}`,
      op: 3,
      before: (at) => [at(4)],
      run: ({ lib, perCpu, at, shard, order }) => {
        load[0] = 99;
        const status = lib.load_cbeq_store_add_load_store(perCpu, at(0), at(4), offset, load, shard, order);
        return load[0] === 99 ? status : Number.NaN;
      },
      status: COMPARE_FAILED,
    },
  ]),
  {
    what: 'an empty list',
    op: 3,
    before: () => [],
    run: ({ lib, perCpu, at, shard, order }) =>
      lib.load_cbeq_store_add_load_store(perCpu, at(0), 0, 0, load, shard, order),
    status: COMPARE_FAILED,
  },
  ...(
    [
      [5, 3, 8],
      [0xffffffff, 1, 0],
      [5, -6, 0xffffffff],
      [1, 2 ** 53, 1],
    ] as const
  ).map(
    ([from, count, to]): Row => ({
      what: `${from} + ${count}`,
      op: 4,
      before: (at) => [at(4), 0, 0, 0, 0, 0, at(9), 0, 0, from],
      run: ({ lib, perCpu, at, shard, order }) =>
        lib.load_add_load_load_add_store(perCpu, at(0), 8, count, shard, order),
      status: DONE,
      after: () => ({ 9: to }),
    }),
  ),
  {
    what: '*v is expect',
    op: 5,
    before: () => [BIG, 5],
    run: ({ lib, perCpu, at, shard, order }) =>
      lib.load_cbne_store_store(perCpu, at(0), BIG, at(1), -2, 0xfffffffd, shard, order),
    status: DONE,
    after: () => ({ 0: 0xfffffffd, 1: 0xfffffffe }),
  },
  {
    what: '*v is not expect',
    op: 5,
    before: () => [BIG, 5],
    run: ({ lib, perCpu, at, shard, order }) => lib.load_cbne_store_store(perCpu, at(0), 7, at(1), 1, 2, shard, order),
    status: COMPARE_FAILED,
  },
  ...(
    [
      [7, 5, DONE],
      [6, 5, COMPARE_FAILED],
      [7, 4, COMPARE_FAILED],
      [6, 4, COMPARE_FAILED],
      [-1, -1, COMPARE_FAILED],
    ] as const
  ).map(
    ([expect, expect2, status]): Row => ({
      what: `*v is 7, expected ${expect}; *v2 is 5, expected ${expect2}`,
      op: 6,
      before: () => [7, 5],
      run: ({ lib, perCpu, at, shard, order }) =>
        lib.load_cbne_load_cbne_store(perCpu, at(0), expect, at(1), expect2, 9, shard, order),
      status,
      ...(status === DONE && { after: () => ({ 0: 9 }) }),
    }),
  ),
  {
    what: 'both are as expected, as signed integers',
    op: 6,
    before: () => [0xffffffff, BIG],
    run: ({ lib, perCpu, at, shard, order }) =>
      lib.load_cbne_load_cbne_store(perCpu, at(0), -1, at(1), BIG | 0, 9, shard, order),
    status: DONE,
    after: () => ({ 0: 9 }),
  },
  ...(
    [
      [0, {}],
      [1, { 8: 0x11 }],
      [5, { 8: 0x44332211, 9: 0x55 }],
      [8, { 8: 0x44332211, 9: 0x88776655 }],
    ] as const
  ).map(
    ([length, copied]): Row => ({
      what: `*v is expect, ${length} bytes`,
      op: 7,
      before: () => [7, 0, 0, 0, 0x44332211, 0x88776655, 0xccbbaa99],
      run: ({ lib, perCpu, at, shard, order }) =>
        lib.load_cbne_memcpy_store(perCpu, at(0), 7, at(8), at(4), length, 9, shard, order),
      status: DONE,
      after: () => ({ 0: 9, ...copied }),
    }),
  ),
  {
    what: 'the copy overlaps its source',
    op: 7,
    before: () => [7, 0, 0, 0, 1, 2, 3, 4],
    run: ({ lib, perCpu, at, shard, order }) =>
      lib.load_cbne_memcpy_store(perCpu, at(0), 7, at(5), at(4), 12, 9, shard, order),
    status: DONE,
    after: () => ({ 0: 9, 5: 1, 6: 2, 7: 3 }),
  },
  {
    what: '*v is not expect',
    op: 7,
    before: () => [7, 0, 0, 0, 1, 2, 3, 4],
    run: ({ lib, perCpu, at, shard, order }) =>
      lib.load_cbne_memcpy_store(perCpu, at(0), 6, at(8), at(4), 8, 9, shard, order),
    status: COMPARE_FAILED,
  },
];
export const did = rows.filter(({ status }) => status === DONE);
/** One way to do this operation. */
export const firstOf = (op: number): Row => did.find((row) => row.op === op) as Row;
export const holdsWord = (op: number): boolean => op !== 1 && op !== 2 && op !== 4;

/** Writes what a row starts from; returns it. */
export function fill(area: Area, { before }: Row, at: (k: number) => number): number[] {
  const filled = [...before(at)];
  while (filled.length < WORDS) filled.push(0);
  wordsIn(area).set(at(0), ...filled);
  return filled;
}

/** An area with an object of `WORDS` words in a shard, and the library under test. */
export function rigOf(backend: Backend, index: Index) {
  const area = perCpuArea(backend);
  const perCpu = on(backend, () => new PerCpu('words', { bytes: 4 * WORDS, index, area }));
  const first = contentAt(area, 'words', index, 0);
  const at = (k: number): number => first + 4 * k;
  const contextOf = (order?: Order): Context => ({ perCpu, lib: ops, order, shard: 0, at });
  const content = (): number[] => wordsIn(area).list(first, WORDS);
  return { area, perCpu, at, contextOf, content, bytes: bytesOf(area) };
}

/** The same in the copy with injection points. */
export async function injectedRig(backend: Backend, index: Index) {
  const rig = rigOf(backend, index);
  const copy = await injectedIn(backend, rig.area);
  const perCpu = on(
    backend,
    () => new copy.lib.PerCpu('words', { bytes: 4 * WORDS, index, area: copy.area }),
  ) as unknown as PerCpu;
  const context: Context = { ...rig.contextOf(), perCpu, lib: copy.lib.ops as unknown as typeof ops };
  return { ...rig, lib: copy.lib, context };
}
