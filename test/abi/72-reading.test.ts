// Clause 72: the record read without the lock, and by inspectModules(): one build as a whole, and the threads that have it.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Actor } from '../support/actor.js';
import { BACKENDS, type Backend, memoryOf, on, registerIn, startActor, unregisterIn } from '../support/backends.js';
import { copyUrl } from '../support/copies.js';
import { forgottenThread } from '../support/lock-memory.js';
import {
  A,
  B,
  enter,
  entered,
  forged,
  has,
  lib,
  loaded,
  loading,
  moduleArea,
  moduleWords,
  none,
} from '../support/module-words.js';
import { identityOf, kill, ownIdentity, UNKNOWABLE } from '../support/threads.js';

const { recordOf, markLoaded, leaveModule, readModule } = lib.moduleRecords;
const { inspectModules } = lib;
const X = ownIdentity();
const Y = UNKNOWABLE;
const dead = await forgottenThread();
const tid = (identity: bigint): number => Number(identity & ((1n << 22n) - 1n));

/** Calls back behind the n-th atomic load, once. */
function behindLoad<R>(n: number, then: () => void, step: () => R): R {
  const original = Atomics.load;
  let count = 0;
  const spy = vi.spyOn(Atomics, 'load').mockImplementation(((view: Int32Array, index: number) => {
    const result = original.call(Atomics, view as never, index);
    if (++count === n) then();
    return result;
  }) as never);
  try {
    return step();
  } finally {
    spy.mockRestore();
  }
}

describe.each(BACKENDS)('%s', (backend: Backend) => {
  test('no build: nothing', () => {
    const { area, record, words } = forged(backend, { state: none(5), ...has(2, Y, loaded(5)) });
    expect([readModule(record), inspectModules({ area })]).toEqual([undefined, []]);
    words.plant({ state: 0 });
    expect([readModule(record), inspectModules({ area })]).toEqual([undefined, []]);
  });

  test('a build and its rows, while another thread has the lock; nothing is written', () => {
    const { area, record, words } = forged(backend, {
      owner: Y,
      ...has(0, dead, loaded(5)),
      ...has(1, X, loading(5)),
      ...has(2, Y, loaded(5)),
      ...has(3, Y + 1n, loaded(4)),
    });
    const before = words.bytes.snapshot();
    expect(readModule(record)).toEqual({
      fingerprint: A,
      path: '/of/a.js',
      generation: 5,
      rows: [
        { identity: dead, loaded: true, alive: false },
        { identity: X, loaded: false, alive: true },
        { identity: Y, loaded: true, alive: null },
      ],
    });
    expect(inspectModules({ area })).toEqual([
      {
        name: 'm',
        fingerprint: A,
        path: '/of/a.js',
        generation: 5,
        slots: [],
        threads: [
          { slot: undefined, osTid: tid(X), loaded: false },
          { slot: undefined, osTid: null, loaded: true },
        ],
        interfaces: [],
      },
    ]);
    expect(words.bytes.changed(before)).toEqual([]);
  });

  test.each([
    ['a build that nobody has', {}],
    ['a build of the dead', has(1, dead, loaded(5))],
    ['a build that was left', has(1, X, loading(5), 0)],
  ])('%s is not listed', (_, row) => {
    const { area, record } = forged(backend, row);
    expect(readModule(record)).toMatchObject({ fingerprint: A, generation: 5 });
    expect(inspectModules({ area })).toEqual([]);
  });

  test('a build that is replaced at any moment of a reading is read as one or the other', () => {
    const outcomes = new Set<string>();
    for (let n = 1; n <= 30; n++) {
      const { record, words } = forged(backend, has(2, Y, loaded(5)));
      const reading = behindLoad(
        n,
        () => {
          words.plant({ state: none(5) });
          words.plantBuild(B, '/elsewhere/b.js');
          words.plant({ state: entered(6), ...has(3, Y + 1n, loaded(6)) });
        },
        () => readModule(record),
      );
      const { fingerprint, path, generation, rows } = reading ?? {};
      const which = fingerprint === A ? 'A' : 'B';
      outcomes.add(which);
      expect([path, generation, rows?.map(({ identity }) => identity)]).toEqual(
        which === 'A' ? ['/of/a.js', 5, [Y]] : ['/elsewhere/b.js', 6, [Y + 1n]],
      );
    }
    expect([...outcomes]).toContain('B');
  });

  test('a row that changes hands while it is read is nobody’s', () => {
    const { record, words } = forged(backend, has(2, dead, loaded(5)));
    let readings = 0;
    for (let n = 1; n <= 40; n++) {
      words.plant({ ...has(2, dead, loaded(5)) });
      const reading = behindLoad(
        n,
        () => words.plant({ ...has(2, Y, loading(5)) }),
        () => readModule(record),
      );
      for (const { identity, loaded: isLoaded } of reading?.rows ?? []) {
        readings++;
        expect([identity, isLoaded]).toEqual(identity === dead ? [dead, true] : [Y, false]);
      }
    }
    expect(readings).toBeGreaterThan(0);
  });

  test('a path longer than there is room for, as a faulty writer leaves it, is read to the end of its room', () => {
    const { record, words } = forged(backend, has(2, Y, loaded(5)));
    words.plant({ path_length: 0xffffffff });
    expect(readModule(record)?.path.length).toBe(1024);
  });

  describe('with other threads', () => {
    let actor: Actor;
    beforeAll(async () => {
      actor = await startActor(backend);
    });
    afterAll(() => actor.terminate());

    test('what a thread of another copy has is listed with its slot, refuses another build, and goes with it', async () => {
      const area = moduleArea(backend);
      const record = on(backend, () => recordOf('spice', area));
      const { slot } = await registerIn(actor, area, {}, 'b');
      const there = await actor.run(
        async ({ load }, { url, memory, fingerprint }) => {
          const other = await load(url);
          const { recordOf, enter, markLoaded } = other.moduleRecords;
          const theirs = recordOf('spice', other.openArea(memory));
          const step = enter(theirs, fingerprint, '/theirs/spice.js', true).next();
          markLoaded(theirs);
          return step.done && step.value;
        },
        { url: copyUrl('b', 'core.js'), memory: memoryOf(area), fingerprint: A },
      );
      expect(there).toEqual({ entered: true, generation: 1 });
      const identity = await identityOf(actor);
      const listed = {
        name: 'spice',
        fingerprint: A,
        path: '/theirs/spice.js',
        generation: 1,
        slots: [slot],
        threads: [{ slot, osTid: tid(identity), loaded: true }],
        interfaces: [],
      };
      expect(inspectModules({ area })).toEqual([listed]);
      const other = { fingerprint: A, path: '/theirs/spice.js', identities: [identity] };
      expect(enter(record, B, '/own/spice.js')).toEqual({ entered: false, other });

      // Beside it; then the same build, in both threads.
      const beside = recordOf('spice', area, { build: B });
      enter(beside, B, '/own/spice.js');
      markLoaded(beside);
      enter(record, A, '/own/copy.js');
      const registration = lib.register({ area });
      const own = { slot: registration.slot, osTid: tid(X) };
      expect(inspectModules({ area })).toEqual([
        { ...listed, slots: [slot, registration.slot], threads: [...listed.threads, { ...own, loaded: false }] },
        {
          ...listed,
          fingerprint: B,
          path: '/own/spice.js',
          slots: [registration.slot],
          threads: [{ ...own, loaded: true }],
        },
      ]);
      expect(JSON.parse(JSON.stringify(inspectModules({ area })))).toEqual(inspectModules({ area }));
      leaveModule(record);
      leaveModule(beside);

      // Without a registration it is still its thread that has the module.
      await unregisterIn(actor);
      expect(inspectModules({ area })).toEqual([
        { ...listed, slots: [], threads: [{ slot: undefined, osTid: tid(identity), loaded: true }] },
      ]);
      registration.unregister();
      await kill(actor);
      expect(inspectModules({ area })).toEqual([]);
      expect(enter(record, B, '/own/spice.js')).toEqual({ entered: true, generation: 2 });
      expect(moduleWords(area, 'module:spice').build()).toEqual({ fingerprint: B, path: '/own/spice.js' });
    });
  });
});
