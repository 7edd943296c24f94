// Clause 63: serving: who may open a channel, what opening and closing do to the cells of others, and when an epoch is over.

import { givenUp } from 'coexist/abi';
import { connect, serve } from 'coexist/call';
import { describe, expect, test, vi } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { bellAt, channelWords, numbers, numbersEncoding, type Phase, state } from '../support/call-memory.js';
import { CELLS, callArea, libraryCalls, libraryServes, Y, Y_SLOT } from '../support/call-parties.js';
import { failure, rejection } from '../support/failures.js';
import { forgottenThread } from '../support/lock-memory.js';
import type { Words } from '../support/object-words.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';

const X = ownIdentity();
const dead = await forgottenThread();
const PHASES: readonly Phase[] = ['IDLE', 'REQUEST', 'TAKEN', 'WANT', 'REPLY', 'GONE'];
type Add = { add(a: number, b: number): number };

describe.each(BACKENDS)('%s', (backend: Backend) => {
  /** A channel with these words, which nobody of the library has open. */
  const forged = (words: Words = {}) => {
    const area = callArea(backend);
    on(backend, () => connect('calc', { area, ...CELLS })).close();
    const channel = channelWords(area, 'calc');
    channel.plant(words);
    const open = () => on(backend, () => serve('calc', { add: (a: number, b: number) => a + b }, { area }));
    return { area, channel, open };
  };

  describe('open', () => {
    test.each([
      ['nobody', 0n],
      ['a dead thread', dead],
      ['a thread that never was', NO_SUCH_THREAD],
      ['an earlier thread of the same number', EARLIER_NAMESAKE],
    ])('after %s: an even epoch gets 2 more, an odd one 1', (_, server) => {
      for (const [epoch, next] of [
        [0, 2],
        [1, 2],
        [6, 8],
        [7, 8],
      ] as const) {
        const { channel, open } = forged({ server, epoch, slot: 9, port: 5 });
        const serving = open();
        expect(channel.words()).toMatchObject({ server: X, epoch: next });
        expect([serving.epoch, channel.word('slot'), channel.names()]).toEqual([next, 0, ['add']]);
        expect(channel.word('port')).not.toBe(5);
      }
    });

    test('where this thread was cut while it opened: it goes on', () => {
      const { channel, open } = forged({ server: X, epoch: 3 });
      expect([open().epoch, channel.word('epoch'), channel.long('server')]).toEqual([4, 4, X]);
    });

    test('another server that lives, or of which nobody can tell: COEXIST_EEXIST, nothing changed', () => {
      for (const epoch of [2, 3]) {
        const { channel, open } = forged({ server: Y, epoch, slot: 2, 'cell0.state': state(1, 'REQUEST') });
        const before = channel.words();
        failure('COEXIST_EEXIST', open);
        expect(channel.words()).toEqual(before);
      }
    });

    test('this thread serves it already: COEXIST_EEXIST, nothing changed', () => {
      const { channel, open } = forged();
      const serving = open();
      const before = channel.words();
      failure('COEXIST_EEXIST', open);
      expect(channel.words()).toEqual(before);
      serving.close();
      expect(open().epoch).toBe(4);
    });

    test.each(PHASES)('%s: REQUEST and TAKEN end, their callers are rung; others stay', (phase) => {
      const { channel, open } = forged({
        server: dead,
        epoch: 4,
        'cell1.caller': Y,
        'cell1.state': state(77, phase),
        'cell1.epoch': 4,
        'cell1.slot': Y_SLOT,
      });
      const bell = bellAt(channel.bytes, Y_SLOT) >>> 2;
      Atomics.store(channel.i32, bell, 1);
      open();
      const ended = phase === 'REQUEST' || phase === 'TAKEN';
      expect([channel.ticket(1), channel.phase(1)]).toEqual([77, ended ? 'GONE' : phase]);
      expect([channel.long('cell1.caller'), Atomics.load(channel.i32, bell)]).toEqual([Y, ended ? 0 : 1]);
    });

    test.each(PHASES)('%s: a call that was given up frees its cell', (phase) => {
      const { channel, open } = forged({
        server: dead,
        epoch: 4,
        waiters: 1,
        'cell0.caller': givenUp(4, 9),
        'cell0.state': state(9, phase),
        'cell0.epoch': 4,
      });
      channel.sleepers('freed', 1);
      open();
      expect([channel.long('cell0.caller'), channel.word('freed'), channel.word('waiters')]).toEqual([0n, 1, 0]);
      expect(channel.asleep('freed')).toBe(0);
      expect(channel.phase(0)).not.toBe('TAKEN');
    });

    test('whoever waits for the epoch is woken', () => {
      const { channel, open } = forged({ epoch: 1 });
      channel.sleepers('epoch', 2);
      open();
      expect(channel.asleep('epoch')).toBe(0);
    });

    test('epoch is odd while names and cells change', () => {
      if (backend === 'wasm') return expect(backend).toBe('wasm'); // steps in wasm are not seen from here
      const { channel, open } = forged({
        server: dead,
        epoch: 2,
        'cell0.caller': Y,
        'cell0.state': state(3, 'TAKEN'),
        'cell0.epoch': 2,
      });
      const epochs: number[] = [];
      for (const method of ['store', 'compareExchange', 'add', 'notify'] as const) {
        const original = Atomics[method] as (...args: unknown[]) => unknown;
        vi.spyOn(Atomics, method as 'store').mockImplementation(((
          view: Int32Array,
          index: number,
          ...rest: unknown[]
        ) => {
          const before = channel.word('cell0.state');
          const epoch = Atomics.load(channel.i32, channel.futexOf('epoch'));
          const result = original.call(Atomics, view, index, ...rest);
          if (channel.word('cell0.state') !== before) epochs.push(epoch);
          return result;
        }) as never);
      }
      open();
      vi.restoreAllMocks();
      expect(epochs).toEqual([3]);
    });
  });

  describe('close', () => {
    const closing = (words: Words = {}) => {
      const parties = libraryServes(backend, { add: (a: number, b: number) => a + b });
      parties.words.plant(words);
      return parties;
    };

    test.each(PHASES)('%s: REQUEST, TAKEN and WANT end, their callers are rung; others stay', (phase) => {
      const { server, words } = closing({
        'cell1.caller': Y,
        'cell1.state': state(5, phase),
        'cell1.epoch': 2,
        'cell1.slot': Y_SLOT,
      });
      const bell = bellAt(words.bytes, Y_SLOT) >>> 2;
      Atomics.store(words.i32, bell, 1);
      server.close();
      const ended = phase === 'REQUEST' || phase === 'TAKEN' || phase === 'WANT';
      expect([words.ticket(1), words.phase(1), words.long('server')]).toEqual([5, ended ? 'GONE' : phase, 0n]);
      expect([words.long('cell1.caller'), Atomics.load(words.i32, bell)]).toEqual([Y, ended ? 0 : 1]);
    });

    test.each(['REQUEST', 'TAKEN', 'WANT'] as const)('%s of another epoch is another server’s', (phase) => {
      const cell = { caller: Y, state: state(5, phase), epoch: 4, slot: Y_SLOT };
      const { server, words } = closing(Object.fromEntries(Object.entries(cell).map(([k, v]) => [`cell1.${k}`, v])));
      server.close();
      expect(words.cell(1)).toEqual(cell);
    });

    test('calls that were given up free their cells, of this epoch only', () => {
      const { server, words } = closing({
        'cell0.caller': givenUp(2, 5),
        'cell0.state': state(5, 'TAKEN'),
        'cell0.epoch': 2,
        'cell1.caller': givenUp(4, 5),
        'cell1.state': state(5, 'TAKEN'),
        'cell1.epoch': 4,
        waiters: 1,
      });
      server.close();
      expect([words.long('cell0.caller'), words.long('cell1.caller')]).toEqual([0n, givenUp(4, 5)]);
      expect([words.word('waiters'), words.word('freed')]).toEqual([0, 1]);
    });

    test('twice, or after another one has opened: nothing changed', () => {
      const { server, words, raw } = closing();
      server.close();
      const before = words.words();
      server.close();
      expect(words.words()).toEqual(before);
      expect(raw.open(['other'])).toBe(4);
      words.plant({ 'cell0.caller': X, 'cell0.state': state(1, 'REQUEST'), 'cell0.epoch': 4 });
      const served = words.words();
      server.close();
      expect(words.words()).toEqual(served);
    });

    test('a method that ends after that writes nothing', async () => {
      let finish = (_: number): void => {};
      const area = callArea(backend);
      const { server, words, raw, epoch, serveNow } = libraryServes(
        backend,
        { slow: () => new Promise<number>((resolve) => (finish = resolve)) },
        { area },
      );
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: 0, bytes: new Uint8Array(0) });
      serveNow();
      expect(words.phase(k)).toBe('TAKEN');
      server.close();
      expect(words.phase(k)).toBe('GONE');
      const before = Buffer.from(words.bytes.u8.slice(words.at, words.at + words.size)).toString('base64');
      finish(5);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(Buffer.from(words.bytes.u8.slice(words.at, words.at + words.size)).toString('base64')).toBe(before);
    });
  });

  describe('who calls', () => {
    const calling = (words: Words = {}, timeout?: number) => {
      const area = callArea(backend);
      const client = on(backend, () =>
        connect<Add>('calc', { area, ...CELLS, ...(timeout !== undefined && { timeout }) }),
      );
      const channel = channelWords(area, 'calc');
      channel.plant(words);
      return { client, channel, raw: channel.raw(Y, Y_SLOT) };
    };
    const answer = () => ({ encoding: numbersEncoding(1), bytes: numbers(9) });

    test('nobody has served yet: waits on epoch, 50 ms at most, and calls once somebody does', () => {
      const { client, channel, raw } = calling();
      const { sleeps, result, error } = withSleeps(
        () => client.callSync('add', 1, 2),
        (n, { index, value, ms }) => {
          if (n < 3) expect([index, value, ms <= 50]).toEqual([channel.futexOf('epoch'), 0, true]);
          if (n === 2) raw.open(['add']);
          if (n >= 3) raw.serve(answer);
        },
      );
      expect([error, result, sleeps.length]).toEqual([undefined, 9, 4]);
    });

    test('nobody comes: COEXIST_ETIMEDOUT, no cell is touched', async () => {
      const { client, channel } = calling({}, 120);
      const before = channel.words();
      const { error } = withSleeps(() => client.callSync('add', 1, 2));
      expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      await rejection('COEXIST_ETIMEDOUT', client.with({ timeout: 5 }).call('add', 1, 2));
      await rejection('COEXIST_EABORTED', client.with({ signal: AbortSignal.timeout(5) }).call('add', 1, 2));
      expect(channel.words()).toEqual(before);
    });

    test('while epoch is odd and its server lives, as well', () => {
      const { client, channel, raw } = calling({ server: Y, epoch: 5 });
      const { sleeps, result } = withSleeps(
        () => client.callSync('add', 1, 2),
        (n, { index, value }) => {
          if (n < 2) expect([index, value]).toEqual([channel.futexOf('epoch'), 5]);
          if (n === 1) raw.open(['add']);
          if (n >= 2) raw.serve(answer);
        },
      );
      expect([result, sleeps.length, channel.word('epoch')]).toEqual([9, 3, 6]);
    });

    test.each([
      ['none', 0n, 4],
      ['a dead one', dead, 4],
      ['one that died while it opened', dead, 5],
    ])('no server but %s: COEXIST_EGONE at once, no cell is touched', async (_, server, epoch) => {
      const { client, channel } = calling({ server, epoch });
      const before = channel.words();
      const { sleeps, error } = withSleeps(() => client.callSync('add', 1, 2));
      expect([(error as { code?: string }).code, sleeps.length]).toEqual(['COEXIST_EGONE', 0]);
      await rejection('COEXIST_EGONE', client.call('add', 1, 2));
      expect(channel.words()).toEqual(before);
    });

    test('the epoch is over while the server has the call: COEXIST_EGONE, and the cell can be had again', () => {
      const ends: readonly [string, (parties: ReturnType<typeof calling>) => void][] = [
        ['closed', ({ raw }) => raw.close()],
        ['server is 0 only', ({ channel }) => channel.plant({ server: 0n })],
        ['dead', ({ channel }) => channel.plant({ server: dead })],
        ['another epoch', ({ channel }) => channel.plant({ epoch: channel.word('epoch') + 2 })],
      ];
      for (const [name, end] of ends) {
        for (const taken of [false, true]) {
          const parties = calling();
          parties.raw.open(['add']);
          const { error, sleeps } = withSleeps(
            () => parties.client.callSync('add', 1, 2),
            (n) => {
              if (n !== 0) return;
              if (taken) parties.raw.take(0);
              end(parties);
            },
          );
          expect([name, taken, (error as { code?: string }).code]).toEqual([name, taken, 'COEXIST_EGONE']);
          expect(sleeps.length).toBeLessThanOrEqual(2);
          expect(parties.channel.long('cell0.caller')).toBe(0n);
          expect(parties.raw.claim()).toBe(0);
        }
      }
    });

    test('asynchronous ones find it as well', async () => {
      const { client, words: channel, raw, epoch } = libraryCalls<Add>(backend, ['add']);
      const calls = [client.call('add', 1, 2), client.call('add', 3, 4)];
      const failures = Promise.all(calls.map((call) => rejection('COEXIST_EGONE', call)));
      await until('both are there', () => channel.word('ready') === 3);
      raw.take(1);
      channel.plant({ server: dead });
      await failures;
      expect([channel.long('cell0.caller'), channel.long('cell1.caller'), epoch]).toEqual([0n, 0n, 2]);
    });

    test('the next server is called as if nothing had been', () => {
      const { client, channel, raw } = calling();
      raw.open(['add']);
      raw.close();
      failure('COEXIST_EGONE', () => client.callSync('add', 1, 2));
      raw.open(['other', 'add']);
      let method = -1;
      const { result } = withSleeps(
        () => client.callSync('add', 1, 2),
        () => {
          method = channel.word('cell0.method');
          raw.serve(answer);
        },
      );
      expect([result, method]).toEqual([9, 1]);
    });
  });
});
