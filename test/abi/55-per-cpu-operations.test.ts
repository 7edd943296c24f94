// Clause 55: the seven operations, row by row of the table: what each does, what it gives, and that it writes nothing where it does not
// do it; and pointers that lead nowhere. The CPU's word in the way: 55-the-word-of-a-cpu.test.ts.

import type { Area } from 'coexist';
import { ops, PerCpu } from 'coexist/percpu';
import { describe, expect, test, vi } from 'vitest';
import { bytesOf } from '../support/area-bytes.js';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { failure } from '../support/failures.js';
import {
  did,
  fill,
  firstOf,
  holdsWord,
  load,
  ORDERS,
  type Order,
  rigOf,
  rows,
  WORDS,
} from '../support/operation-rows.js';
import { contentAt, cpuWordOf, INDEXES, type Index, sectionOf, wordsIn } from '../support/per-cpu.js';

const { ABORTED, COMPARE_FAILED, DONE, UNREGISTERED, UNSUPPORTED } = ops;

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const opened = (index: Index) => rigOf(backend, index);

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

    test.each([undefined, Number.NaN, 0.5, 2 ** 32])('%s as an offset counts as 0, on either backend', (offset) => {
      const { area, at, contextOf, content } = opened(index);
      const { perCpu, shard } = contextOf();
      const words = wordsIn(area);
      words.set(at(0), at(1), at(2), 7);
      const given = [0];
      const wrong = offset as number;
      expect(ops.load_cbeq_store_add_load_store(perCpu, at(0), 0, wrong, given, shard)).toBe(ops.DONE);
      expect([given, content().slice(0, 3)]).toEqual([[at(1)], [at(2), at(2), 7]]);
      words.set(at(0), at(1));
      expect(ops.load_add_load_load_add_store(perCpu, at(0), wrong, 5, shard)).toBe(ops.DONE);
      expect(content().slice(0, 3)).toEqual([at(1), at(2), 12]);
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
});
