// Clause 67: the inner lock of a singleton: what is done under it, what its last step is, and what is found where its owner died.

import { describe, expect, test, vi } from 'vitest';
import { BACKENDS, type Backend } from '../support/backends.js';
import { forgottenThread } from '../support/lock-memory.js';
import type { Words } from '../support/object-words.js';
import { held, live, stateWord } from '../support/singleton-memory.js';
import { forged, type Kind } from '../support/singleton-parties.js';
import { withSleeps } from '../support/sleeps.js';
import { ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const MEMORY: readonly Kind[] = ['memory', 'memory of its creator'];
const ALL: readonly Kind[] = [...MEMORY, 'hosted'];

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(MEMORY)('%s: the lock of a dead thread, found in DYING', (kind) => {
    const left = (rows: Words, more: Words = {}) =>
      forged(backend, kind, { state: stateWord('DYING', 5), owner: dead, actor: Y, holders_used: 4, ...rows, ...more });

    test('a reference is counted: LIVE again, and all woken', () => {
      const { one, words, diary } = left(held(2, Y, 1, live(5)));
      words.sleepers('state', 1);
      const { result } = withSleeps(() => one.acquire());
      expect([result?.created, result?.generation, diary]).toEqual([false, 5, []]);
      expect([words.phase(), words.generation(), words.long('actor'), words.asleep('state')]).toEqual([
        'LIVE',
        5,
        Y,
        0,
      ]);
    });

    test('none is: who found it finalizes', () => {
      for (const row of [
        held(2, dead, 1, live(5)),
        held(2, Y, 0, live(5)),
        held(2, Y, 1, live(4)),
        held(2, -Y, 1, live(5)),
      ]) {
        const { one, words, diary } = left(row);
        const { result } = withSleeps(() => one.acquire());
        expect([result?.created, result?.generation, diary]).toEqual([true, 6, ['finalize', 'create']]);
        expect(words.phase()).toBe('LIVE');
      }
    });
  });

  test('nothing of the lock is held in the users’ functions, or while one sleeps', () => {
    for (const kind of ALL) {
      const owners: bigint[] = [];
      const look = (): void => void owners.push(parties.words.long('owner'));
      const parties = forged(backend, kind, {}, { create: look, finalize: look });
      parties.one.acquire().release();
      expect(owners).toEqual([0n, 0n]);
    }
  });

  test('the store of state is the last of each step', () => {
    if (backend === 'wasm') return expect(backend).toBe('wasm'); // steps in wasm are not seen from here
    const { one, words } = forged(backend, 'memory', {
      state: stateWord('CONSTRUCTING', 5),
      actor: dead,
      type: 0,
      kind: 0,
    });
    const states: [number, bigint, number][] = [];
    for (const method of ['store', 'compareExchange', 'exchange'] as const) {
      const original = Atomics[method] as (...args: unknown[]) => unknown;
      vi.spyOn(Atomics, method as 'store').mockImplementation(((...args: unknown[]) => {
        const before = words.word('state');
        const result = original.call(Atomics, ...args);
        if (words.word('state') !== before) states.push([words.word('state'), words.long('actor'), words.word('kind')]);
        return result;
      }) as never);
    }
    const { result } = withSleeps(() => one.acquire());
    result?.release();
    vi.restoreAllMocks();
    expect(states.slice(0, 2)).toEqual([
      [stateWord('CONSTRUCTING', 6), X, 1],
      [live(6), X, 1],
    ]);
    expect(states.at(-1)?.[0]).toBe(stateWord('EMPTY', 7));
  });
});
