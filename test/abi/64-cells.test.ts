// Clause 64: cells: whose they are, whose turn it is, who may claim one, and what becomes of calls that were given up.

import { CELL_DATA_OFFSET, givenUp } from 'coexist/abi';
import { connect } from 'coexist/call';
import { describe, expect, test, vi } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import {
  asNumbers,
  bellAt,
  channelWords,
  numbers,
  numbersEncoding,
  type Phase,
  state,
} from '../support/call-memory.js';
import { callArea, libraryCalls, libraryServes, Y, Y_SLOT } from '../support/call-parties.js';
import { failure, rejection } from '../support/failures.js';
import { forgottenThread } from '../support/lock-memory.js';
import type { Words } from '../support/object-words.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';

const X = ownIdentity();
const Z = Y + 1n;
const dead = await forgottenThread();
const PHASES: readonly Phase[] = ['IDLE', 'REQUEST', 'TAKEN', 'WANT', 'REPLY', 'GONE'];
type Add = { add(a: number, b: number): number };
const answer = () => ({ encoding: numbersEncoding(1), bytes: numbers(9) });

describe.each(BACKENDS)('%s', (backend: Backend) => {
  /** A channel of one cell that is in this state, served by Y under epoch 4. */
  const oneCell = (cell: Words, channel: Words = {}) => {
    const area = callArea(backend);
    const client = on(backend, () => connect<Add>('calc', { area, cells: 1, cellBytes: 192 }));
    const words = channelWords(area, 'calc');
    words.plant({ epoch: 2 });
    const raw = words.raw(Y, Y_SLOT);
    raw.open(['add']);
    words.plant({
      ...Object.fromEntries(Object.entries(cell).map(([name, value]) => [`cell0.${name}`, value])),
      ...channel,
    });
    return { area, client, words, raw };
  };
  /** Calls once; the state of the cell as the server found it, or undefined where no cell was to be had. */
  const claimed = ({ client, words, raw }: ReturnType<typeof oneCell>): Words | undefined => {
    let found: Words | undefined;
    const { result, error } = withSleeps(
      () => client.with({ timeout: 130 }).callSync('add', 1, 2),
      () => {
        if (words.word('ready') === 0) return;
        found = words.cell(0);
        raw.serve(answer);
      },
    );
    if (found === undefined) expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    else expect(result).toBe(9);
    return found;
  };

  describe('a claim', () => {
    test.each(PHASES)('a free cell, last left as %s: the next ticket', (phase) => {
      const parties = oneCell({ caller: 0n, state: state(41, phase), epoch: 2, encoding: 0x80000105, total: 99 });
      expect(claimed(parties)).toEqual({
        caller: X,
        state: state(42, 'REQUEST'),
        epoch: 4,
        encoding: numbersEncoding(2),
        length: 16,
        total: 16,
      });
      expect([parties.words.long('cell0.caller'), parties.words.word('cell0.state')]).toEqual([0n, state(42, 'REPLY')]);
    });

    test('tickets begin again after 2^28 - 1', () => {
      expect(claimed(oneCell({ state: state(2 ** 28 - 1, 'REPLY') }))).toMatchObject({
        caller: X,
        state: state(0, 'REQUEST'),
      });
    });

    test.each(PHASES)('a dead caller’s, left as %s: not while the server has it', (phase) => {
      for (const caller of [dead, NO_SUCH_THREAD, EARLIER_NAMESAKE]) {
        const cell = { caller, state: state(7, phase), epoch: 4, slot: 2 };
        const parties = oneCell(cell);
        const found = claimed(parties);
        if (phase === 'TAKEN') expect([found, parties.words.cell(0)]).toEqual([undefined, cell]);
        else expect(found).toMatchObject({ caller: X, state: state(8, 'REQUEST'), epoch: 4 });
      }
    });

    test.each([
      ['a dead caller’s', dead, 4],
      ['given up', givenUp(4, 8), 4],
    ])('a state that has moved on while it was judged is no longer that of its caller: %s', (_whose, caller, epoch) => {
      const parties = oneCell({ caller, state: state(7, 'REPLY'), epoch });
      const { words } = parties;
      const { load } = Atomics;
      // Behind the look at the state of call 7, the caller of call 8 had claimed the cell and made its request, which the server took.
      const spy = vi.spyOn(Atomics, 'load').mockImplementation(((array: BigInt64Array, index: number) => {
        const value = load(array, index);
        if (value === caller) words.plant({ 'cell0.state': state(8, 'TAKEN') });
        return value;
      }) as typeof Atomics.load);
      try {
        expect(claimed(parties)).toBeUndefined();
      } finally {
        spy.mockRestore();
      }
      expect(words.cell(0)).toMatchObject({ caller, state: state(8, 'TAKEN') });
    });

    test('a dead caller’s that a server has whose epoch is over', () => {
      const parties = oneCell({ caller: dead, state: state(7, 'TAKEN'), epoch: 2 });
      expect(claimed(parties)).toMatchObject({ caller: X, state: state(8, 'REQUEST') });
    });

    test.each(PHASES)('one of a caller that lives, or may live, left as %s: never', (phase) => {
      for (const caller of [Z, X]) {
        const cell = { caller, state: state(7, phase), epoch: 2 };
        const parties = oneCell(cell);
        expect([claimed(parties), parties.words.cell(0)]).toEqual([undefined, cell]);
      }
    });

    test.each(PHASES)('given up, and left as %s: unless the server still has it', (phase) => {
      const cell = { caller: givenUp(4, 7), state: state(7, phase), epoch: 4 };
      const parties = oneCell(cell);
      const found = claimed(parties);
      if (phase === 'TAKEN') expect([found, parties.words.cell(0)]).toEqual([undefined, cell]);
      else expect(found).toMatchObject({ caller: X, state: state(8, 'REQUEST') });
    });

    test('given up in an epoch that is over', () => {
      const parties = oneCell({ caller: givenUp(2, 7), state: state(7, 'TAKEN'), epoch: 2 });
      expect(claimed(parties)).toMatchObject({ caller: X, state: state(8, 'REQUEST') });
    });

    test('several calls at once have cells of their own', async () => {
      const { client, words, raw } = libraryCalls<Add>(backend, ['add']);
      const calls = [client.call('add', 1, 0), client.call('add', 2, 0)];
      await until('both are there', () => words.word('ready') === 3);
      expect([words.long('cell0.caller'), words.long('cell1.caller')]).toEqual([X, X]);
      const values = [0, 1].map((k) => asNumbers(words.part(k))[0]);
      expect(values.sort()).toEqual([1, 2]);
      raw.serve(({ bytes }) => ({
        encoding: numbersEncoding(1),
        bytes: numbers((asNumbers(bytes)[0] as number) * 10),
      }));
      expect(await Promise.all(calls)).toEqual([10, 20]);
      expect([words.long('cell0.caller'), words.long('cell1.caller')]).toEqual([0n, 0n]);
    });
  });

  describe('no cell to be had', () => {
    const full = () => oneCell({ caller: Z, state: state(7, 'TAKEN'), epoch: 4 }, { freed: 6 });

    test('waiters = 1, asleep on freed, 50 ms at most; a freed one is taken', () => {
      const { client, words, raw } = full();
      const sleeps: [number, number, number][] = [];
      const { result, error } = withSleeps(
        () => client.callSync('add', 1, 2),
        (n, { index, value, ms }) => {
          if (words.word('ready') === 1) return void raw.serve(answer);
          sleeps.push([index, value, words.word('waiters')]);
          expect(ms).toBeLessThanOrEqual(50);
          if (n === 2) {
            words.plant({ 'cell0.caller': 0n, waiters: 0, freed: 7 });
            return 'woken';
          }
        },
      );
      expect([error, result]).toEqual([undefined, 9]);
      expect(sleeps).toEqual([1, 2, 3].map(() => [words.futexOf('freed'), 6, 1]));
    });

    test('after a sleep, and before it gives up, the dead are looked for', () => {
      const { client, words, raw } = full();
      const { result } = withSleeps(
        () => client.callSync('add', 1, 2),
        (n) => {
          if (n === 1) words.plant({ 'cell0.caller': dead, 'cell0.state': state(7, 'REPLY') });
          if (words.word('ready') === 1) raw.serve(answer);
        },
      );
      expect(result).toBe(9);
      const late = full();
      late.words.plant({ 'cell0.caller': dead, 'cell0.state': state(7, 'WANT') });
      failure('COEXIST_ETIMEDOUT', () => late.client.with({ timeout: 0 }).callSync('add', 1, 2));
      expect(late.words.long('cell0.caller')).toBe(0n);
    });

    test('one that gives up leaves the cells alone', async () => {
      const { client, words } = full();
      const before = words.cell(0);
      const { error } = withSleeps(() => client.with({ timeout: 70 }).callSync('add', 1, 2));
      expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      await rejection('COEXIST_ETIMEDOUT', client.with({ timeout: 5 }).call('add', 1, 2));
      expect([words.cell(0), words.word('ready')]).toEqual([before, 0]);
    });

    test('asynchronous calls wait for a cell, in their turn', async () => {
      const { client, raw, words } = libraryCalls<Add>(backend, ['add']);
      const calls = Array.from({ length: 7 }, (_, k) => client.call('add', k, 0));
      let served = 0;
      while (served < 7) {
        await until('a call is there', () => words.word('ready') !== 0);
        served += raw.serve(({ bytes }) => ({
          encoding: numbersEncoding(1),
          bytes: numbers((asNumbers(bytes)[0] as number) + 100),
        }));
      }
      expect(await Promise.all(calls)).toEqual([100, 101, 102, 103, 104, 105, 106]);
      expect([words.long('cell0.caller'), words.long('cell1.caller')]).toEqual([0n, 0n]);
    });

    test.each([0, 1])('whoever frees a cell with waiters %i', async (waiters) => {
      const { client, words, raw } = libraryCalls<Add>(backend, ['add']);
      words.plant({ waiters, freed: 0xffffffff });
      words.sleepers('freed', 2);
      const call = client.call('add', 1, 2);
      await until('it is there', () => words.word('ready') === 1);
      raw.serve(answer);
      await call;
      expect([words.word('waiters'), words.word('freed')]).toEqual([0, waiters === 1 ? 0 : 0xffffffff]);
      expect(words.asleep('freed')).toBe(waiters === 1 ? 0 : 2);
    });
  });

  describe('a call that is given up', () => {
    const calling = (timeout: number) => {
      const parties = libraryCalls<Add>(backend, ['add']);
      parties.words.plant({ 'cell0.state': state(11, 'REPLY'), waiters: 1 });
      return { ...parties, call: () => parties.client.with({ timeout }).callSync('add', 1, 2) };
    };

    test('as a request: taken back, and the cell is free', () => {
      const { call, words } = calling(60);
      const { error } = withSleeps(call);
      expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      expect([words.long('cell0.caller'), words.word('cell0.state')]).toEqual([0n, state(12, 'IDLE')]);
      expect([words.word('waiters'), words.word('freed')]).toEqual([0, 1]);
    });

    test('while the server has it: -n; the server is told, and frees it when it is through', () => {
      const { call, words, raw, epoch } = calling(60);
      const bell = bellAt(words.bytes, Y_SLOT) >>> 2;
      let taken = 0;
      const { error } = withSleeps(call, (n) => {
        if (n === 0) {
          taken = raw.take(0) as number;
          words.plant({ ready: 0 });
        }
        Atomics.store(words.i32, bell, 1);
      });
      expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      expect(words.long('cell0.caller')).toBe(givenUp(epoch, 12));
      expect([words.word('cell0.state'), words.word('ready'), Atomics.load(words.i32, bell)]).toEqual([
        state(12, 'TAKEN'),
        1,
        0,
      ]);
      expect([words.word('waiters'), words.word('freed')]).toEqual([1, 0]);
      raw.put(0, answer());
      expect(raw.leaveTaken(0, taken, 4)).toBe(true);
      expect([words.long('cell0.caller'), words.word('waiters')]).toEqual([0n, 0]);
    });

    test('a late reply answers nobody', () => {
      const { call, words, raw, client } = calling(60);
      let taken = 0;
      withSleeps(call, (n) => {
        if (n === 0) taken = raw.take(0) as number;
      });
      // The server forgets about it, and its epoch ends.
      words.plant({ server: 0n });
      raw.open(['add']);
      const { result } = withSleeps(
        () => client.callSync('add', 5, 5),
        () => {
          words.plant({ ready: 0 });
          for (let k = 0; k < words.cells; k++) expect(raw.leaveTaken(k, taken, 4)).toBe(false);
          words.plant({ ready: 3 });
          raw.serve(answer);
        },
      );
      expect(result).toBe(9);
    });

    test('by its signal', async () => {
      const { client, words, raw, epoch } = libraryCalls<Add>(backend, ['add']);
      const controller = new AbortController();
      const call = client.with({ signal: controller.signal }).call('add', 1, 2);
      await until('it is there', () => words.word('ready') === 1);
      raw.take(0);
      controller.abort();
      await rejection('COEXIST_EABORTED', call);
      expect(words.long('cell0.caller')).toBe(givenUp(epoch, words.ticket(0)));
      expect(words.phase(0)).toBe('TAKEN');
    });

    test('the library’s server frees it, with REPLY or WANT, and wakes who waits', () => {
      for (const total of [16, 32]) {
        const { words, raw, epoch, serveNow } = libraryServes(backend, {
          add(a: number, b: number) {
            words.plant({ 'cell0.caller': givenUp(2, words.ticket(0)), waiters: 1 });
            return a + b;
          },
        });
        const k = raw.claim() as number;
        raw.request(k, epoch, { encoding: numbersEncoding(total / 8), bytes: numbers(1, 2), total });
        if (total === 32) words.plant({ 'cell0.caller': givenUp(2, words.ticket(0)), waiters: 1 });
        words.sleepers('freed', 1);
        serveNow();
        expect(words.phase(k)).not.toBe('TAKEN');
        expect([words.long(`cell${k}.caller`), words.word('waiters'), words.word('freed')]).toEqual([0n, 0, 1]);
        expect(words.asleep('freed')).toBe(0);
      }
    });
  });

  test('only the fields of the own turn are written: while the server has a cell, the caller writes none', () => {
    const { client, words, raw } = libraryCalls<Add>(backend, ['add']);
    const bytesOf = (): string => {
      const start = words.dataAt(0) - CELL_DATA_OFFSET;
      return Buffer.from(words.bytes.u8.slice(start, start + words.cellBytes)).toString('base64');
    };
    let before = '';
    const { result } = withSleeps(
      () => client.callSync('add', 1, 2),
      (n) => {
        if (n === 0) {
          raw.take(0);
          before = bytesOf();
        } else expect(bytesOf()).toBe(before);
        if (n === 4) {
          raw.put(0, answer());
          raw.leaveTaken(0, words.word('cell0.state'), 4);
        }
      },
    );
    expect(result).toBe(9);
  });
});
