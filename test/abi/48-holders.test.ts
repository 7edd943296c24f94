// Clause 48: the table of holders: whose row it is, which one is taken, what becomes of the rows of the dead. Looked at through
// each of the three kinds that have one.

import { Barrier, type LockMemory, RwLock, Semaphore } from 'coexist/sync';
import { describe, expect, test, vi } from 'vitest';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure, rejection } from '../support/failures.js';
import { forgottenThread, HOLDERS, type LockBytes, lockMemory, row, type Words } from '../support/lock-memory.js';
import { EARLIER_NAMESAKE, identityOf, kill, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const holders = HOLDERS;

interface Kind {
  readonly kind: 'rwlock' | 'semaphore' | 'barrier';
  /** Takes a row, with a count of 1 but for the barrier. */
  hold(memory: LockMemory, at: number): { release?: () => void };
  /** Words besides the table, while the row is held. */
  readonly words: Words;
  readonly count: number;
  /** Whether the row stays when nothing is held any more. */
  readonly keeps: boolean;
}

const KINDS: readonly Kind[] = [
  {
    kind: 'rwlock',
    hold(memory, at) {
      const guard = RwLock.at(memory, at, { holders }).read({ timeout: 0 });
      return { release: () => guard.unlock() };
    },
    words: { holders },
    count: 1,
    keeps: true,
  },
  {
    kind: 'semaphore',
    hold(memory, at) {
      const guard = Semaphore.at(memory, at, { permits: 1000, holders }).acquire({ timeout: 0 });
      return { release: () => guard.release() };
    },
    words: { holders, permits: 1001 },
    count: 1,
    keeps: false,
  },
  {
    kind: 'barrier',
    hold(memory, at) {
      const barrier = Barrier.at(memory, at, { parties: 9, holders });
      barrier.join();
      return { release: () => barrier.leave() };
    },
    words: { holders, parties: 9 },
    count: 0,
    keeps: false,
  },
];

describe.each(BACKENDS)('%s', (backend: Backend) => {
  describe.each(KINDS)('$kind', ({ kind, hold, words, count, keeps }) => {
    const forged = (planted: Words): LockBytes => lockMemory(backend, kind, planted);
    const holdIn = ({ memory, at }: LockBytes) => on(backend, () => hold(memory, at));
    /** All words but the inner lock's token, which counts every use. */
    const table = (bytes: LockBytes): Words => {
      const { token: _, ...rest } = bytes.words();
      return rest;
    };

    test('the first free row, the bound raised over it; the row is found again', () => {
      const bytes = forged({});
      const first = holdIn(bytes);
      expect(table(bytes)).toEqual({ ...words, holders_used: 1, ...row(0, X, count) });
      const second = holdIn(bytes);
      expect(table(bytes)).toEqual({ ...words, holders_used: 1, ...row(0, X, 2 * count) });
      second.release?.();
      first.release?.();
      expect(table(bytes)).toEqual({ ...words, holders_used: 1, ...(keeps ? row(0, X) : {}) });
      expect(bytes.harmed()).toEqual([]);
    });

    const broken = (bytes: LockBytes, planted: Words): void => {
      failure('COEXIST_EBROKEN', () => holdIn(bytes));
      expect(table(bytes)).toEqual({ ...words, ...planted, phase: 0x80000000 });
    };

    test.each([
      ['the own row, before any free one', [0n, Y, X], 3, 2],
      ['a free one between others', [Y, 0n, Y, 0n], 4, 1],
      ['a free one, before that of a dead thread', [dead, Y, 0n], 3, 2],
      ['that of a dead thread where none is free', [Y, Y, dead, dead], 4, 2],
      ['that of a thread that there is not', [Y, NO_SUCH_THREAD, Y, Y], 4, 1],
      ['that of an earlier thread with the own id', [Y, Y, Y, EARLIER_NAMESAKE], 4, 3],
    ])('%s', (_, identities, used, taken) => {
      const planted = Object.assign({ holders_used: used }, ...identities.map((identity, k) => row(k, identity, 0)));
      const bytes = forged(planted);
      // A barrier gives nobody's place away while somebody's thread is dead (clause 51).
      if (kind === 'barrier' && identities.some((id) => [dead, NO_SUCH_THREAD, EARLIER_NAMESAKE].includes(id))) {
        return broken(bytes, planted);
      }
      holdIn(bytes);
      const after = Math.max(used, taken + 1);
      expect(table(bytes)).toEqual({ ...words, ...planted, holders_used: after, ...row(taken, X, count) });
    });

    test('the first that was never used, or that of a dead thread', () => {
      for (const identities of [[dead], [dead, Y], [Y, dead, Y]]) {
        const used = identities.length;
        const planted = Object.assign({ holders_used: used }, ...identities.map((identity, k) => row(k, identity)));
        const bytes = forged(planted);
        if (kind === 'barrier') {
          broken(bytes, planted);
          continue;
        }
        holdIn(bytes);
        expect([
          { ...words, ...planted, holders_used: used + 1, ...row(used, X, count) },
          { ...words, ...planted, ...row(identities.indexOf(dead), X, count) },
        ]).toContainEqual(table(bytes));
      }
    });

    test('the count that the last holder of a row left is void, and who waits for it is woken', () => {
      for (const [identity, others] of [[0n, 0n] as const, [dead, Y] as const]) {
        if (kind === 'barrier' && identity === dead) continue;
        const planted = { ...row(0, identity, 5), ...row(1, others), ...row(2, others), ...row(3, others) };
        const bytes = forged({ holders_used: 4, ...planted });
        bytes.sleepers('row0.count', 2);
        holdIn(bytes);
        const { 'row0.count': __, ...kept } = planted as Record<string, number | bigint>;
        expect(table(bytes)).toEqual({ ...words, holders_used: 4, ...kept, ...row(0, X, count) });
        expect(bytes.asleep('row0.count')).toBe(0);
      }
    });

    test.each([
      ['live', [Y, Y + 1n, Y + 2n, Y + 3n]],
      ['of an unknowable kind', [Y, (1n << 62n) - 1n, Y, Y]],
    ])('all rows belong to threads that are %s: COEXIST_EFULL, nothing changed', (_, identities) => {
      const planted = Object.assign({ holders_used: 4 }, ...identities.map((identity, k) => row(k, identity, k)));
      const bytes = forged({ ...words, ...planted });
      const error = failure('COEXIST_EFULL', () => holdIn(bytes));
      expect([error.found, error.expected]).toEqual([holders, 'a free row']);
      expect(error.message).toContain(`all ${holders} holders`);
      expect([table(bytes), bytes.harmed()]).toEqual([{ ...words, ...planted }, []]);
    });

    test('with one row only, another thread’s is refused until that thread is gone', async () => {
      const bytes = lockMemory(backend, kind, {}, 1);
      const actor = await startActor(backend);
      const one = (memory: LockMemory, at: number): unknown => {
        if (kind === 'rwlock') return RwLock.at(memory, at, { holders: 1 }).tryRead();
        if (kind === 'semaphore') return Semaphore.at(memory, at, { permits: 1000, holders: 1 }).tryAcquire();
        return Barrier.at(memory, at, { parties: 9, holders: 1 }).join();
      };
      await takeRowIn(actor, bytes, kind, 1);
      const other = await identityOf(actor);
      expect(bytes.words()).toMatchObject({ holders: 1, holders_used: 1, 'row0.identity': other });
      failure('COEXIST_EFULL', () => on(backend, () => one(bytes.memory, bytes.at)));
      expect(bytes.read('row0.identity')).toBe(other);
      await kill(actor);
      const again = (): unknown => on(backend, () => one(bytes.memory, bytes.at));
      if (kind === 'barrier') failure('COEXIST_EBROKEN', again);
      else again();
      expect(bytes.words()).toMatchObject({ 'row0.identity': kind === 'barrier' ? other : X });
      expect(bytes.harmed()).toEqual([]);
    });

    test('the order: the bound, the identity, the count', () => {
      const bytes = lockMemory('twin', kind, words);
      const writes: string[] = [];
      const names = ['holders_used', 'row0.identity', 'row0.count'];
      const note = (index: number, view: { BYTES_PER_ELEMENT: number }): void => {
        const name = names.find((candidate) => {
          const futex = bytes.futexOf(candidate);
          return view.BYTES_PER_ELEMENT === 8
            ? futex >>> 1 === index && candidate.endsWith('identity')
            : futex === index;
        });
        if (name !== undefined) writes.push(name);
      };
      const spies = (['store', 'compareExchange'] as const).map((method) => {
        const original = Atomics[method] as (view: Int32Array, index: number, ...rest: number[]) => number;
        return vi.spyOn(Atomics, method as 'store').mockImplementation(((
          view: Int32Array,
          index: number,
          ...rest: number[]
        ) => {
          note(index, view);
          return original.call(Atomics, view, index, ...rest);
        }) as never);
      });
      on('twin', () => hold(bytes.memory, bytes.at));
      for (const spy of spies) spy.mockRestore();
      expect(writes.slice(0, 3)).toEqual(names);
    });

    test('threads that come at once get rows of their own', async () => {
      const bytes = forged({});
      const gate = new Int32Array(new SharedArrayBuffer(8));
      const actors = await Promise.all([startActor('wasm'), startActor('twin'), startActor(backend)]);
      const runs = actors.map((actor) => takeRowIn(actor, bytes, kind, holders, gate));
      await until('all actors wait at the gate', () => Atomics.load(gate, 1) === 3);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await Promise.all(runs);
      const identities = await Promise.all(actors.map(identityOf));
      const rows = [0, 1, 2, 3].map((k) => bytes.read(`row${k}.identity`)).filter((identity) => identity !== 0n);
      expect(rows.sort()).toEqual(identities.sort());
      expect(bytes.words()).toMatchObject(words);
      await Promise.all(actors.map((actor) => actor.terminate()));
    });
  });

  test('an asynchronous taker is refused in the same way', async () => {
    const rows = { ...row(0, Y), ...row(1, Y), ...row(2, Y), ...row(3, Y), holders_used: 4 };
    for (const { kind, words } of KINDS) {
      const bytes = lockMemory(backend, kind, { ...words, ...rows });
      const { memory, at } = bytes;
      const attempt = on(backend, () => {
        if (kind === 'rwlock') return RwLock.at(memory, at, { holders }).readAsync();
        if (kind === 'semaphore') return Semaphore.at(memory, at, { permits: 1000, holders }).acquireAsync();
        return Barrier.at(memory, at, { parties: 9, holders }).waitAsync();
      });
      await rejection('COEXIST_EFULL', attempt);
      const { token: _, ...rest } = bytes.words();
      expect(rest).toEqual({ ...words, ...rows });
    }
  });

  test('a writer needs no row, so it is never refused one', () => {
    const bytes = lockMemory(backend, 'rwlock', {
      holders,
      holders_used: 4,
      ...row(0, Y),
      ...row(1, Y),
      ...row(2, Y),
      ...row(3, Y),
    });
    const before = bytes.words();
    const guard = on(backend, () => RwLock.at(bytes.memory, bytes.at, { holders })).write();
    expect(bytes.words()).toEqual({ ...before, owner: X, token: 1 });
    guard.unlock();
    expect(bytes.words()).toEqual({ ...before, token: 1 });
  });
});

/** Has the actor take a row, with all others at once where there is a gate. */
function takeRowIn(
  actor: Actor,
  { memory, at }: LockBytes,
  kind: string,
  holders: number,
  gate?: Int32Array,
): Promise<void> {
  return actor.run(
    async ({ load, state }, { url, memory, at, kind, holders, gate }) => {
      const { RwLock, Semaphore, Barrier } = await load(url);
      const take = {
        rwlock: () => RwLock.at(memory, at, { holders }).read(),
        semaphore: () => Semaphore.at(memory, at, { permits: 1000, holders }).acquire(),
        barrier: () => Barrier.at(memory, at, { parties: 9, holders }).join(),
      }[kind] as () => unknown;
      if (gate !== undefined) {
        Atomics.add(gate, 1, 1);
        Atomics.wait(gate, 0, 0, 10_000);
      }
      state['hold'] = take();
    },
    { url: copyUrl('a', 'core.js'), memory, at, kind, holders, gate },
  );
}
