// Clause 46: the word of a Once, every row of the table, by initialisers that return, throw, wait and die.

import { Once, type OnceState, type WaitOptions } from 'coexist/sync';
import { describe, expect, test, vi } from 'vitest';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { failure, rejection } from '../support/failures.js';
import { forgottenThread, type LockBytes, lockMemory, untilAsleep, W } from '../support/lock-memory.js';
import { outOfTime, withSleeps } from '../support/sleeps.js';
import { identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const DONE = BigInt.asIntN(64, 0x80000001_00000000n);
const POISONED = BigInt.asIntN(64, 0x80000002_00000000n);
const dead = await forgottenThread();

const METHODS = ['call', 'callForce', 'callAsync', 'callForceAsync'] as const;
type Method = (typeof METHODS)[number];
const forces = (method: Method): boolean => method.startsWith('callForce');

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (state = 0n): { bytes: LockBytes; once: Once } => {
    const bytes = lockMemory(backend, 'once', { state });
    return { bytes, once: on(backend, () => Once.at(bytes.memory, bytes.at)) };
  };

  describe.each(METHODS)('%s', (method) => {
    const run = (once: Once, initialise: (state: OnceState) => void, options?: WaitOptions): Promise<boolean> =>
      // What is thrown at once is a rejection here.
      (async () => once[method](initialise, options))();

    test('0: CAS 0 → X, then DONE; never again', async () => {
      const { bytes, once } = forged();
      const initialise = vi.fn((state: OnceState) => {
        expect(state).toEqual({ poisoned: false, ownerDied: false });
        expect(bytes.words()).toEqual({ state: X });
        expect(once.isCompleted()).toBe(false);
      });
      expect(await run(once, initialise)).toBe(true);
      expect([bytes.words(), bytes.harmed(), once.isCompleted()]).toEqual([{ state: DONE }, [], true]);
      const other = on(backend, () => Once.at(bytes.memory, bytes.at));
      for (const view of [once, other]) expect(await run(view, initialise)).toBe(false);
      expect(initialise).toHaveBeenCalledTimes(1);
      expect(bytes.words()).toEqual({ state: DONE });
    });

    test.each([
      ['X', 0n, 1],
      ['X|W', W, 0],
    ])('%s: exchange → DONE, or POISONED if it threw; with W wake all', async (_, mark, asleep) => {
      for (const outcome of [DONE, POISONED]) {
        const { bytes, once } = forged();
        const initialise = (): void => {
          bytes.plant({ state: X | mark });
          bytes.sleepers('state', 1);
          if (outcome === POISONED) throw new Error('expected');
        };
        if (outcome === DONE) await run(once, initialise);
        else await expect(run(once, initialise)).rejects.toThrow('expected');
        expect([bytes.words(), bytes.asleep('state')]).toEqual([{ state: outcome }, asleep]);
        expect(once.isCompleted()).toBe(outcome === DONE);
      }
    });

    test.each([
      ['Y', Y],
      ['Y|W', Y | W],
    ])('%s: waits; the time that is up leaves no trace', async (_, state) => {
      const { bytes, once } = forged(state);
      const initialise = vi.fn();
      await rejection('COEXIST_ETIMEDOUT', run(once, initialise, { timeout: 0 }));
      expect(bytes.words()).toEqual({ state });
      bytes.sleepers('state', 2);
      if (method.endsWith('Async')) {
        await rejection(
          'COEXIST_ETIMEDOUT',
          outOfTime((options) => run(once, initialise, options)),
        );
      } else {
        const { error } = withSleeps(() => once[method](initialise, { timeout: 5 }));
        expect(error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
      }
      expect([bytes.words(), initialise.mock.calls]).toEqual([{ state: Y }, []]);
      expect(bytes.asleep('state')).toBe(0);
      await rejection('COEXIST_EABORTED', run(once, initialise, { signal: AbortSignal.abort() }));
      await rejection('COEXIST_EINVAL', run(once, initialise, { timeout: -1 }));
      expect([bytes.words(), initialise.mock.calls]).toEqual([{ state: Y }, []]);
    });

    test.each([
      ['dead', dead],
      ['dead|W', dead | W],
    ])('%s: CAS → Y|W, and runs its own', async (_, state) => {
      const { bytes, once } = forged(state);
      bytes.sleepers('state', 2);
      const ran = await run(
        once,
        (told) => {
          expect(told).toEqual({ poisoned: false, ownerDied: true });
          expect(bytes.words()).toEqual({ state: X | W });
        },
        { timeout: 0 },
      );
      expect([ran, bytes.words()]).toEqual([true, { state: DONE }]);
    });

    test('DONE: none', async () => {
      const { bytes, once } = forged(DONE);
      const initialise = vi.fn();
      expect(await run(once, initialise)).toBe(false);
      expect([initialise.mock.calls, bytes.words(), once.isCompleted()]).toEqual([[], { state: DONE }, true]);
    });

    test('POISONED: COEXIST_EPOISONED, or CAS → X by force', async () => {
      const { bytes, once } = forged(POISONED);
      const initialise = vi.fn((told: OnceState) => {
        expect(told).toEqual({ poisoned: true, ownerDied: false });
        expect(bytes.words()).toEqual({ state: X });
      });
      expect(once.isCompleted()).toBe(false);
      if (!forces(method)) {
        for (let n = 0; n < 2; n++) await rejection('COEXIST_EPOISONED', run(once, initialise));
        expect([initialise.mock.calls, bytes.words()]).toEqual([[], { state: POISONED }]);
        return;
      }
      expect(await run(once, initialise)).toBe(true);
      expect([bytes.words(), once.isCompleted()]).toEqual([{ state: DONE }, true]);
    });

    test('by force, poisoned again where the initialiser throws again', async () => {
      const { bytes, once } = forged(forces(method) ? POISONED : 0n);
      const initialise = (): void => {
        throw new TypeError('expected again');
      };
      await expect(run(once, initialise)).rejects.toThrow(TypeError);
      expect(bytes.words()).toEqual({ state: POISONED });
    });

    test('from inside the initialiser, blocking: COEXIST_EDEADLK, which poisons only where it gets out', async () => {
      const { bytes, once } = forged();
      const initialise = vi.fn(() => {
        failure('COEXIST_EDEADLK', () => once.call(() => {}));
        failure('COEXIST_EDEADLK', () => once.callForce(() => {}));
        expect(bytes.words()).toEqual({ state: X });
      });
      expect(await run(once, initialise)).toBe(true);
      const other = forged();
      const recursive = (): void => void other.once.call(() => {});
      await rejection('COEXIST_EDEADLK', run(other.once, recursive));
      expect(other.bytes.words()).toEqual({ state: POISONED });
    });
  });

  test('a blocking call waits for DONE and for POISONED, and runs nothing', () => {
    for (const [outcome, code] of [
      [DONE, undefined],
      [POISONED, 'COEXIST_EPOISONED'],
    ] as const) {
      const { bytes, once } = forged(Y);
      const { sleeps, result, error } = withSleeps(
        () => once.call(() => expect.unreachable()),
        (_, { index, value, ms }) => {
          expect([index, value]).toEqual([bytes.futexOf('state'), Number(BigInt.asIntN(32, (Y | W) >> 32n))]);
          expect(ms).toBeLessThanOrEqual(50);
          expect(bytes.words()).toEqual({ state: Y | W });
          bytes.plant({ state: outcome });
        },
      );
      expect(sleeps).toHaveLength(1);
      expect([result, (error as { code?: string } | undefined)?.code]).toEqual([code ? undefined : false, code]);
      expect(bytes.words()).toEqual({ state: outcome });
    }
  });

  test('asynchronous initialisers: the word is held until they end, and flows of the thread wait', async () => {
    const { bytes, once } = forged();
    let finish: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const first = once.callAsync(() => gate);
    const second = once.callAsync(() => expect.unreachable(), { timeout: 20_000 });
    failure('COEXIST_EDEADLK', () => once.call(() => {}));
    await rejection(
      'COEXIST_ETIMEDOUT',
      once.callForceAsync(() => {}, { timeout: 1 }),
    );
    const controller = new AbortController();
    const aborted = once.callAsync(() => {}, { signal: controller.signal });
    controller.abort();
    await rejection('COEXIST_EABORTED', aborted);
    // The second may have set W again by now.
    expect((bytes.read('state') as bigint) & ~W).toBe(X);
    finish();
    expect([await first, await second]).toEqual([true, false]);
    expect(bytes.words()).toEqual({ state: DONE });
  });

  test('an asynchronous initialiser that rejects poisons it for those who wait', async () => {
    const { bytes, once } = forged();
    const first = once.callAsync(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('expected');
    });
    const others = Promise.allSettled([
      once.callAsync(() => {}, { timeout: 20_000 }),
      once.callAsync(() => {}, { timeout: 20_000 }),
    ]);
    await expect(first).rejects.toThrow('expected');
    for (const outcome of await others) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'COEXIST_EPOISONED' } });
    }
    expect(bytes.words()).toEqual({ state: POISONED });
    expect(await once.callForceAsync(async ({ poisoned }) => expect(poisoned).toBe(true))).toBe(true);
    expect(bytes.words()).toEqual({ state: DONE });
  });

  test.each(['finishes', 'dies'])('another thread’s initialiser %s', async (end) => {
    const { bytes, once } = forged();
    const [runner, waiter] = await Promise.all([startActor(backend), startActor(backend)]);
    const running = runner.run(
      async ({ load, state }, { url, memory, at }) => {
        const { Once } = await load(url);
        const call = Once.at(memory, at).callAsync(
          () => new Promise<void>((resolve) => Object.assign(state, { finish: resolve })),
        );
        state['call'] = call;
      },
      { url: copyUrl('a', 'core.js'), memory: bytes.memory, at: bytes.at },
    );
    await running;
    const owner = await identityOf(runner);
    expect(bytes.words()).toEqual({ state: owner });
    const waiting = waiter.run(
      async ({ load }, { url, memory, at }) => {
        const { Once } = await load(url);
        const told: unknown[] = [];
        const ran = Once.at(memory, at).call((state) => void told.push(state), { timeout: 15_000 });
        return [ran, ...told];
      },
      { url: copyUrl('b', 'core.js'), memory: bytes.memory, at: bytes.at },
    );
    await untilAsleep(bytes, 'state');
    expect(bytes.words()).toEqual({ state: owner | W });
    if (end === 'dies') await kill(runner);
    else await runner.run(({ state }) => (state['finish'] as () => void)());
    expect(await waiting).toEqual(end === 'dies' ? [true, { poisoned: false, ownerDied: true }] : [false]);
    expect([bytes.words(), once.isCompleted()]).toEqual([{ state: DONE }, true]);
    await Promise.all([runner.terminate(), waiter.terminate()]);
  });
});
