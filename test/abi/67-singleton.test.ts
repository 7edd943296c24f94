// Clause 67: the object of a key: its phases, who may leave each of them and how, and what is found where somebody died.

import { HOLDERS_OFFSET } from 'coexist/abi';
import { describe, expect, test } from 'vitest';
import { BACKENDS, type Backend } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { D, forgottenThread, W } from '../support/lock-memory.js';
import type { Words } from '../support/object-words.js';
import { held, live, type SingletonPhase, singletonWords, stateWord } from '../support/singleton-memory.js';
import { declared, forged, KEY, KIND_NUMBERS, type Kind } from '../support/singleton-parties.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const MEMORY: readonly Kind[] = ['memory', 'memory of its creator'];
const ALL: readonly Kind[] = [...MEMORY, 'hosted'];
const PHASES: readonly SingletonPhase[] = ['EMPTY', 'CONSTRUCTING', 'LIVE', 'DYING', 'FINALIZING', 'FAILED'];

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(ALL)('%s', (kind) => {
    test('from nothing to nothing: what is written in each phase, and nothing else', () => {
      const found: Words[] = [];
      const look = (): void => void found.push(singletonWords(parties.area, KEY).state());
      const parties = declared(backend, kind, { create: look, finalize: look });
      const reference = parties.one.acquire();
      const words = singletonWords(parties.area, KEY);
      expect([words.entry.version, words.entry.size]).toEqual([1, 320 + 16 * words.rows]);
      const type = words.word('type');
      const common = { holders: words.rows, type, kind: KIND_NUMBERS[kind], actor: X };
      const { holders_used, epoch, ...during } = found[0] as Words;
      expect(withoutRows(during)).toEqual({ ...common, state: stateWord('CONSTRUCTING', 0) });
      expect(epoch).toBeUndefined();
      expect(Number(holders_used ?? 0)).toBeLessThanOrEqual(1);
      const living = { ...common, holders_used: 1, state: live(0), ...held(0, X, 1, live(0)) };
      const { epoch: opened, ...alive } = words.state();
      expect(alive).toEqual(living);
      expect(opened).toBe(kind === 'hosted' ? 2 : undefined);
      expect([reference.created, reference.generation]).toEqual([true, 0]);
      reference.release();
      expect(withoutRows(found[1] as Words)).toMatchObject({ actor: X, state: stateWord('FINALIZING', 0) });
      expect([words.phase(), words.generation(), parties.diary]).toEqual(['EMPTY', 1, ['create', 'finalize']]);
      expect(Object.keys(words.words()).filter((name) => name.startsWith('reserved'))).toEqual([]);
      expect(words.long('owner')).toBe(0n);
    });

    test('each life has a generation of its own', () => {
      const { one, diary, words } = forged(backend, kind, { state: stateWord('EMPTY', 2 ** 28 - 2) });
      const generations: number[] = [];
      for (let k = 0; k < 3; k++) {
        const reference = one.acquire();
        generations.push(reference.generation);
        reference.release();
      }
      expect(generations).toEqual([2 ** 28 - 2, 2 ** 28 - 1, 0]);
      expect([diary.length, words.phase(), words.generation()]).toEqual([6, 'EMPTY', 1]);
    });

    // What an acquire does in each phase, where the one who acts has died.
    test.each([
      ['EMPTY', ['create'], 5],
      ['CONSTRUCTING', ['create'], 6],
      ['LIVE', kind === 'memory' ? [] : ['create'], kind === 'memory' ? 5 : 6],
      ['DYING', kind === 'hosted' ? ['create'] : ['finalize', 'create'], 6],
      ['FINALIZING', ['create'], 6],
    ] as const)('%s, and its actor dead: acquire', (phase, done, generation) => {
      for (const actor of [dead, EARLIER_NAMESAKE]) {
        const { one, words, diary } = forged(backend, kind, { state: stateWord(phase, 5), actor });
        words.sleepers('state', 1);
        const { result: reference, error } = withSleeps(() => one.acquire());
        expect([error, diary, reference?.generation]).toEqual([undefined, done, generation]);
        expect(reference?.created).toBe(done.includes('create' as never));
        expect([words.phase(), words.generation(), words.long('owner')]).toEqual(['LIVE', generation, 0n]);
        expect(words.long('actor')).toBe(done.length === 0 ? actor : X);
        // Waiters are woken by each change.
        if (phase !== 'LIVE' || kind !== 'memory') expect(words.asleep('state')).toBe(0);
        reference?.release();
        expect([words.phase(), words.generation()]).toEqual(['EMPTY', generation + 1]);
      }
    });

    test.each(['CONSTRUCTING', 'DYING', 'FINALIZING'] as const)(
      '%s, and its actor may live: acquire waits',
      async (phase) => {
        const planted = { state: stateWord(phase, 5), actor: Y };
        const { one, words, diary } = forged(backend, kind, planted);
        const before = words.state();
        const { sleeps, error } = withSleeps(
          () => one.acquire({ timeout: 120 }),
          (_, { index, value, ms }) => {
            expect([index, value >>> 0, ms <= 50, words.long('owner')]).toEqual([
              words.futexOf('state'),
              planted.state,
              true,
              0n,
            ]);
          },
        );
        expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
        expect([sleeps.length, diary, withoutRows(words.state())]).toEqual([3, [], withoutRows(before)]);
        await rejection('COEXIST_ETIMEDOUT', one.acquireAsync({ timeout: 5 }));
        await rejection('COEXIST_EABORTED', one.acquireAsync({ signal: AbortSignal.timeout(5) }));
        expect([diary, withoutRows(words.state())]).toEqual([[], withoutRows(before)]);
      },
    );

    test.each(['CONSTRUCTING', 'DYING', 'FINALIZING'] as const)(
      '%s, and its actor dies while one waits',
      async (phase) => {
        const { one, words, diary } = forged(backend, kind, { state: stateWord(phase, 5), actor: Y });
        const { result, sleeps } = withSleeps(
          () => one.acquire(),
          (n) => n === 1 && words.plant({ actor: dead }),
        );
        expect([result?.created, result?.generation, sleeps.length]).toEqual([true, 6, 2]);
        expect(diary).toEqual(phase === 'DYING' && kind !== 'hosted' ? ['finalize', 'create'] : ['create']);
        result?.release();
        const later = forged(backend, kind, { state: stateWord(phase, 5), actor: Y });
        const waiting = later.one.acquireAsync({ timeout: 5000 });
        later.words.plant({ actor: dead });
        expect((await waiting).generation).toBe(6);
      },
    );

    test('a wait shorter than a look at the dead finds them all the same', () => {
      for (const phase of ['CONSTRUCTING', 'DYING', 'FINALIZING'] as const) {
        const { one } = forged(backend, kind, { state: stateWord(phase, 5), actor: dead });
        expect(one.acquire({ timeout: 0 }).generation).toBe(6);
      }
    });

    test.each(PHASES)('%s: peek and the list change nothing, get constructs nothing', (phase) => {
      for (const actor of [X, Y, dead]) {
        const { one, words, diary } = forged(backend, kind, { state: stateWord(phase, 5), actor });
        const before = words.words();
        const { phase: said, generation } = one.peek();
        expect([String(said).toUpperCase(), generation]).toEqual([phase, 5]);
        one.allowed();
        expect(words.words()).toEqual(before);
        const reference = one.get();
        const none = phase !== 'LIVE' || (actor === dead && kind !== 'memory') || (kind === 'hosted' && actor === X);
        if (phase !== 'LIVE' || (actor === dead && kind !== 'memory')) expect(reference).toBeUndefined();
        else if (!none) expect([reference?.created, reference?.generation]).toEqual([false, 5]);
        expect(diary.filter((what) => what === 'create')).toEqual([]);
      }
    });

    test('the constructor throws: FAILED with the cause, until somebody retries', async () => {
      let wrong = true;
      const { one, words, diary } = forged(
        backend,
        kind,
        { state: stateWord('EMPTY', 5) },
        {
          create: () => {
            if (wrong) throw new RangeError('no température');
          },
        },
      );
      words.sleepers('state', 1);
      expect(() => one.acquire()).toThrow(RangeError);
      expect([words.phase(), words.generation(), words.asleep('state')]).toEqual(['FAILED', 5, 0]);
      expect(words.cause()).toContain('no température');
      expect(words.rowOf(X) < 0 || words.word(`row${words.rowOf(X)}.count`) === 0).toBe(true);
      const before = withoutRows(words.state());
      const { message } = failure('COEXIST_EFAILED', () => one.acquire());
      expect(message).toContain('no température');
      await rejection('COEXIST_EFAILED', one.acquireAsync());
      expect([one.get(), withoutRows(words.state()), diary]).toEqual([undefined, before, ['create']]);
      expect(() => one.acquire({ retry: true })).toThrow(RangeError);
      expect([words.phase(), words.generation()]).toEqual(['FAILED', 6]);
      wrong = false;
      const reference = one.acquire({ retry: true });
      expect([reference.created, reference.generation, words.phase()]).toEqual([true, 7, 'LIVE']);
      reference.release();
    });

    test('a long cause is cut to 256 bytes of whole characters', () => {
      const { one, words } = forged(
        backend,
        kind,
        {},
        {
          create: () => {
            throw new Error('é'.repeat(300));
          },
        },
      );
      const outside = words.outside();
      expect(() => one.acquire()).toThrow();
      expect(words.word('cause_length')).toBeLessThanOrEqual(256);
      expect(words.cause()).toMatch(/^[^\ufffd]*é$/);
      if (kind !== 'hosted') expect(words.outside()).toBe(outside);
    });

    test('the finalizer throws: EMPTY all the same', () => {
      const { one, words, diary } = forged(
        backend,
        kind,
        {},
        {
          finalize: () => {
            throw new Error('planned');
          },
        },
      );
      const reference = one.acquire();
      try {
        reference.release();
      } catch (error) {
        expect((error as Error).message).toContain('planned');
      }
      expect([words.phase(), words.generation(), diary]).toEqual(['EMPTY', 2, ['create', 'finalize']]);
      expect(one.acquire().generation).toBe(2);
    });

    test('the constructor asks for its own: COEXIST_EDEADLK', () => {
      let thrown: unknown;
      const parties = forged(
        backend,
        kind,
        {},
        {
          create: () => {
            try {
              parties.one.acquire();
            } catch (error) {
              thrown = error;
            }
          },
        },
      );
      expect(parties.one.acquire().created).toBe(true);
      expect(thrown).toMatchObject({ code: 'COEXIST_EDEADLK' });
    });

    test.each([
      ['of a dead thread', dead],
      ['of a dead thread, with waiters', dead | W],
      ['taken over before', D | dead | W],
      ['of this thread, which was cut inside', X],
      ['of this thread, taken over', D | X | W],
    ])('the inner lock %s is taken over, and D is cleared', (_, owner) => {
      const { one, words } = forged(backend, kind, { state: stateWord('EMPTY', 5), owner });
      const { result } = withSleeps(() => one.acquire());
      expect([result?.generation, words.long('owner'), words.phase()]).toEqual([5, 0n, 'LIVE']);
    });
  });

  test('createNew: COEXIST_EEXIST while one lives or is being made; waits for the end of one that dies', async () => {
    for (const phase of PHASES) {
      const rows = { ...held(2, Y, 1, live(5)), holders_used: 3 };
      const { one, words, diary } = forged(backend, 'memory', { state: stateWord(phase, 5), actor: Y, ...rows });
      const before = withoutRows(words.state());
      const code = {
        LIVE: 'COEXIST_EEXIST',
        CONSTRUCTING: 'COEXIST_EEXIST',
        DYING: 'COEXIST_ETIMEDOUT',
        FINALIZING: 'COEXIST_ETIMEDOUT',
        FAILED: 'COEXIST_EFAILED',
        EMPTY: undefined,
      }[phase];
      if (code === undefined) {
        expect(one.createNew().created).toBe(true);
        continue;
      }
      failure(code, () => one.createNew({ timeout: 5 }));
      await rejection(code, one.createNewAsync({ timeout: 5 }));
      expect([withoutRows(words.state()), diary]).toEqual([before, []]);
    }
  });

  test('holders: as many rows as there are slots, at their place', () => {
    const { words } = forged(backend, 'memory');
    expect([words.rows, words.word('holders'), HOLDERS_OFFSET]).toEqual([4, 4, 64]);
  });
});

/** The words but those of rows, which a thread keeps. */
function withoutRows(words: Words): Words {
  return Object.fromEntries(
    Object.entries(words).filter(([name]) => !name.startsWith('row') && name !== 'holders_used'),
  );
}
