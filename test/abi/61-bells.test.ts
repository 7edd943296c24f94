// Clause 61: bells: one word in the block of a slot, on which a thread sleeps that waits for several things, and the functions by
// which a thread that blocks serves what others ask of it.

import * as workerThreads from 'node:worker_threads';
import { BELL_BYTES, BELL_KEY, KINDS, SERVING_KEY } from 'coexist/abi';
import { connect, serve } from 'coexist/call';
import { describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, type Backend, on } from '../support/backends.js';
import { asNumbers, bellAt, channelWords, numbers, numbersEncoding } from '../support/call-memory.js';
import { CELLS, callArea, libraryCalls, libraryServes, Y, Y_SLOT } from '../support/call-parties.js';
import { entryOf } from '../support/object-words.js';
import { withSleeps } from '../support/sleeps.js';

type Add = { add(a: number, b: number): number };
const sum = ({ bytes }: { readonly bytes: Uint8Array }) => {
  const [a, b] = asNumbers(bytes) as [number, number];
  return { encoding: numbersEncoding(1), bytes: numbers(a + b) };
};

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const adding = () => {
    const parties = libraryCalls<Add>(backend, ['add']);
    const { words } = parties;
    const bell = (slot: number): number => bellAt(words.bytes, slot) >>> 2;
    return { ...parties, bell, load: (slot: number): number => Atomics.load(words.i32, bell(slot)) };
  };

  test('a key of one word, which a connection and a server make', () => {
    for (const { words } of [libraryCalls(backend, []), libraryServes(backend, {})]) {
      const entry = entryOf(words.bytes, 'key', BELL_KEY);
      expect([entry.version, entry.size]).toEqual([1, BELL_BYTES]);
      expect(words.bytes.entry(entry.number, 'flags')).toBe(0);
      expect(words.bytes.entry(entry.number, 'kind')).toBe(KINDS.key.number);
    }
  });

  test('ring: 1 → 0, and all who sleep there are woken', async () => {
    const { client, words, raw, bell, load } = adding();
    Atomics.store(words.i32, bell(Y_SLOT), 1);
    for (let k = 0; k < 2; k++) Atomics.waitAsync(words.i32, bell(Y_SLOT), 1, 20_000);
    const result = client.call('add', 2, 3);
    await until('the request is there', () => words.phase(0) === 'REQUEST' && load(Y_SLOT) === 0);
    expect(Atomics.notify(words.i32, bell(Y_SLOT))).toBe(0);
    raw.serve(sum);
    expect(await result).toBe(5);
  });

  test('a bell that is 0 is left alone: nobody is woken', async () => {
    const { client, words, raw, bell, load } = adding();
    for (let k = 0; k < 2; k++) Atomics.waitAsync(words.i32, bell(Y_SLOT), 0, 20_000);
    const result = client.call('add', 2, 3);
    await until('the request is there', () => words.phase(0) === 'REQUEST' && words.word('ready') === 1);
    raw.serve(sum);
    expect(await result).toBe(5);
    expect([load(Y_SLOT), Atomics.notify(words.i32, bell(Y_SLOT))]).toEqual([0, 2]);
  });

  test('sleep: 1, one more look, and asleep on the bell of the own slot for 50 ms at most', () => {
    const { client, words, raw, bell, load } = adding();
    const { sleeps, result, error } = withSleeps(
      () => client.callSync('add', 2, 3),
      (n, sleep) => {
        expect([sleep.index, sleep.value, load(0)]).toEqual([bell(0), 1, 1]);
        expect(sleep.ms).toBeGreaterThan(0);
        expect(sleep.ms).toBeLessThanOrEqual(50);
        if (n < 2) return;
        raw.serve(sum);
        expect(load(0)).toBe(0);
        return 'woken';
      },
    );
    expect([error, result, sleeps.length]).toEqual([undefined, 5, 3]);
    expect(words.cell(0)['caller']).toBeUndefined();
  });

  test('a wake-up for something else: the caller looks, and sleeps again', () => {
    const { client, words, raw, bell } = adding();
    const { sleeps, result } = withSleeps(
      () => client.callSync('add', 20, 3),
      (n) => {
        if (n === 4) raw.serve(sum);
        else Atomics.store(words.i32, bell(0), 0);
        return 'woken';
      },
    );
    expect([sleeps.length, result]).toEqual([5, 23]);
  });

  test('who has not seen a step for 50 ms wakes all on the other one’s bell, whatever it is', () => {
    for (const value of [0, 1]) {
      const { client, words, raw, bell } = adding();
      let woken = -1;
      const { result, sleeps } = withSleeps(
        () => client.callSync('add', 1, 3),
        (n) => {
          if (n === 0) {
            // A ringer that died between its two steps; the bit was taken with it.
            Atomics.store(words.i32, bell(Y_SLOT), value);
            words.plant({ ready: 0 });
            Atomics.waitAsync(words.i32, bell(Y_SLOT), value, 20_000);
            return;
          }
          woken = 1 - Atomics.notify(words.i32, bell(Y_SLOT));
          raw.serve(sum);
        },
      );
      expect([woken, result, sleeps.length]).toEqual([1, 4, 2]);
    }
  });

  test('what the last owner of a slot left in the bell does no harm', () => {
    const area = callArea(backend);
    const first = libraryCalls<Add>(backend, ['add'], { area });
    for (const left of [0, 1, 2, 0xffffffff]) {
      first.client.close();
      for (const slot of [0, Y_SLOT]) Atomics.store(first.words.bytes.u32, bellAt(first.words.bytes, slot) >>> 2, left);
      const client = on(backend, () => connect<Add>('calc', { area }));
      const { result } = withSleeps(
        () => client.callSync('add', 4, 4),
        () => {
          first.raw.serve(sum);
          return 'woken';
        },
      );
      expect(result).toBe(8);
      client.close();
    }
  });

  test('a server that answers rings the caller', () => {
    const { words, raw, epoch, serveNow } = libraryServes(backend, { add: (a: number, b: number) => a + b });
    const bell = bellAt(words.bytes, Y_SLOT) >>> 2;
    const k = raw.claim() as number;
    raw.request(k, epoch, { method: 0, encoding: numbersEncoding(2), bytes: numbers(1, 2) });
    Atomics.store(words.i32, bell, 1);
    Atomics.waitAsync(words.i32, bell, 1, 20_000);
    expect(serveNow()).toBe(1);
    expect([Atomics.load(words.i32, bell), Atomics.notify(words.i32, bell)]).toEqual([0, 0]);
  });

  test('a server that blocks sleeps on its bell as well', () => {
    const { server, words, raw, epoch } = libraryServes(backend, { add: (a: number, b: number) => a + b });
    const bell = bellAt(words.bytes, 0) >>> 2;
    const { sleeps, result } = withSleeps(
      () => server.run({ timeout: 120 }),
      (n, sleep) => {
        expect([sleep.index, sleep.value, Atomics.load(words.i32, bell)]).toEqual([bell, 1, 1]);
        expect(sleep.ms).toBeLessThanOrEqual(50);
        if (n !== 1) return;
        raw.request(raw.claim() as number, epoch, { encoding: numbersEncoding(2), bytes: numbers(1, 2) });
        expect(Atomics.load(words.i32, bell)).toBe(0);
        return 'woken';
      },
    );
    expect(result).toBe(1);
    expect(sleeps.length).toBeGreaterThanOrEqual(3);
    expect(words.phase(0)).toBe('REPLY');
  });

  describe('the serving functions', () => {
    const shelf = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, (() => unknown)[]>;
    const key = Symbol.for(SERVING_KEY);
    const functions = (): (() => unknown)[] => shelf[key] as (() => unknown)[];

    test('one array per thread, defined as the anchors are', () => {
      libraryServes(backend, {}).server.close();
      const { writable, configurable, enumerable, value } = Object.getOwnPropertyDescriptor(shelf, key) ?? {};
      expect([writable, configurable, enumerable, Array.isArray(value)]).toEqual([false, false, false, true]);
      expect(Object.keys(workerThreads)).not.toContain(SERVING_KEY);
    });

    test('a server has one there while it is open; calling them serves what has arrived, waits for nothing and throws nothing', () => {
      const before = functions().length;
      const { server, words, raw, epoch } = libraryServes(backend, {
        add: (a: number, b: number) => {
          if (a === 0) throw new Error('planned');
          return a + b;
        },
      });
      expect(functions().length).toBeGreaterThan(0);
      const { sleeps } = withSleeps(() => {
        for (const serveAll of functions()) serveAll();
        for (const a of [0, 1]) {
          const k = raw.claim() as number;
          raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(a, 2) });
          for (const serveAll of functions()) serveAll();
          expect(words.phase(k)).toBe('REPLY');
          expect(words.word(`cell${k}.encoding`) >>> 31).toBe(a === 0 ? 1 : 0);
          raw.free(k);
        }
      });
      expect(sleeps).toEqual([]);
      server.close();
      expect(functions().length).toBeLessThanOrEqual(Math.max(before, 1));
      const k = raw.claim() as number;
      raw.request(k, epoch, { encoding: numbersEncoding(2), bytes: numbers(1, 2) });
      for (const serveAll of functions()) serveAll();
      expect(words.phase(k)).toBe('REQUEST');
    });

    test('a server whose user forbids it has none', () => {
      const { raw, words, epoch, serveNow } = libraryServes(backend, { add: (a: number) => a }, { nested: false });
      raw.request(raw.claim() as number, epoch, { encoding: numbersEncoding(1), bytes: numbers(1) });
      for (const serveAll of functions() ?? []) serveAll();
      expect(words.phase(0)).toBe('REQUEST');
      expect([serveNow(), words.phase(0)]).toEqual([1, 'REPLY']);
    });

    test('who blocks in a call calls all of them before each sleep', () => {
      const { client, words, raw } = adding();
      let calls = 0;
      let seen = 0;
      const other = (): void => void calls++;
      functions().push(other);
      const { sleeps, result } = withSleeps(
        () => client.callSync('add', 1, 1),
        (n) => {
          expect(calls).toBeGreaterThan(seen);
          seen = calls;
          if (n === 3) raw.serve(sum);
        },
      );
      functions().splice(functions().indexOf(other), 1);
      expect([sleeps.length, result, words.word('ready')]).toEqual([4, 2, 0]);
    });

    test('so two threads that call each other, blocking, both get their answers', () => {
      const area = callArea(backend);
      const { client, raw: server } = libraryCalls<Add>(backend, ['add'], { area });
      const twice = on(backend, () => serve('twice', { twice: (a: number) => 2 * a }, { area, ...CELLS }));
      const back = channelWords(area, 'twice');
      const caller = back.raw(Y, Y_SLOT);
      const epoch = twice.epoch;
      const { result } = withSleeps(
        () => client.callSync('add', 1, 2),
        (n) => {
          if (n === 0)
            caller.request(caller.claim() as number, epoch, { encoding: numbersEncoding(1), bytes: numbers(7) });
          else {
            expect([back.phase(0), asNumbers(back.part(0))]).toEqual(['REPLY', [14]]);
            server.serve(sum);
          }
        },
      );
      expect(result).toBe(3);
      twice.close();
    });
  });
});
