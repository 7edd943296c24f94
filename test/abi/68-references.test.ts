// Clause 68: references: how a thread counts them in its row, what counts for an instance, and loans.

import { LOAN_BIT } from 'coexist/abi';
import type { Loan } from 'coexist/singleton';
import { describe, expect, test, vi } from 'vitest';
import type { Actor } from '../support/actor.js';
import { BACKENDS, type Backend, memoryOf, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure } from '../support/failures.js';
import { forgottenThread } from '../support/lock-memory.js';
import type { Words } from '../support/object-words.js';
import { held, lent, live, type SingletonWords, stateWord } from '../support/singleton-memory.js';
import { BYTES, forged, KEY, type Kind } from '../support/singleton-parties.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, identityOf, kill, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const Z = Y + 1n;
const dead = await forgottenThread();
const KINDS: readonly Kind[] = ['memory', 'memory of its creator', 'hosted'];

describe.each(BACKENDS)('%s', (backend: Backend) => {
  /** An instance of generation 5 that Y made and that nobody holds yet; this thread has the row 0. */
  const living = (rows: Words = {}, kind: Kind = 'memory') =>
    forged(backend, kind, { state: live(5), actor: Y, holders_used: 4, ...rows });
  const own = (words: SingletonWords): Words => ({
    count: words.word(`row${words.rowOf(X)}.count`),
    phase: words.word(`row${words.rowOf(X)}.phase`),
  });

  describe.each(KINDS)('%s', (kind) => {
    test('get and acquire count in the own row, for the live word; release takes back', async () => {
      const { one, words } = living(held(2, Y, 1, live(5)), kind);
      const { 'row0.phase': _, ...others } = words.state();
      const first = one.get();
      expect([first?.created, first?.generation, own(words)]).toEqual([false, 5, { count: 1, phase: live(5) }]);
      const references = [one.get(), one.acquire(), await one.acquireAsync()];
      expect(own(words)).toEqual({ count: 4, phase: live(5) });
      for (const [k, reference] of references.entries()) {
        expect(reference?.created).toBe(false);
        reference?.release();
        expect(own(words)).toEqual({ count: 3 - k, phase: live(5) });
      }
      first?.[Symbol.dispose]();
      first?.[Symbol.dispose]();
      failure('COEXIST_ENOTOWNER', () => first?.release());
      expect(own(words)['count']).toBe(0);
      expect({ ...words.state(), ...others }).toEqual(words.state());
      expect(words.phase()).toBe('LIVE');
    });

    test.each([
      ['another thread', held(2, Y, 1, live(5))],
      ['a thread that holds many', held(3, Z, 0xffffffff, live(5))],
      ['a loan', lent(1, Y, 77, live(5))],
    ])('the last own reference, and %s counts: it lives on', (_, row) => {
      const { one, words, diary } = living(row, kind);
      one.acquire().release();
      expect([words.phase(), words.generation(), words.long('actor'), diary]).toEqual(['LIVE', 5, Y, []]);
    });

    test('a reference of another generation does not count, and is void', () => {
      const { one, words } = living({}, kind);
      const reference = one.acquire();
      words.plant({ state: stateWord('EMPTY', 6) });
      expect(reference.released).toBe(false);
      failure('COEXIST_EGONE', () => ('memory' in reference ? reference.memory : reference.callSync('made')));
      words.plant({ state: live(6), ...held(2, Y, 1, live(6)) });
      const next = one.acquire();
      expect(own(words)).toEqual({ count: 1, phase: live(6) });
      reference.release();
      expect([own(words), words.phase()]).toEqual([{ count: 1, phase: live(6) }, 'LIVE']);
      next.release();
      expect([own(words)['count'], words.phase()]).toEqual([0, 'LIVE']);
    });

    test('get with a row that was left over from another life begins at 1', () => {
      const { one, words } = living({ ...held(0, X, 9, live(4)), ...held(2, Y, 1, live(5)) }, kind);
      one.get();
      expect(own(words)).toEqual({ count: 1, phase: live(5) });
    });

    test('DYING is a question to a thread that holds: its reference is good, and get answers under the lock', () => {
      const { one, words } = living(held(2, Y, 1, live(5)), kind);
      const reference = one.acquire();
      words.plant({ state: stateWord('DYING', 5), owner: Y });
      if ('memory' in reference) expect(reference.memory.length).toBe(BYTES);
      let again: unknown;
      const { sleeps } = withSleeps(
        () => {
          again = one.get();
        },
        (n) => n === 1 && words.plant({ state: live(5), owner: 0n }),
      );
      expect([sleeps.length, again !== undefined, own(words)]).toEqual([2, true, { count: 2, phase: live(5) }]);
    });
  });

  test.each([
    ['a dead thread', held(2, dead, 3, live(5))],
    ['a thread that never was', held(2, NO_SUCH_THREAD, 3, live(5))],
    ['an earlier thread of the same number', held(2, EARLIER_NAMESAKE, 3, live(5))],
    ['a thread that prepares its row', held(2, -Y, 3, live(5))],
    ['nobody', held(2, 0n, 3, live(5))],
    ['another generation', held(2, Y, 3, live(4))],
    ['a count of 0', held(2, Y, 0, live(5))],
    ['a loan of a dead thread', lent(2, dead, 77, live(5))],
    ['a loan of another generation', lent(2, Y, 77, live(6))],
    ['a loan whose number looks like a live word', lent(2, Y, live(5), live(4))],
  ])('a row of %s does not count: the instance ends', (_, row) => {
    const { one, words, diary } = living(row);
    one.acquire().release();
    expect([words.phase(), words.generation(), diary]).toEqual(['EMPTY', 6, ['finalize']]);
    expect([words.long('actor'), words.long('owner')]).toEqual([X, 0n]);
  });

  test('the rows are looked at again behind DYING: one that counts makes it LIVE again, and all are woken', () => {
    if (backend === 'wasm') return expect(backend).toBe('wasm'); // steps in wasm are not seen from here
    const { one, words, diary } = living();
    const reference = one.acquire();
    const original = Atomics.store;
    const states: number[] = [];
    const spy = vi.spyOn(Atomics, 'store').mockImplementation(((view: Int32Array, index: number, value: number) => {
      const result = original.call(Atomics, view as never, index, value as never);
      if (index === words.futexOf('state') && view.BYTES_PER_ELEMENT === 4) {
        states.push(words.word('state'));
        // Another thread has counted meanwhile, and looked at the state before.
        if (words.phase() === 'DYING') {
          words.sleepers('state', 1);
          spy.mockRestore();
          words.plant(held(2, Y, 1, live(5)));
        }
      }
      return result;
    }) as never);
    reference.release();
    expect(states).toEqual([stateWord('DYING', 5)]);
    expect([words.phase(), words.long('actor'), diary, words.asleep('state')]).toEqual(['LIVE', Y, [], 0]);
  });

  test('reclaim: rows of the dead are freed; what nobody holds then ends', () => {
    const { one, words, diary } = living({
      ...held(1, dead, 3, live(5)),
      ...lent(2, dead, 7, live(5)),
      ...held(3, Y, 1, live(5)),
    });
    expect(one.reclaim()).toBe(4);
    expect([words.long('row1.identity'), words.long('row2.identity'), words.phase()]).toEqual([0n, 0n, 'LIVE']);
    words.plant(held(3, dead, 2, live(5)));
    expect([one.reclaim(), words.phase(), words.generation(), diary]).toEqual([2, 'EMPTY', 6, ['finalize']]);
    expect([one.reclaim(), words.generation()]).toEqual([0, 6]);
  });

  test('a thread that finds the row it was preparing goes on with it; phase = 0 before identity', () => {
    const { one, words } = living({
      'row0.identity': -X,
      'row0.count': 9,
      'row0.phase': live(5),
      ...held(2, Y, 1, live(5)),
    });
    one.acquire();
    expect([words.rowOf(X), own(words)]).toEqual([0, { count: 1, phase: live(5) }]);
  });

  test('no row to be had: COEXIST_EFULL, nothing changed; a dead thread’s is taken', () => {
    const rows = Object.assign({}, ...[0, 1, 2, 3].map((k) => held(k, Y + BigInt(k), 1, live(5))));
    const { one, words, diary } = living(rows);
    const before = words.state();
    failure('COEXIST_EFULL', () => one.acquire());
    failure('COEXIST_EFULL', () => one.get());
    expect([words.state(), diary]).toEqual([before, []]);
    words.plant(held(3, dead, 1, live(5)));
    expect([one.acquire().generation, words.rowOf(X)]).toEqual([5, 3]);
  });

  describe('loans', () => {
    test('lend: a row of its own with identity, number and live word; revoke takes it back once', () => {
      const { one, words, diary } = living();
      const reference = one.acquire();
      const loan = reference.lend();
      expect(structuredClone(loan)).toEqual(loan);
      expect(words.loansOf(X)).toEqual([loan.row]);
      expect([words.word(`row${loan.row}.count`), words.word(`row${loan.row}.phase`)]).toEqual([
        live(5),
        (LOAN_BIT | loan.number) >>> 0,
      ]);
      const other = reference.lend();
      expect([other.row === loan.row, other.number === loan.number]).toEqual([false, false]);
      expect([reference.revoke(other), reference.revoke(other)]).toEqual([true, false]);
      reference.release();
      expect([words.phase(), diary]).toEqual(['LIVE', []]);
      expect(reference.revoke(loan)).toBe(true);
      expect([words.loansOf(X), words.phase(), diary]).toEqual([[], 'EMPTY', ['finalize']]);
    });

    test('adopt: its own row counts, and the loan’s is free; twice is void', () => {
      const { one, words } = living(lent(2, Y, 4711, live(5)));
      const loan: Loan = { key: KEY, generation: 5, row: 2, number: 4711 };
      const reference = one.adopt(loan);
      expect([reference.generation, own(words)]).toEqual([5, { count: 1, phase: live(5) }]);
      expect([words.long('row2.identity'), words.word('row2.count')]).toEqual([0n, 0]);
      const before = words.state();
      failure('COEXIST_EGONE', () => one.adopt(loan));
      expect(words.state()).toEqual(before);
    });

    test.each([
      ['another number', lent(2, Y, 4712, live(5))],
      ['a row that is no loan', held(2, Y, 1, live(5))],
      ['a free row', lent(2, 0n, 4711, live(5))],
    ])('%s: void, and the row is as it was', (_, row) => {
      const { one, words } = living({ ...row, ...held(3, Z, 1, live(5)) });
      failure('COEXIST_EGONE', () => one.adopt({ key: KEY, generation: 5, row: 2, number: 4711 }));
      for (const [name, value] of Object.entries(row)) expect(BigInt(words.read(name))).toBe(BigInt(value));
      expect(words.rowOf(X) < 0 || own(words)['count'] === 0).toBe(true);
      expect(words.phase()).toBe('LIVE');
    });

    test('a loan of an instance that has ended is void, and its row free', () => {
      const { one, words } = living({ ...lent(2, Y, 4711, live(4)), ...held(3, Z, 1, live(5)) });
      failure('COEXIST_EGONE', () => one.adopt({ key: KEY, generation: 4, row: 2, number: 4711 }));
      expect([words.long('row2.identity'), words.phase(), own(words)['count']]).toEqual([0n, 'LIVE', 0]);
    });

    test.each([
      [{ key: 'other', generation: 5, row: 2, number: 1 }],
      [{ key: KEY, generation: 5, row: 4, number: 1 }],
      [{ key: KEY, generation: 5, row: -1, number: 1 }],
      [{ key: KEY, generation: 5, row: 2 }],
      [undefined],
    ])('%j is no loan: COEXIST_EINVAL', (loan) => {
      const { one, words } = living(held(3, Z, 1, live(5)));
      const before = words.state();
      failure('COEXIST_EINVAL', () => one.adopt(loan as Loan));
      expect(words.state()).toEqual(before);
    });

    test('a loan row is nobody’s own row', () => {
      const { one, words } = living({ ...lent(1, X, 4711, live(5)) });
      one.acquire();
      expect([words.loansOf(X), words.rowOf(X)]).toEqual([[1], 0]);
    });
  });

  describe('threads', () => {
    const acquireIn = (actor: Actor, area: Parameters<typeof memoryOf>[0], loan?: Loan): Promise<number> =>
      actor.run(
        async ({ load, state }, { url, memory, key, bytes, loan }) => {
          const lib = await load(url);
          const one = lib.singleton(key, { bytes, create() {}, area: lib.openArea(memory) });
          const reference = loan === undefined ? one.acquire() : one.adopt(loan);
          state['reference'] = reference;
          return reference.generation;
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(area), key: KEY, bytes: BYTES, loan },
      );

    test('a thread’s references end with it; a loan is its own once adopted', async () => {
      const { one, words, diary, area } = living();
      const [first, second] = await Promise.all([startActor('wasm'), startActor('twin')]);
      const reference = one.acquire();
      expect(await acquireIn(first, area)).toBe(5);
      const loan = reference.lend();
      expect(await acquireIn(second, area, loan)).toBe(5);
      const identities = [await identityOf(first), await identityOf(second)];
      expect(identities.map((identity) => words.word(`row${words.rowOf(identity)}.count`))).toEqual([1, 1]);
      reference.release();
      expect([words.phase(), diary]).toEqual(['LIVE', []]);
      await kill(first);
      expect([one.reclaim(), words.phase()]).toEqual([1, 'LIVE']);
      await kill(second);
      expect([one.reclaim(), words.phase(), diary]).toEqual([1, 'EMPTY', ['finalize']]);
    });
  });
});
