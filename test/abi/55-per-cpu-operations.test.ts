// Clause 55: the seven operations, row by row of the table: what each does, what it gives, and that it writes nothing where it does not
// do it; the CPU's word in the way; pointers that lead nowhere. What other threads do meanwhile is done at the injection points.

import type { Area } from 'coexist';
import { ops, PerCpu } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { until } from '../support/actor.js';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, memoryOf, on, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { D, forgottenThread, heldBy, type LockBytes, W } from '../support/lock-memory.js';
import {
  contentAt,
  cpuWordOf,
  INDEXES,
  INJECTED,
  type Index,
  injectedIn,
  perCpuArea,
  sectionOf,
  wordsIn,
} from '../support/per-cpu.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, identityOf, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const dead = await forgottenThread();
const { ABORTED, COMPARE_FAILED, DONE, UNREGISTERED, UNSUPPORTED } = ops;
const WORDS = 16;
const ORDERS = ['relaxed', 'release'] as const;
type Order = (typeof ORDERS)[number];

interface Context {
  readonly perCpu: PerCpu;
  readonly lib: typeof ops;
  readonly order: Order | undefined;
  readonly shard: number;
  /** Byte offset of word k of the shard. */
  at(k: number): number;
}

interface Row {
  readonly what: string;
  readonly op: number;
  /** The words of the shard, as far as they are not 0; pointers as the word they lead to. */
  readonly before: (at: (k: number) => number) => number[];
  readonly run: (context: Context) => number;
  readonly status: number;
  /** Words that have changed. */
  readonly after?: (at: (k: number) => number) => Record<number, number>;
}

const load: { [index: number]: number } = [0];
const BIG = 0x80000000;

const rows: Row[] = [
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
const did = rows.filter(({ status }) => status === DONE);
const firstOf = (op: number): Row => did.find((row) => row.op === op) as Row;
const holdsWord = (op: number): boolean => op !== 1 && op !== 2 && op !== 4;

function fill(area: Area, { before }: Row, at: (k: number) => number): number[] {
  const filled = [...before(at)];
  while (filled.length < WORDS) filled.push(0);
  wordsIn(area).set(at(0), ...filled);
  return filled;
}

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const opened = (index: Index) => {
    const area = perCpuArea(backend);
    const perCpu = on(backend, () => new PerCpu('words', { bytes: 4 * WORDS, index, area }));
    const first = contentAt(area, 'words', index, 0);
    const at = (k: number): number => first + 4 * k;
    const contextOf = (order?: Order): Context => ({ perCpu, lib: ops, order, shard: 0, at });
    const content = (): number[] => wordsIn(area).list(first, WORDS);
    return { area, perCpu, at, contextOf, content, bytes: bytesOf(area) };
  };
  /** The same in the copy with injection points. */
  const injected = async (index: Index) => {
    const rig = opened(index);
    const copy = await injectedIn(backend, rig.area);
    const perCpu = on(
      backend,
      () => new copy.lib.PerCpu('words', { bytes: 4 * WORDS, index, area: copy.area }),
    ) as unknown as PerCpu;
    const context: Context = { ...rig.contextOf(), perCpu, lib: copy.lib.ops as unknown as typeof ops };
    return { ...rig, lib: copy.lib, context };
  };

  describe.each(INDEXES)('by %s', (index: Index) => {
    describe.each([undefined, ...ORDERS])('%s', (order) => {
      test.each(rows)('operation $op, $what', (row) => {
        const { area, at, contextOf, content, bytes } = opened(index);
        const filled = fill(area, row, at);
        const before = bytes.snapshot();
        expect(row.run(contextOf(order))).toBe(row.status);
        const expected = [...filled];
        for (const [k, value] of Object.entries(row.after?.(at) ?? {})) expected[Number(k)] = value;
        expect(content()).toEqual(expected);
        // Besides: the token of the CPU's word, which has been held.
        const word = index === 'cpu' ? cpuWordOf(area, 'words', 0).words() : {};
        expect(word).toEqual(index === 'cpu' && holdsWord(row.op) ? { token: 1 } : {});
        wordsIn(area).set(at(0), ...filled);
        if (index === 'cpu') cpuWordOf(area, 'words', 0).plant({ token: 0 });
        expect(bytes.changed(before)).toEqual([]);
        expect(sectionOf(area, 0)).toBe(0n);
      });
    });

    test.each(did.map((row) => [row.op, row.what, row] as const))(
      'operation %i, %s, at a shard the thread is not at: ABORTED, nothing changed',
      (_, __, row) => {
        const { area, at, contextOf, bytes } = opened(index);
        fill(area, row, at);
        const before = bytes.snapshot();
        for (const order of ORDERS) expect(row.run({ ...contextOf(order), shard: 1 })).toBe(ABORTED);
        for (const shard of [-1, 4, 0.5, Number.NaN, '0', undefined]) {
          failure('COEXIST_EINVAL', () => row.run({ ...contextOf(), shard: shard as number }));
        }
        expect(bytes.changed(before)).toEqual([]);
      },
    );

    test.each([1, 2, 3, 4, 5, 6, 7])(
      'operation %i: UNSUPPORTED in no such order, UNREGISTERED once disposed of',
      (op) => {
        const { area, at, contextOf, bytes, perCpu } = opened(index);
        const row = firstOf(op);
        fill(area, row, at);
        const before = bytes.snapshot();
        for (const order of ['acquire', 'seq_cst', 1, null]) {
          expect(row.run(contextOf(order as Order))).toBe(UNSUPPORTED);
        }
        expect(bytes.changed(before)).toEqual([]);
        perCpu.dispose();
        const disposed = bytes.snapshot();
        for (const shard of [0, 1]) expect(row.run({ ...contextOf(), shard })).toBe(UNREGISTERED);
        expect(bytes.changed(disposed)).toEqual([]);
      },
    );

    test('the results are distinct, and none but DONE is 0', () => {
      const all = [DONE, COMPARE_FAILED, ABORTED, UNSUPPORTED, UNREGISTERED];
      expect(new Set(all).size).toBe(5);
      expect(DONE).toBe(0);
    });

    test.each([
      ['0', () => 0],
      ['in the header', () => 64],
      ['in a slot', (area: Area) => bytesOf(area).slotAt(0) + 4],
      ['in the directory', (area: Area) => bytesOf(area).entryAt(0) + 4],
      ['behind the area', (area: Area) => area.buffer.byteLength],
      ['half of it behind the area', (area: Area) => area.buffer.byteLength - 2],
      ['misaligned', (area: Area) => contentAt(area, 'words', 'cpu', 0) + 2],
      ['negative', () => -4],
      ['no integer', (area: Area) => contentAt(area, 'words', 'cpu', 0) + 0.5],
      ['no number', () => Number.NaN],
    ])('an argument that is no word: %s: COEXIST_EINVAL, nothing changed', (_, pointer) => {
      const { area, perCpu, at, bytes } = opened(index);
      if (index === 'slot') on(backend, () => new PerCpu('by cpu', { bytes: 8, area }));
      const wrong =
        index === 'cpu' || !String(pointer).includes("'cpu'") ? pointer(area) : pointer.length + at(0) + 1.5;
      fill(area, firstOf(7), at);
      const before = bytes.snapshot();
      const calls: (() => number)[] = [
        () => ops.load_cbne_store(perCpu, wrong, 7, 9, 0),
        () => ops.load_add_store(perCpu, wrong, 1, 0),
        () => ops.load_cbeq_store_add_load_store(perCpu, wrong, 0, 0, load, 0),
        () => ops.load_add_load_load_add_store(perCpu, wrong, 0, 1, 0),
        () => ops.load_cbne_store_store(perCpu, wrong, 7, at(1), 1, 9, 0),
        () => ops.load_cbne_store_store(perCpu, at(0), 7, wrong, 1, 9, 0),
        () => ops.load_cbne_load_cbne_store(perCpu, wrong, 7, at(1), 0, 9, 0),
        () => ops.load_cbne_load_cbne_store(perCpu, at(0), 7, wrong, 0, 9, 0),
        () => ops.load_cbne_memcpy_store(perCpu, wrong, 7, at(8), at(4), 8, 9, 0),
        () => ops.load_cbne_memcpy_store(perCpu, at(0), 7, wrong, at(4), 8, 9, 0),
        () => ops.load_cbne_memcpy_store(perCpu, at(0), 7, at(8), wrong, 8, 9, 0),
      ];
      for (const call of calls) expect(failure('COEXIST_EINVAL', call).found).toBe(wrong);
      expect(bytes.changed(before)).toEqual([]);
    });

    test('a copy that leads out of the area, or of no length: COEXIST_EINVAL, nothing changed', () => {
      const { area, perCpu, at, bytes } = opened(index);
      fill(area, firstOf(7), at);
      const before = bytes.snapshot();
      const copy = (to: number, from: number, length: number) => (): number =>
        ops.load_cbne_memcpy_store(perCpu, at(0), 7, to, from, length, 9, 0);
      for (const length of [-1, 0.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
        failure('COEXIST_EINVAL', copy(at(8), at(4), length));
      }
      const last = area.buffer.byteLength - 8;
      failure('COEXIST_EINVAL', copy(last, at(4), 12));
      failure('COEXIST_EINVAL', copy(at(8), last, 12));
      expect(bytes.changed(before)).toEqual([]);
    });

    test.each([
      ['0, which was not expectnot', () => 0],
      ['misaligned', (at: number) => at + 1],
      ['misaligned, with an offset that aligns the sum', (at: number) => at + 2],
      ['behind the area', (_: number, end: number) => end],
      ['its sum with the offset behind the area', (_: number, end: number) => end - 8],
      ['near 2^32', () => 0xfffffff8],
    ])('operation 3, the pointer found is %s: COEXIST_EINVAL, nothing is given or changed', (_, pointer) => {
      const { area, perCpu, at, bytes } = opened(index);
      const found = pointer(at(4), area.buffer.byteLength);
      wordsIn(area).set(at(0), found);
      const before = bytes.snapshot();
      load[0] = 99;
      const offset = found === at(4) + 2 ? 2 : 8;
      const { found: told } = failure('COEXIST_EINVAL', () =>
        ops.load_cbeq_store_add_load_store(perCpu, at(0), 99, offset, load, 0),
      );
      expect(told).toEqual({ pointer: found, offset });
      expect([load[0], sectionOf(area, 0)]).toEqual([99, 0n]);
      if (index === 'cpu') {
        expect(cpuWordOf(area, 'words', 0).words()).toEqual({ token: 1 });
        cpuWordOf(area, 'words', 0).plant({ token: 0 });
      }
      expect(bytes.changed(before)).toEqual([]);
    });

    test.each([
      ['p holds 0', [0]],
      ['p holds what is misaligned', ['node', 2]],
      ['p leads behind the area', ['end', 0]],
      ['p leads behind the area, and with the offset to its beginning', ['wrap', 0]],
      ['the word behind p holds 0', ['node', 0, 0]],
      ['the word behind p holds what is misaligned', ['node', 0, 3]],
      ['the word behind p leads behind the area', ['node', 0, 'end']],
    ] as const)('operation 4, %s: COEXIST_EINVAL, nothing changed', (_, [base, more = 0, inner = 0]) => {
      const { area, perCpu, at, bytes } = opened(index);
      const end = area.buffer.byteLength;
      const bases = { 0: 0, node: at(4), end, wrap: 2 ** 32 - 4 };
      wordsIn(area).set(at(0), bases[base] + more);
      wordsIn(area).set(at(6), inner === 'end' ? end : inner);
      const before = bytes.snapshot();
      failure('COEXIST_EINVAL', () => ops.load_add_load_load_add_store(perCpu, at(0), 8, 1, 0));
      expect([bytes.changed(before), sectionOf(area, 0)]).toEqual([[], 0n]);
    });

    test('pointers lead anywhere in the heap and the blocks', () => {
      const { area, perCpu, at, bytes } = opened(index);
      const places = [bytes.header('heap_offset') + 3072, bytes.blockAt(3) + 4092];
      for (const place of places) {
        wordsIn(area).set(place, 7);
        expect(ops.load_cbne_store(perCpu, place, 7, 9, 0)).toBe(DONE);
        expect(ops.load_cbne_store_store(perCpu, at(0), 0, place, 5, 0, 0)).toBe(DONE);
        wordsIn(area).set(at(0), place);
        expect(ops.load_cbeq_store_add_load_store(perCpu, at(0), 0, 0, load, 0)).toBe(DONE);
        expect([load[0], wordsIn(area).get(at(0))]).toEqual([place, 5]);
        wordsIn(area).set(at(0), 0);
      }
    });
  });

  describe('by slot', () => {
    test.each([1, 2, 3, 4, 5, 6, 7])('operation %i: no atomic write of what it stores, but for a release', (op) => {
      const row = firstOf(op);
      for (const order of ORDERS) {
        const { area, at, contextOf } = opened('slot');
        fill(area, row, at);
        const written: string[] = [];
        const spies = (['store', 'add', 'compareExchange', 'exchange', 'or', 'notify'] as const).map((name) => {
          const original = Atomics[name] as (view: Int32Array, index: number, ...values: number[]) => number;
          return vi.spyOn(Atomics, name as 'store').mockImplementation(((
            view: Int32Array,
            index: number,
            ...values: number[]
          ) => {
            const byte = index * view.BYTES_PER_ELEMENT;
            if (byte >= at(0) && byte < at(WORDS)) written.push(`${name} ${(byte - at(0)) / 4}`);
            return original.call(Atomics, view, index, ...values);
          }) as never);
        });
        expect(row.run(contextOf(order))).toBe(DONE);
        for (const spy of spies) spy.mockRestore();
        const commit = op === 4 ? 'store 9' : 'store 0';
        // The fourth is one store on both orders; a wasm section is not seen here.
        const seen = backend === 'wasm' && op > 2 ? [] : order === 'release' || op === 4 ? [commit] : [];
        expect(written, order).toEqual(seen);
      }
    });
  });

  describe('by cpu', () => {
    const word = (area: Area): LockBytes => cpuWordOf(area, 'words', 0);

    test.each([3, 5, 6, 7])('operation %i commits by a CAS: ABORTED where *v has changed meanwhile', async (op) => {
      // A pointer that leads nowhere is another matter.
      for (const changedAt of op === 3 ? [5] : [3, 5]) {
        const { area, at, context, content, lib } = await injected('cpu');
        const row = firstOf(op);
        const filled = fill(area, row, at);
        // Before the operation looks, or behind that.
        lib.injection.at = (point) => {
          if (point === changedAt) wordsIn(area).set(at(0), 77);
        };
        load[0] = 99;
        const status = row.run(context);
        lib.injection.at = () => {};
        if (changedAt === 5) {
          expect([status, content()[0]]).toEqual([ABORTED, 77]);
        } else {
          expect([status, content()]).toEqual([COMPARE_FAILED, [77, ...filled.slice(1)]]);
        }
        expect([word(area).read('owner'), sectionOf(area, 0)]).toEqual([0n, 0n]);
      }
    });

    test('operation 3, aborted: nothing is given', async () => {
      const { area, at, context, lib } = await injected('cpu');
      wordsIn(area).set(at(0), at(4));
      lib.injection.at = (point) => {
        if (point === 5) wordsIn(area).set(at(0), at(8));
      };
      load[0] = 99;
      const { perCpu } = context;
      expect(context.lib.load_cbeq_store_add_load_store(perCpu, at(0), 0, 0, load, 0)).toBe(ABORTED);
      lib.injection.at = () => {};
      expect([load[0], wordsIn(area).get(at(0))]).toEqual([99, at(8)]);
      // Tried again, it is done.
      expect(context.lib.load_cbeq_store_add_load_store(perCpu, at(0), 0, 0, load, 0)).toBe(DONE);
      expect(load[0]).toBe(at(8));
    });

    test('operation 4 commits by adding, wherever its pointers led', async () => {
      const { area, at, context, lib } = await injected('cpu');
      const row = firstOf(4);
      fill(area, row, at);
      lib.injection.at = (point) => {
        if (point !== 5) return;
        wordsIn(area).set(at(9), 100);
        wordsIn(area).set(at(6), at(10));
      };
      expect(row.run(context)).toBe(DONE);
      lib.injection.at = () => {};
      expect(wordsIn(area).list(at(9), 2)).toEqual([103, 0]);
    });

    test.each(heldBy('Y', UNKNOWABLE))(
      'the CPU’s word held by a live thread, %s: 3, 5, 6 and 7 wait 50 ms at most, and are ABORTED',
      (_, owner) => {
        for (const op of [1, 2, 3, 4, 5, 6, 7]) {
          const { area, at, contextOf, content } = opened('cpu');
          const row = firstOf(op);
          const filled = fill(area, row, at);
          word(area).plant({ owner, token: 3 });
          load[0] = 99;
          const { sleeps, result, error } = withSleeps(() => row.run(contextOf()));
          expect(error).toBeUndefined();
          if (holdsWord(op)) {
            expect(result).toBe(ABORTED);
            expect(content()).toEqual(filled);
            const slept = sleeps.reduce((sum, { ms }) => sum + ms, 0);
            expect(slept).toBeGreaterThan(0);
            expect(slept).toBeLessThanOrEqual(50);
          } else {
            expect([result, sleeps]).toEqual([DONE, []]);
          }
          // W is taken back, and whoever else waits sets it again.
          expect(word(area).words()).toEqual({ owner: holdsWord(op) ? owner & ~W : owner, token: 3 });
          expect(sectionOf(area, 0)).toBe(0n);
        }
      },
    );

    test('given back in time, the operation is done', () => {
      for (const op of [3, 5, 6, 7]) {
        const { area, at, contextOf } = opened('cpu');
        const row = firstOf(op);
        fill(area, row, at);
        word(area).plant({ owner: UNKNOWABLE, token: 3 });
        const { sleeps, result } = withSleeps(
          () => row.run(contextOf()),
          () => word(area).plant({ owner: 0n }),
        );
        expect([sleeps.length, result]).toEqual([1, DONE]);
        expect(word(area).words()).toEqual({ token: 4 });
      }
    });

    test.each([
      ...heldBy('dead', dead),
      ['a thread that there is not', NO_SUCH_THREAD] as [string, bigint],
      ['an earlier thread with the own id', EARLIER_NAMESAKE] as [string, bigint],
    ])('the CPU’s word held by a dead thread, %s: taken over, D cleared, done', (_, owner) => {
      for (const op of [3, 5, 6, 7]) {
        const { area, at, contextOf, content } = opened('cpu');
        const row = firstOf(op);
        const filled = fill(area, row, at);
        word(area).plant({ owner, token: 3 });
        const { sleeps, result } = withSleeps(() => row.run(contextOf()));
        expect([result, word(area).words()]).toEqual([DONE, { token: 4 }]);
        expect(sleeps.length).toBeLessThanOrEqual(1);
        const expected = [...filled];
        for (const [k, value] of Object.entries(row.after?.(at) ?? {})) expected[Number(k)] = value;
        expect(content()).toEqual(expected);
      }
    });

    test.each(heldBy('X', X))('the CPU’s word held by the thread itself, %s: it was cut, and goes on', (_, owner) => {
      for (const op of [3, 5, 6, 7]) {
        const { area, at, contextOf } = opened('cpu');
        const row = firstOf(op);
        fill(area, row, at);
        word(area).plant({ owner, token: 3 });
        const { sleeps, result } = withSleeps(() => row.run(contextOf()));
        expect([result, sleeps]).toEqual([DONE, []]);
        expect(word(area).words()).toEqual({ token: 4 });
      }
    });

    test('a word in D alone, which no party of this page leaves: told, nothing changed', () => {
      const { area, at, contextOf, content } = opened('cpu');
      const filled = fill(area, firstOf(5), at);
      word(area).plant({ owner: D });
      failure('COEXIST_ENOTRECOVERABLE', () => firstOf(5).run(contextOf()));
      expect([content(), sectionOf(area, 0)]).toEqual([filled, 0n]);
    });

    test('the section begins when the word is held, and has ended when it is given back', async () => {
      for (const owner of [0n, dead]) {
        const { area, at, context, lib } = await injected('cpu');
        fill(area, firstOf(5), at);
        word(area).plant({ owner });
        const seen: [number, bigint, boolean][] = [];
        lib.injection.at = (point) => {
          seen.push([point, (word(area).read('owner') as bigint) & (W - 1n), sectionOf(area, 0) !== 0n]);
        };
        expect(firstOf(5).run(context)).toBe(DONE);
        lib.injection.at = () => {};
        const held = seen.slice(-5);
        expect(held).toEqual([
          [2, X, false],
          [3, X, true],
          [4, X, true],
          [5, X, true],
          [6, X, true],
        ]);
        expect(word(area).read('owner')).toBe(0n);
      }
    });

    test('who waits for the word is woken when it is given back', async () => {
      const { area, at, context, lib } = await injected('cpu');
      fill(area, firstOf(5), at);
      lib.injection.at = (point) => {
        if (point !== 5) return;
        word(area).plant({ owner: (word(area).read('owner') as bigint) | W });
        word(area).sleepers('owner', 2);
      };
      expect(firstOf(5).run(context)).toBe(DONE);
      lib.injection.at = () => {};
      expect(word(area).words()).toEqual({ token: 1 });
      expect(word(area).asleep('owner')).toBe(1);
    });

    test('a live thread in a section, and then a dead one', async () => {
      const area = perCpuArea(backend, { cpus: 1 });
      const perCpu = on(backend, () => new PerCpu('words', { bytes: 64, area }));
      const actor = await startActor(backend);
      const identity = await identityOf(actor);
      actor.post(
        async ({ load }, { url, memory }) => {
          const lib = await load(url);
          const perCpu = new lib.PerCpu('words', { bytes: 64, area: lib.openArea(memory) });
          lib.injection.at = (point: number) => {
            if (point === 5) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
          };
          const v = perCpu.at(0);
          lib.ops.load_cbne_store_store(perCpu, v, 0, v + 8, 5, 1, perCpu.start());
        },
        { url: INJECTED, memory: memoryOf(area) },
      );
      await until('it is in its section', () => sectionOf(area, 1) !== 0n);
      const v = perCpu.at(0);
      expect(ops.load_cbne_store_store(perCpu, v, 0, v + 4, 7, 2, 0)).toBe(ABORTED);
      expect(wordsIn(area).list(v, 3)).toEqual([0, 0, 5]);
      // Other operations do not need the word.
      expect(ops.load_add_store(perCpu, v + 12, 1, 0)).toBe(DONE);
      await actor.terminate();
      await until('its death is visible', () => ops.load_cbne_store_store(perCpu, v, 0, v + 4, 7, 2, 0) === DONE);
      expect(wordsIn(area).list(v, 4)).toEqual([2, 7, 5, 1]);
      expect(word(area).read('owner')).toBe(0n);
      expect(identity).not.toBe(X);
    });
  });
});
