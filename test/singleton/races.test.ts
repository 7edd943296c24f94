// Taking and letting go, stopped between two words: the other thread's half is written by hand, at the moment that matters.

import { LOAN_BIT } from 'coexist/abi';
import { type InstanceMemory, type MemorySingleton, singleton } from 'coexist/singleton';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS } from '../support/backends.js';
import { areaFor, singletonBytes, stateWord } from '../support/singletons.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';

const KEY = 'app/limits';
const SELF = ownIdentity();
/** The main thread of this process, or another that lives for sure. */
const OTHER = (1n << 61n) | 99n;

afterEach(() => vi.restoreAllMocks());

describe.each(BACKENDS)('%s', (backend) => {
  function scene() {
    const area = areaFor(backend);
    const finalize = vi.fn();
    const create = vi.fn((memory: InstanceMemory) => {
      memory.i32[0] = 4711;
    });
    const it: MemorySingleton = singleton(KEY, { bytes: 64, create, finalize, area });
    return { area, it, create, finalize, bytes: singletonBytes(area, KEY) };
  }

  test('a row that another thread counts in keeps the instance when this one lets go', () => {
    const { it, bytes, finalize } = scene();
    const reference = it.acquire();
    bytes.plantRow(1, OTHER, 1, stateWord('LIVE', 0));
    reference.release();
    expect([bytes.phase(), finalize.mock.calls.length, it.peek().total]).toEqual(['LIVE', 0, 1]);
    expect(it.get()?.created).toBe(false);
  });

  test('a loan that nobody has adopted keeps it as well', () => {
    const { it, bytes, finalize } = scene();
    const reference = it.acquire();
    bytes.plantRow(1, OTHER, stateWord('LIVE', 0), LOAN_BIT | 5 | 0);
    reference.release();
    expect([bytes.phase(), finalize.mock.calls.length]).toEqual(['LIVE', 0]);
    expect(it.peek().references).toMatchObject([{ count: 1, loan: true }]);
  });

  test.each([
    ['counts for an earlier generation', OTHER, 3, stateWord('LIVE', 6)],
    ['is free', 0n, 3, stateWord('LIVE', 7)],
    ['is being prepared', -OTHER, 3, stateWord('LIVE', 7)],
    ['counts nothing', OTHER, 0, stateWord('LIVE', 7)],
    ['is a dead thread’s', NO_SUCH_THREAD, 3, stateWord('LIVE', 7)],
    ['is that of an earlier thread of this number', EARLIER_NAMESAKE, 3, stateWord('LIVE', 7)],
    ['is a loan of a dead thread', NO_SUCH_THREAD, stateWord('LIVE', 7), LOAN_BIT | 0],
    ['is a loan of another generation', OTHER, stateWord('LIVE', 6), LOAN_BIT | 0],
  ])('a row that %s keeps nothing', (_, identity, count, phase) => {
    const { it, bytes, finalize } = scene();
    bytes.setState('EMPTY', 7);
    const reference = it.acquire();
    bytes.plantRow(1, identity, count, phase);
    reference.release();
    expect([bytes.phase(), bytes.generation(), finalize.mock.calls.length]).toEqual(['EMPTY', 8, 1]);
  });

  test('somebody takes a reference while the last one is let go: it is live again, under the same word', () => {
    const { it, bytes, finalize } = scene();
    const reference = it.acquire();
    const seen: string[] = [];
    // Between DYING and the look at the rows another thread has counted, and looks at the state after that.
    const store = Atomics.store.bind(Atomics);
    vi.spyOn(Atomics, 'store').mockImplementation(((array: Int32Array, index: number, value: number) => {
      const result = store(array, index, value);
      if (array === undefined || index !== bytes.stateIndex || array.length !== bytes.i32.length) return result;
      seen.push(bytes.phase());
      if (bytes.phase() === 'DYING') bytes.plantRow(1, OTHER, 1, stateWord('LIVE', 0));
      return result;
    }) as never);
    reference.release();
    vi.restoreAllMocks();
    expect(seen).toEqual(['DYING', 'LIVE']);
    expect([bytes.phase(), bytes.generation(), bytes.actor(), finalize.mock.calls.length]).toEqual([
      'LIVE',
      0,
      SELF,
      0,
    ]);
    expect(it.get()).toBeDefined();
  });

  test('the state leaves LIVE behind the count: nothing is given out, and nothing stays counted', () => {
    for (const phase of ['EMPTY', 'FINALIZING', 'DYING', 'FAILED', 'CONSTRUCTING'] as const) {
      const { it, bytes } = scene();
      it.acquire();
      bytes.plantRow(0, SELF, 0, 0);
      bytes.setActor(OTHER);
      // The first look still sees LIVE.
      bytes.setState('LIVE', 3);
      const load = Atomics.load.bind(Atomics);
      let looks = 0;
      vi.spyOn(Atomics, 'load').mockImplementation(((array: Int32Array, index: number) => {
        if (index !== bytes.stateIndex || looks++ === 0) return load(array, index);
        if (looks === 2) bytes.setState(phase, phase === 'EMPTY' ? 4 : 3);
        return load(array, index);
      }) as never);
      // In wasm the two looks are one call: the state is another before it.
      if (backend === 'wasm') bytes.setState(phase, phase === 'EMPTY' ? 4 : 3);
      expect(it.get(), phase).toBeUndefined();
      vi.restoreAllMocks();
      expect(bytes.row(0).count, phase).toBe(0);
      expect(it.peek().total, phase).toBe(0);
    }
  });

  test('DYING is a question while somebody is inside: get waits for the answer', () => {
    for (const answer of ['LIVE', 'EMPTY'] as const) {
      const { it, bytes } = scene();
      it.acquire();
      bytes.plantRow(0, SELF, 0, 0);
      bytes.setState('DYING', 0);
      bytes.setOwner(OTHER);
      const { result, sleeps } = withSleeps(
        () => it.get() !== undefined,
        (n) => {
          if (n < 2) return;
          bytes.setState(answer, answer === 'EMPTY' ? 1 : 0);
          bytes.setOwner(0n);
        },
      );
      expect([sleeps.length >= 3, result]).toEqual([true, answer === 'LIVE']);
    }
  });

  describe('the lock is inherited from a thread that died inside', () => {
    const W = 1n << 62n;
    const inside = (phase: 'DYING' | 'LIVE', count: number) => {
      const all = scene();
      const reference = all.it.acquire();
      all.bytes.plantRow(0, SELF, 0, 0);
      all.bytes.setState(phase, 0);
      if (count > 0) all.bytes.plantRow(1, OTHER, count, stateWord('LIVE', 0));
      all.bytes.setOwner(NO_SUCH_THREAD | W);
      return { ...all, reference };
    };

    test('DYING, and somebody holds it: live again', () => {
      const { it, bytes, create } = inside('DYING', 2);
      const { result } = withSleeps(() => it.acquire());
      expect([result?.created, bytes.phase(), bytes.generation()]).toEqual([false, 'LIVE', 0]);
      expect([create.mock.calls.length, bytes.owner()]).toEqual([1, 0n]);
    });

    test('DYING, and nobody does: whoever comes finalizes it, once', () => {
      const { it, bytes, finalize } = inside('DYING', 0);
      const { result } = withSleeps(() => it.acquire());
      expect([result?.created, result?.generation, bytes.phase()]).toEqual([true, 1, 'LIVE']);
      expect(finalize).toHaveBeenCalledTimes(1);
    });

    test('DYING, and a lookup comes: it finds none, and goes on with it', () => {
      const { it, bytes, finalize } = inside('DYING', 0);
      const { result } = withSleeps(() => it.get());
      expect([result, bytes.phase(), finalize.mock.calls.length]).toEqual([undefined, 'EMPTY', 1]);
    });

    test('LIVE: nothing had begun', () => {
      const { it, bytes } = inside('LIVE', 0);
      const { result } = withSleeps(() => it.acquire());
      expect([result?.created, bytes.phase()]).toEqual([false, 'LIVE']);
    });
  });

  test('a thread that was cut inside finds the lock its own, and goes on', () => {
    const { it, bytes, finalize } = scene();
    it.acquire();
    bytes.plantRow(0, SELF, 0, 0);
    bytes.setState('DYING', 0);
    bytes.setOwner(SELF);
    expect(it.acquire()).toMatchObject({ created: true, generation: 1 });
    expect(finalize).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['CONSTRUCTING', 'constructs anew', 1, 0],
    ['DYING', 'finalizes, then constructs', 1, 1],
    ['FINALIZING', 'constructs anew: the finalizer has run, or ended with its thread', 1, 0],
  ] as const)('%s, and the actor is dead: whoever comes %s', (phase, _, generation, finalized) => {
    const { it, bytes, finalize, create } = scene();
    it.acquire();
    bytes.plantRow(0, SELF, 0, 0);
    bytes.setActor(NO_SUCH_THREAD);
    bytes.setState(phase, 0);
    expect(it.allowed()).toEqual({ allowed: true });
    expect(it.acquire()).toMatchObject({ created: true, generation });
    expect([finalize.mock.calls.length, create.mock.calls.length]).toEqual([finalized, 2]);
  });

  test('another type’s instance is not finalized by this one’s finalizer', () => {
    const { area, it, bytes, finalize } = scene();
    it.acquire();
    bytes.plantRow(0, SELF, 0, 0);
    bytes.setActor(NO_SUCH_THREAD);
    bytes.setState('DYING', 0);
    const other = vi.fn();
    const window = singleton(KEY, { type: 'Window', bytes: 8, create() {}, finalize: other, area });
    expect(window.acquire()).toMatchObject({ created: true, generation: 1 });
    expect([finalize.mock.calls.length, other.mock.calls.length]).toEqual([0, 0]);
  });

  test('memory that goes with its creator: a dead one’s is gone for everybody', () => {
    const area = areaFor(backend);
    const it = singleton(KEY, { bytes: 8, create() {}, onOwnerDeath: 'discard', area });
    const reference = it.acquire();
    const bytes = singletonBytes(area, KEY);
    bytes.setActor(NO_SUCH_THREAD);
    expect(it.allowed()).toEqual({ allowed: true });
    expect(it.get()).toBeUndefined();
    expect([bytes.phase(), bytes.generation()]).toEqual(['EMPTY', 1]);
    expect(() => reference.memory).toThrow(expect.objectContaining({ code: 'COEXIST_EGONE' }));
    expect(it.acquire()).toMatchObject({ created: true, generation: 1 });
    reference.release();
    expect(it.peek().total).toBe(1);
  });

  test('reclaim subtracts what the dead hold, and ends what nobody holds', () => {
    const { it, bytes, finalize } = scene();
    const reference = it.acquire();
    bytes.plantRow(1, NO_SUCH_THREAD, 3, stateWord('LIVE', 0));
    bytes.plantRow(2, NO_SUCH_THREAD, stateWord('LIVE', 0), LOAN_BIT | 1 | 0);
    bytes.plantRow(3, OTHER, 2, stateWord('LIVE', 0));
    expect(it.peek().total).toBe(3);
    expect(it.reclaim()).toBe(4);
    expect([bytes.row(1).identity, bytes.row(2).identity, bytes.row(3).identity]).toEqual([0n, 0n, OTHER]);
    expect([it.reclaim(), it.peek().total, bytes.phase()]).toEqual([0, 3, 'LIVE']);
    bytes.plantRow(3, NO_SUCH_THREAD, 2, stateWord('LIVE', 0));
    bytes.plantRow(0, SELF, 0, 0);
    expect([it.reclaim(), bytes.phase(), finalize.mock.calls.length]).toEqual([2, 'EMPTY', 1]);
    expect(it.reclaim()).toBe(0);
    reference.release();
    expect(finalize).toHaveBeenCalledTimes(1);
  });

  test('who lets go asks once in 50 ms whether the others live, and then again by itself', async () => {
    const { it, bytes, finalize } = scene();
    const reference = it.acquire();
    bytes.plantRow(1, OTHER, 1, stateWord('LIVE', 0));
    reference.release();
    expect(bytes.phase()).toBe('LIVE');
    it.get()?.release();
    // Between two looks the other one dies, and nobody comes any more.
    bytes.plantRow(1, NO_SUCH_THREAD, 1, stateWord('LIVE', 0));
    await until('it was looked at again', () => bytes.phase() === 'EMPTY');
    expect(finalize).toHaveBeenCalledTimes(1);
  });

  test('a thread has one row, keeps it, and never takes a loan for it', () => {
    const { it, bytes } = scene();
    const reference = it.acquire();
    const loans = [reference.lend(), reference.lend()];
    expect(loans.map(({ row }) => row)).toEqual([1, 2]);
    expect(it.peek().total).toBe(3);
    for (const loan of loans) expect(reference.revoke(loan)).toBe(true);
    reference.release();
    it.acquire();
    expect([bytes.rowsUsed(), bytes.row(0).identity, bytes.row(0).count]).toEqual([3, SELF, 1]);
  });
});
