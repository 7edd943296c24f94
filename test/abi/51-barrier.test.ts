// Clause 51: the barrier: arrivals counted in the parties' rows, one last arrival for each phase, broken for ever by a death.

import { Barrier } from 'coexist/sync';
import { describe, expect, test } from 'vitest';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, type Backend, on, startActor } from '../support/backends.js';
import { failure, rejection } from '../support/failures.js';
import { callIn, takeIn } from '../support/lock-actors.js';
import {
  D,
  forgottenThread,
  HOLDERS,
  heldBy,
  type LockBytes,
  lockMemory,
  row,
  untilAsleep,
  type Words,
} from '../support/lock-memory.js';
import { outOfTime, withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const Y = UNKNOWABLE;
const Z = UNKNOWABLE + 1n;
const dead = await forgottenThread();
const holders = HOLDERS;
const BROKEN = 0x80000000;
const now = { timeout: 0 };

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const forged = (parties: number, words: Words = {}): { bytes: LockBytes; barrier: Barrier } => {
    const bytes = lockMemory(backend, 'barrier', words);
    return { bytes, barrier: on(backend, () => Barrier.at(bytes.memory, bytes.at, { parties, holders })) };
  };
  /** All words but the inner lock's token, which counts every use. */
  const state = (bytes: LockBytes): Words => {
    const { token: _, ...rest } = bytes.words();
    return rest;
  };

  test.each([
    // phase, the own row's count and phase before, and what the next phase is
    [0, 0, 0, 1],
    [1, 5, 0, 2],
    [7, 9, 6, 8],
    [0x7ffffffe, 0, 0x7ffffffe, 0x7fffffff],
    [0x7fffffff, 3, 2, 0],
  ])(
    'phase %i, the own row at %i of phase %i: the last arrival moves it to %i, and wakes all',
    (phase, count, of, next) => {
      const { bytes, barrier } = forged(3, { phase, holders_used: 2, ...row(0, X, count, of), ...row(1, Y, 2, phase) });
      bytes.sleepers('phase', 2);
      expect(barrier.wait(now)).toBe(true);
      const rows = { ...row(0, X, 1, phase), ...row(1, Y, 2, phase) };
      const moved = next === 0 ? {} : { phase: next };
      expect(state(bytes)).toEqual({ holders, parties: 3, holders_used: 2, ...moved, ...rows });
      expect([bytes.asleep('phase'), bytes.harmed()]).toEqual([0, []]);
    },
  );

  test('counts of other phases are not arrivals', () => {
    const rows = { ...row(0, Y, 7, 4), ...row(1, Z, 1, 5) };
    const { bytes, barrier } = forged(3, { phase: 5, holders_used: 2, ...rows });
    failure('COEXIST_ETIMEDOUT', () => barrier.wait(now));
    expect(state(bytes)).toEqual({
      ...{ holders, parties: 3, phase: 5, holders_used: 3, ...rows },
      ...row(2, X, 0, 5),
    });
  });

  test('a wait sleeps on phase, 50 ms at most, with the inner lock left', () => {
    const { bytes, barrier } = forged(2, { phase: 5 });
    const { sleeps, result } = withSleeps(
      () => barrier.wait(),
      (n, { index, value, ms }) => {
        expect([index, value, ms]).toEqual([bytes.futexOf('phase'), 5, 50]);
        expect(state(bytes)).toEqual({ holders, parties: 2, phase: 5, holders_used: 1, ...row(0, X, 1, 5) });
        if (n === 3) bytes.plant({ phase: 6 });
      },
    );
    expect([sleeps.length, result]).toEqual([4, false]);
  });

  test('one that gives up takes its count back', async () => {
    const { bytes, barrier } = forged(2, { phase: 5 });
    const gone = { holders, parties: 2, phase: 5, holders_used: 1, ...row(0, X, 0, 5) };
    const there = { ...gone, ...row(0, X, 1, 5) };
    failure('COEXIST_ETIMEDOUT', () => barrier.wait(now));
    expect(state(bytes)).toEqual(gone);
    expect(withSleeps(() => barrier.wait({ timeout: 120 })).error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect(state(bytes)).toEqual(gone);
    await rejection(
      'COEXIST_ETIMEDOUT',
      outOfTime((options) => barrier.waitAsync(options)),
    );
    const controller = new AbortController();
    const waiting = barrier.waitAsync({ signal: controller.signal });
    expect(state(bytes)).toEqual(there);
    controller.abort();
    await rejection('COEXIST_EABORTED', waiting);
    const { signal } = controller;
    const token = bytes.read('token');
    await rejection('COEXIST_EABORTED', barrier.waitAsync({ signal }));
    failure('COEXIST_EABORTED', () => barrier.wait({ signal }));
    failure('COEXIST_EINVAL', () => barrier.wait({ timeout: -1 }));
    expect([state(bytes), bytes.read('token'), bytes.harmed()]).toEqual([gone, token, []]);
  });

  test('unless the phase has moved: then it has arrived, and returns', () => {
    const { bytes, barrier } = forged(2, { phase: 5 });
    const { sleeps, error, result } = withSleeps(
      () => barrier.wait({ timeout: 50 }),
      // While it waits for the inner lock to take its count back, whoever holds that completes the phase.
      (n) => bytes.plant(n === 0 ? { owner: Y } : { phase: 6, owner: 0n }),
    );
    expect([sleeps.length, error, result]).toEqual([2, undefined, false]);
    expect(state(bytes)).toMatchObject({ phase: 6, ...row(0, X, 1, 5) });
  });

  test('flows of one thread are parties too; exactly one came last, phase after phase', async () => {
    const { bytes, barrier } = forged(3);
    for (let phase = 0; phase < 5; phase++) {
      const arrivals = [0, 1, 2].map(() => barrier.waitAsync({ timeout: 20_000 }));
      expect((await Promise.all(arrivals)).filter((last) => last)).toHaveLength(1);
      const moved = { phase: phase + 1, holders_used: 1, ...row(0, X, 3, phase) };
      expect(state(bytes)).toEqual({ holders, parties: 3, ...moved });
    }
    const single = forged(1);
    for (let n = 0; n < 3; n++) expect([single.barrier.wait(), single.bytes.read('phase')]).toEqual([true, n + 1]);
  });

  test('joining takes a row and counts nothing; leaving frees it, arrivals included', async () => {
    const { bytes, barrier } = forged(3, { phase: 2 });
    const empty = { holders, parties: 3, phase: 2 };
    barrier.leave();
    expect(state(bytes)).toEqual(empty);
    barrier.join();
    barrier.join();
    expect(state(bytes)).toEqual({ ...empty, holders_used: 1, ...row(0, X) });
    const controller = new AbortController();
    const waiting = barrier.waitAsync({ signal: controller.signal });
    expect(state(bytes)).toEqual({ ...empty, holders_used: 1, ...row(0, X, 1, 2) });
    barrier.leave();
    barrier.leave();
    controller.abort();
    // The phase stays behind; it says nothing while the row is free.
    expect(state(bytes)).toEqual({ ...empty, holders_used: 1, ...row(0, 0n, 0, 2) });
    await rejection('COEXIST_EABORTED', waiting);
    expect(state(bytes)).toEqual({ ...empty, holders_used: 1, ...row(0, 0n, 0, 2) });
    barrier.join();
    expect(state(bytes)).toEqual({ ...empty, holders_used: 1, ...row(0, X, 0, 2) });
  });

  test.each([
    ['that has arrived', row(1, dead, 1, 5)],
    ['that has not arrived', row(1, dead, 1, 4)],
    ['that has only joined', row(1, EARLIER_NAMESAKE)],
  ])('a party %s dies: CAS phase → phase with bit 31, all woken, broken for ever', async (_, party) => {
    const { bytes, barrier } = forged(3, { phase: 5, holders_used: 2, ...row(0, X), ...party });
    const { sleeps, error } = withSleeps(
      () => barrier.wait(),
      () => bytes.sleepers('phase', 2),
    );
    expect([sleeps.length, error]).toEqual([1, expect.objectContaining({ code: 'COEXIST_EBROKEN' })]);
    expect([bytes.read('phase'), bytes.asleep('phase')]).toEqual([BROKEN + 5, 0]);
    const before = state(bytes);
    const other = on(backend, () => Barrier.at(bytes.memory, bytes.at, { parties: 3, holders }));
    for (const view of [barrier, other]) {
      expect(failure('COEXIST_EBROKEN', () => view.wait()).found).toBe('a broken barrier');
      await rejection('COEXIST_EBROKEN', view.waitAsync());
    }
    expect(state(bytes)).toEqual(before);
  });

  test.each(['wait', 'join'] as const)(
    '%s takes no row beside that of a dead party, but breaks the barrier',
    (method) => {
      const words = { phase: 5, holders_used: 2, ...row(0, Y, 1, 5), ...row(1, dead, 1, 5) };
      const { bytes, barrier } = forged(3, words);
      bytes.sleepers('phase', 2);
      failure('COEXIST_EBROKEN', () => barrier[method]());
      expect([state(bytes), bytes.asleep('phase')]).toEqual([{ holders, parties: 3, ...words, phase: BROKEN + 5 }, 0]);
      failure('COEXIST_EBROKEN', () => barrier[method]());
      barrier.leave();
      expect(bytes.read('owner')).toBe(0n);
    },
  );

  test('a party that lives, or that nobody can judge, breaks nothing', () => {
    const { bytes, barrier } = forged(3, { phase: 5, holders_used: 2, ...row(0, Y, 1, 5), ...row(1, Z, 1, 4) });
    expect(withSleeps(() => barrier.wait({ timeout: 500 })).error).toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect(bytes.read('phase')).toBe(5);
  });

  test('found broken: by who waits, and by who arrives last', async () => {
    const { bytes, barrier } = forged(2, { phase: 5 });
    const blocked = withSleeps(
      () => barrier.wait(),
      () => bytes.plant({ phase: BROKEN + 5 }),
    );
    expect(blocked.error).toMatchObject({ code: 'COEXIST_EBROKEN' });
    bytes.plant({ phase: 6 });
    const waiting = barrier.waitAsync({ timeout: 20_000 });
    bytes.plant({ phase: BROKEN + 6 });
    bytes.asleep('phase');
    await rejection('COEXIST_EBROKEN', waiting);
    // Moved on first, broken later: this wait belongs to a phase that was completed.
    bytes.plant({ phase: 7 });
    const completed = barrier.waitAsync({ timeout: 20_000 });
    bytes.plant({ phase: BROKEN + 8 });
    bytes.asleep('phase');
    expect(await completed).toBe(false);
    bytes.plant({ phase: 0x7fffffff });
    const last = barrier.waitAsync({ timeout: 20_000 });
    bytes.plant({ phase: 0xffffffff });
    bytes.asleep('phase');
    await rejection('COEXIST_EBROKEN', last);
    await rejection('COEXIST_EBROKEN', barrier.waitAsync());
  });

  test.each([...heldBy('dead', dead), ...heldBy('X', X)])(
    'the inner lock, %s, is taken over, and D is cleared',
    (_, owner) => {
      const { bytes, barrier } = forged(1, { owner, token: 4 });
      const { result, error } = withSleeps(() => barrier.wait());
      expect([result, error, bytes.read('owner'), bytes.read('token')]).toEqual([true, undefined, 0n, 5]);
      bytes.plant({ owner });
      expect(withSleeps(() => barrier.leave()).error).toBeUndefined();
      expect([bytes.read('owner'), bytes.read('owner') === D]).toEqual([0n, false]);
    },
  );

  test('threads: exactly one came last; who leaves breaks nothing; who dies breaks it for all', async () => {
    const { bytes, barrier } = forged(3);
    const actors = await Promise.all([startActor('wasm'), startActor('twin')]);
    const options = { parties: 3, holders };
    const arrive = (actor: Actor) => takeIn(actor, bytes, { kind: 'Barrier', method: 'wait', options });
    for (let phase = 0; phase < 3; phase++) {
      const waiting = actors.map(arrive);
      const last = barrier.wait({ timeout: 15_000 });
      const all = [last, ...(await Promise.all(waiting)).map((got) => got.last)];
      expect([all.filter((was) => was).length, bytes.read('phase')]).toEqual([1, phase + 1]);
    }
    const [leaving, dying] = actors as [Actor, Actor];
    await callIn(leaving, 'leave', 'lock');
    await kill(leaving);
    failure('COEXIST_ETIMEDOUT', () => barrier.wait({ timeout: 200 }));
    expect(bytes.read('phase')).toBe(3);

    const third = await startActor(backend);
    const waiting = arrive(third);
    waiting.catch(() => {});
    await untilAsleep(bytes, 'phase');
    const identity = await identityOf(dying);
    expect(Object.values(bytes.words())).toContain(identity);
    await kill(dying);
    failure('COEXIST_EBROKEN', () => barrier.wait({ timeout: 15_000 }));
    await expect(waiting).rejects.toMatchObject({ code: 'COEXIST_EBROKEN' });
    await until('the barrier is broken', () => bytes.read('phase') === BROKEN + 3);
    await third.terminate();
  });
});
