// Clause 55, by CPU: operations 3, 5, 6 and 7 hold the CPU's word for their section, and commit by a CAS. Who holds the word, and what
// others do meanwhile, is planted, or done at the injection points.

import type { Area } from 'coexist';
import { ops, PerCpu } from 'coexist/percpu';
import { describe, expect, test } from 'vitest';
import { until } from '../support/actor.js';
import { BACKENDS, type Backend, memoryOf, on, startActor } from '../support/backends.js';
import { failure } from '../support/failures.js';
import { D, forgottenThread, heldBy, type LockBytes, W } from '../support/lock-memory.js';
import { fill, firstOf, holdsWord, injectedRig, load, rigOf } from '../support/operation-rows.js';
import { cpuWordOf, INJECTED, type Index, perCpuArea, sectionOf, wordsIn } from '../support/per-cpu.js';
import { withSleeps } from '../support/sleeps.js';
import { EARLIER_NAMESAKE, NO_SUCH_THREAD, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const X = ownIdentity();
const dead = await forgottenThread();
const { ABORTED, COMPARE_FAILED, DONE } = ops;

describe.each(BACKENDS)('%s', (backend: Backend) => {
  const opened = (index: Index) => rigOf(backend, index);
  const injected = (index: Index) => injectedRig(backend, index);

  const word = (area: Area): LockBytes => cpuWordOf(area, 'words', 0);

  test.each([3, 5, 6, 7])('operation %i commits by a CAS: ABORTED where *v has changed meanwhile', async (op) => {
    // A pointer that leads nowhere is another matter.
    for (const changedAt of op === 3 ? [5] : [3, 5]) {
      const { area, at, context, content, lib } = await injected('cpu');
      const row = firstOf(op);
      const filled = fill(area, row, at);
      // Before the operation looks, or behind that.
      lib.injection.at = (point) => {
        if (point === changedAt) wordsIn(area).set(at(0), 77);
      };
      load[0] = 99;
      const status = row.run(context);
      lib.injection.at = () => {};
      if (changedAt === 5) {
        expect([status, content()[0]]).toEqual([ABORTED, 77]);
      } else {
        expect([status, content()]).toEqual([COMPARE_FAILED, [77, ...filled.slice(1)]]);
      }
      expect([word(area).read('owner'), sectionOf(area, 0)]).toEqual([0n, 0n]);
    }
  });

  test('operation 3, aborted: nothing is given', async () => {
    const { area, at, context, lib } = await injected('cpu');
    wordsIn(area).set(at(0), at(4));
    lib.injection.at = (point) => {
      if (point === 5) wordsIn(area).set(at(0), at(8));
    };
    load[0] = 99;
    const { perCpu } = context;
    expect(context.lib.load_cbeq_store_add_load_store(perCpu, at(0), 0, 0, load, 0)).toBe(ABORTED);
    lib.injection.at = () => {};
    expect([load[0], wordsIn(area).get(at(0))]).toEqual([99, at(8)]);
    // Tried again, it is done.
    expect(context.lib.load_cbeq_store_add_load_store(perCpu, at(0), 0, 0, load, 0)).toBe(DONE);
    expect(load[0]).toBe(at(8));
  });

  test('operation 4 commits by adding, wherever its pointers led', async () => {
    const { area, at, context, lib } = await injected('cpu');
    const row = firstOf(4);
    fill(area, row, at);
    lib.injection.at = (point) => {
      if (point !== 5) return;
      wordsIn(area).set(at(9), 100);
      wordsIn(area).set(at(6), at(10));
    };
    expect(row.run(context)).toBe(DONE);
    lib.injection.at = () => {};
    expect(wordsIn(area).list(at(9), 2)).toEqual([103, 0]);
  });

  test.each(heldBy('Y', UNKNOWABLE))(
    'the CPU’s word held by a live thread, %s: 3, 5, 6 and 7 wait 50 ms at most, and are ABORTED',
    (_, owner) => {
      for (const op of [1, 2, 3, 4, 5, 6, 7]) {
        const { area, at, contextOf, content } = opened('cpu');
        const row = firstOf(op);
        const filled = fill(area, row, at);
        word(area).plant({ owner, token: 3 });
        load[0] = 99;
        const { sleeps, result, error } = withSleeps(() => row.run(contextOf()));
        expect(error).toBeUndefined();
        if (holdsWord(op)) {
          expect(result).toBe(ABORTED);
          expect(content()).toEqual(filled);
          const slept = sleeps.reduce((sum, { ms }) => sum + ms, 0);
          expect(slept).toBeGreaterThan(0);
          expect(slept).toBeLessThanOrEqual(50);
        } else {
          expect([result, sleeps]).toEqual([DONE, []]);
        }
        // W is taken back, and whoever else waits sets it again.
        expect(word(area).words()).toEqual({ owner: holdsWord(op) ? owner & ~W : owner, token: 3 });
        expect(sectionOf(area, 0)).toBe(0n);
      }
    },
  );

  test('given back in time, the operation is done', () => {
    for (const op of [3, 5, 6, 7]) {
      const { area, at, contextOf } = opened('cpu');
      const row = firstOf(op);
      fill(area, row, at);
      word(area).plant({ owner: UNKNOWABLE, token: 3 });
      const { sleeps, result } = withSleeps(
        () => row.run(contextOf()),
        () => word(area).plant({ owner: 0n }),
      );
      expect([sleeps.length, result]).toEqual([1, DONE]);
      expect(word(area).words()).toEqual({ token: 4 });
    }
  });

  test.each([
    ...heldBy('dead', dead),
    ['a thread that there is not', NO_SUCH_THREAD] as [string, bigint],
    ['an earlier thread with the own id', EARLIER_NAMESAKE] as [string, bigint],
  ])('the CPU’s word held by a dead thread, %s: taken over, D cleared, done', (_, owner) => {
    for (const op of [3, 5, 6, 7]) {
      const { area, at, contextOf, content } = opened('cpu');
      const row = firstOf(op);
      const filled = fill(area, row, at);
      word(area).plant({ owner, token: 3 });
      const { sleeps, result } = withSleeps(() => row.run(contextOf()));
      expect([result, word(area).words()]).toEqual([DONE, { token: 4 }]);
      expect(sleeps.length).toBeLessThanOrEqual(1);
      const expected = [...filled];
      for (const [k, value] of Object.entries(row.after?.(at) ?? {})) expected[Number(k)] = value;
      expect(content()).toEqual(expected);
    }
  });

  test.each(heldBy('X', X))('the CPU’s word held by the thread itself, %s: it was cut, and goes on', (_, owner) => {
    for (const op of [3, 5, 6, 7]) {
      const { area, at, contextOf } = opened('cpu');
      const row = firstOf(op);
      fill(area, row, at);
      word(area).plant({ owner, token: 3 });
      const { sleeps, result } = withSleeps(() => row.run(contextOf()));
      expect([result, sleeps]).toEqual([DONE, []]);
      expect(word(area).words()).toEqual({ token: 4 });
    }
  });

  test('a word in D alone, which no party of this page leaves: told, nothing changed', () => {
    const { area, at, contextOf, content } = opened('cpu');
    const filled = fill(area, firstOf(5), at);
    word(area).plant({ owner: D });
    failure('COEXIST_ENOTRECOVERABLE', () => firstOf(5).run(contextOf()));
    expect([content(), sectionOf(area, 0)]).toEqual([filled, 0n]);
  });

  test('the section begins when the word is held, and has ended when it is given back', async () => {
    for (const owner of [0n, dead]) {
      const { area, at, context, lib } = await injected('cpu');
      fill(area, firstOf(5), at);
      word(area).plant({ owner });
      const seen: [number, bigint, boolean][] = [];
      lib.injection.at = (point) => {
        seen.push([point, (word(area).read('owner') as bigint) & (W - 1n), sectionOf(area, 0) !== 0n]);
      };
      expect(firstOf(5).run(context)).toBe(DONE);
      lib.injection.at = () => {};
      const held = seen.slice(-5);
      expect(held).toEqual([
        [2, X, false],
        [3, X, true],
        [4, X, true],
        [5, X, true],
        [6, X, true],
      ]);
      expect(word(area).read('owner')).toBe(0n);
    }
  });

  test('who waits for the word is woken when it is given back', async () => {
    const { area, at, context, lib } = await injected('cpu');
    fill(area, firstOf(5), at);
    lib.injection.at = (point) => {
      if (point !== 5) return;
      word(area).plant({ owner: (word(area).read('owner') as bigint) | W });
      word(area).sleepers('owner', 2);
    };
    expect(firstOf(5).run(context)).toBe(DONE);
    lib.injection.at = () => {};
    expect(word(area).words()).toEqual({ token: 1 });
    expect(word(area).asleep('owner')).toBe(1);
  });

  test('a live thread in a section, and then a dead one', async () => {
    const area = perCpuArea(backend, { cpus: 1 });
    const perCpu = on(backend, () => new PerCpu('words', { bytes: 64, area }));
    const actor = await startActor(backend);
    actor.post(
      async ({ load }, { url, memory }) => {
        const lib = await load(url);
        const perCpu = new lib.PerCpu('words', { bytes: 64, area: lib.openArea(memory) });
        lib.injection.at = (point: number) => {
          if (point === 5) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        };
        const v = perCpu.at(0);
        lib.ops.load_cbne_store_store(perCpu, v, 0, v + 8, 5, 1, perCpu.start());
      },
      { url: INJECTED, memory: memoryOf(area) },
    );
    await until('it is in its section', () => sectionOf(area, 1) !== 0n);
    const v = perCpu.at(0);
    expect(ops.load_cbne_store_store(perCpu, v, 0, v + 4, 7, 2, 0)).toBe(ABORTED);
    expect(wordsIn(area).list(v, 3)).toEqual([0, 0, 5]);
    // Other operations do not need the word.
    expect(ops.load_add_store(perCpu, v + 12, 1, 0)).toBe(DONE);
    await actor.terminate();
    await until('its death is visible', () => ops.load_cbne_store_store(perCpu, v, 0, v + 4, 7, 2, 0) === DONE);
    expect(wordsIn(area).list(v, 4)).toEqual([2, 7, 5, 1]);
    expect(word(area).read('owner')).toBe(0n);
  });
});
