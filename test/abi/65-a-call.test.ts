// Clause 65: a call: what the caller writes, when it looks again, and what a server does with what it finds ready.

import { PHASE_REPLY } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, type Backend } from '../support/backends.js';
import { asNumbers, bellAt, numbers, numbersEncoding, state } from '../support/call-memory.js';
import { libraryCalls, libraryServes, Y, Y_SLOT } from '../support/call-parties.js';
import { withSleeps } from '../support/sleeps.js';
import { ownIdentity } from '../support/threads.js';

const X = ownIdentity();
type Add = { add(a: number, b: number): number };
const answer = () => ({ encoding: numbersEncoding(1), bytes: numbers(9) });

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe('the caller', () => {
    test('writes epoch, method, encoding, length, total, its slot and its part; nothing outside', () => {
      const { client, words, raw, epoch } = libraryCalls<Add>(backend, ['no', 'add']);
      words.plant({ 'cell0.slot': 99, 'cell0.port': 98 });
      const bells: [number, number][] = [0, Y_SLOT].map((slot) => [
        bellAt(words.bytes, slot),
        bellAt(words.bytes, slot) + 4,
      ]);
      const outside = words.outside(...bells);
      let found: unknown;
      const { result } = withSleeps(
        () => client.callSync('add', 1.5, -0),
        () => {
          const { port, ...cell } = words.cell(0);
          expect(port).not.toBe(98);
          found = [cell, asNumbers(words.part(0)), words.word('ready')];
          expect(words.outside(...bells)).toBe(outside);
          raw.serve(answer);
        },
      );
      const expected = { caller: X, state: state(1, 'REQUEST'), epoch, method: 1, encoding: numbersEncoding(2) };
      expect([result, found]).toEqual([9, [{ ...expected, length: 16, total: 16 }, [1.5, -0], 1]]);
    });

    test('sets its bit, and leaves the others', () => {
      const { client, words, raw } = libraryCalls<Add>(backend, ['add']);
      words.plant({ ready: 0x80000002 });
      withSleeps(
        () => client.callSync('add', 1, 2),
        () => {
          expect(words.word('ready')).toBe(0x80000003);
          raw.serve(answer);
        },
      );
      expect(words.word('ready')).toBe(0);
    });

    test('after 50 ms without an answer, still REQUEST: the bit again; TAKEN: not', () => {
      const { client, words, raw } = libraryCalls<Add>(backend, ['add']);
      const bits: number[] = [];
      withSleeps(
        () => client.callSync('add', 1, 2),
        (n) => {
          bits.push(words.word('ready'));
          words.plant({ ready: 0 });
          if (n === 2) raw.take(0);
          if (n === 5) {
            raw.put(0, answer());
            raw.leaveTaken(0, words.word('cell0.state'), PHASE_REPLY);
          }
        },
      );
      expect(bits).toEqual([1, 1, 1, 0, 0, 0]);
    });

    test('one that found its answer does not sleep', () => {
      const { client, words, raw } = libraryCalls<Add>(backend, ['add']);
      const { sleeps, result } = withSleeps(
        () => client.callSync('add', 1, 2),
        () => {
          raw.serve(answer);
        },
      );
      expect([sleeps.length, result, words.long('cell0.caller')]).toEqual([1, 9, 0n]);
    });
  });

  describe('the server', () => {
    const adding = (ran: number[] = []) => ({
      ...libraryServes(backend, {
        add: (a: number, b: number) => {
          ran.push(a);
          return a + b;
        },
      }),
      ran,
    });

    test('looks at each cell whose bit is set, and at no other', () => {
      const { words, raw, epoch, serveNow, ran } = adding();
      for (const n of [1, 2]) {
        raw.request(raw.claim() as number, epoch, { encoding: numbersEncoding(2), bytes: numbers(n, 0) });
      }
      words.plant({ ready: 2 });
      expect([serveNow(), ran, words.phase(0), words.phase(1), words.word('ready')]).toEqual([
        1,
        [2],
        'REQUEST',
        'REPLY',
        0,
      ]);
      words.plant({ ready: 1 });
      expect([serveNow(), ran, words.phase(0)]).toEqual([1, [2, 1], 'REPLY']);
    });

    test('a bit without a request, or of no cell, means nothing', () => {
      const { words, serveNow, ran } = adding();
      for (const phase of ['IDLE', 'TAKEN', 'WANT', 'REPLY', 'GONE'] as const) {
        words.plant({ 'cell0.caller': Y, 'cell0.state': state(3, phase), 'cell0.epoch': 2, ready: 0xffffffff });
        const before = words.cell(0);
        expect([serveNow(), words.cell(0), words.word('ready')]).toEqual([0, before, 0]);
      }
      expect(ran).toEqual([]);
    });

    test('another epoch than its own: GONE, nothing runs', () => {
      const { words, raw, serveNow, ran } = adding();
      const bell = bellAt(words.bytes, Y_SLOT) >>> 2;
      for (const epoch of [0, 1, 4, 0xfffffffe]) {
        const k = raw.claim() as number;
        Atomics.store(words.i32, bell, 1);
        raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(1, 0) });
        serveNow();
        expect([words.phase(k), Atomics.load(words.i32, bell)]).toEqual(['GONE', 0]);
        raw.free(k);
      }
      expect(ran).toEqual([]);
    });

    test('runs a method at most once for each ticket, however often the bit is set', () => {
      const { words, raw, epoch, serveNow, ran } = adding();
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(5, 0) });
      for (let n = 0; n < 5; n++) {
        words.plant({ ready: 1 });
        serveNow();
      }
      expect([ran, words.phase(k), asNumbers(words.part(k))]).toEqual([[5], 'REPLY', [5]]);
    });

    test('a request that was taken back is not served', () => {
      const { words, raw, epoch, serveNow, ran } = adding();
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(5, 0) });
      expect(raw.giveUp(k)).toBe('freed');
      expect([serveNow(), ran, words.word(`cell${k}.state`), words.long(`cell${k}.caller`)]).toEqual([
        0,
        [],
        state(1, 'IDLE'),
        0n,
      ]);
    });

    test('methods end in any order', async () => {
      const finish: ((value: number) => void)[] = [];
      const { words, raw, epoch, serveNow } = libraryServes(backend, {
        slow: (n: number) => new Promise<number>((resolve) => (finish[n] = resolve)),
      });
      for (const n of [0, 1]) {
        raw.request(raw.claim() as number, epoch, { encoding: numbersEncoding(1), bytes: numbers(n) });
      }
      serveNow();
      expect([words.phase(0), words.phase(1), finish.length]).toEqual(['TAKEN', 'TAKEN', 2]);
      finish[1]?.(22);
      await until('the second has an answer', () => words.phase(1) === 'REPLY');
      expect([words.phase(0), asNumbers(words.part(1))]).toEqual(['TAKEN', [22]]);
      finish[0]?.(11);
      await until('the first, too', () => words.phase(0) === 'REPLY');
      expect(asNumbers(words.part(0))).toEqual([11]);
    });

    test('serves in its event loop what nobody runs it for', async () => {
      const { words, raw, epoch } = adding();
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(5, 1) });
      await until('it is answered', () => raw.answered(k));
      expect(asNumbers(words.part(k))).toEqual([6]);
    });

    test('a caller that gave up: its method is told by the signal', async () => {
      let signal: AbortSignal | undefined;
      const { words, raw, epoch, serveNow } = libraryServes(backend, {
        slow(this: { readonly signal: AbortSignal }) {
          signal = this.signal;
          return new Promise(() => {});
        },
      });
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      expect(signal?.aborted).toBe(false);
      expect(raw.giveUp(k)).toBe('given up');
      serveNow();
      expect([signal?.aborted, words.phase(k)]).toEqual([true, 'TAKEN']);
    });

    test('and by the server’s end', () => {
      let signal: AbortSignal | undefined;
      const { server, raw, epoch, serveNow } = libraryServes(backend, {
        slow(this: { readonly signal: AbortSignal }) {
          signal = this.signal;
          return new Promise(() => {});
        },
      });
      raw.request(raw.claim() as number, epoch, { encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      server.close();
      expect(signal?.aborted).toBe(true);
    });

    test('says who calls', () => {
      let caller: unknown;
      const { raw, epoch, serveNow } = libraryServes(backend, {
        who(this: { readonly caller: { readonly slot: number } }) {
          caller = this.caller.slot;
        },
      });
      raw.request(raw.claim() as number, epoch, { encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      expect(caller).toBe(Y_SLOT);
    });
  });
});
