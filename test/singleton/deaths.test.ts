// Threads die in every phase: in the constructor, waiting for it, holding, finalizing. Others take over, or find it empty; nothing
// stays counted. How long that takes is counted in bounded sleeps, on a clock that the test holds.

import { type MemorySingleton, singleton } from 'coexist/singleton';
import { afterEach, describe, expect, test } from 'vitest';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, startActor } from '../support/backends.js';
import {
  areaFor,
  CONSTRUCTED,
  CREATE_GATE,
  declareIn,
  FINALIZE_GATE,
  FINALIZED,
  newLog,
  peekIn,
  releaseIn,
  type Setting,
  singletonBytes,
  takeIn,
} from '../support/singletons.js';
import { withSleeps } from '../support/sleeps.js';
import { identityOf, livesInProc, NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';

const KEY = 'app/limits';
const BOUND_MS = 200;
const OTHER = (1n << 61n) | 99n;
const actors: Actor[] = [];
afterEach(async () => {
  await Promise.all(actors.splice(0).map((actor) => actor.terminate()));
});

describe.each(BACKENDS)('%s', (backend) => {
  async function scene(count: number, more: Partial<Setting> = {}) {
    const area = areaFor(backend);
    const log = newLog();
    const threads = await Promise.all(Array.from({ length: count }, () => startActor(backend)));
    actors.push(...threads);
    await Promise.all(
      threads.map((actor, k) => declareIn(actor, area, { key: KEY, log, copy: k % 2 === 0 ? 'a' : 'b', ...more })),
    );
    const words = new Int32Array(log);
    // What looks on: no part of the story.
    const eye = singleton(KEY, { bytes: 64, area });
    const identities = await Promise.all(threads.map(identityOf));
    // Asked before: one that stands at a gate answers nothing.
    const kill = async (actor: Actor): Promise<void> => {
      await actor.terminate();
      const identity = identities[threads.indexOf(actor)] as bigint;
      await until('the thread is gone', () => !livesInProc(identity));
    };
    return { area, threads, words, eye, kill, bytes: singletonBytes(area, KEY) };
  }
  const arrived = (words: Int32Array, gate: number, times = 1): Promise<void> =>
    until('somebody stands at the gate', () => Atomics.load(words, gate + 1) >= times);

  test.each(['acquire', 'acquireAsync'] as const)(
    'in the constructor: one of those who wait (%s) takes over',
    async (method) => {
      const { threads, words, eye, bytes, kill } = await scene(4);
      words[CREATE_GATE] = 1;
      const [victim, ...rest] = threads as [Actor, ...Actor[]];
      const lost = takeIn(victim, KEY).catch(() => undefined);
      await arrived(words, CREATE_GATE);
      const waiting = rest.map((actor) => takeIn(actor, KEY, method));
      await until('the others sleep', () => Atomics.notify(bytes.i32, bytes.stateIndex) === 3);
      words[CREATE_GATE] = 0;
      await kill(victim);
      await lost;
      const got = await Promise.all(waiting);
      // It may have got through the gate before it died; then all have joined what it made.
      const created = got.filter((one) => one?.created).length;
      expect([created, words[CONSTRUCTED]]).toEqual(bytes.generation() === 0 ? [0, 1] : [1, 2]);
      expect(new Set(got.map((one) => one?.generation)).size).toBe(1);
      expect(eye.peek()).toMatchObject({ phase: 'LIVE', total: 3 });
    },
  );

  test('while it waits for the constructor: the others do not notice', async () => {
    const { threads, words, eye, bytes, kill } = await scene(3);
    words[CREATE_GATE] = 1;
    const first = takeIn(threads[0]!, KEY);
    await arrived(words, CREATE_GATE);
    const lost = takeIn(threads[1]!, KEY).catch(() => undefined);
    const third = takeIn(threads[2]!, KEY);
    await until('both sleep', () => Atomics.notify(bytes.i32, bytes.stateIndex) === 2);
    await kill(threads[1]!);
    await lost;
    words[CREATE_GATE] = 0;
    expect([(await first)?.created, (await third)?.created]).toEqual([true, false]);
    expect(eye.peek()).toMatchObject({ phase: 'LIVE', generation: 0, total: 2 });
  });

  test('holding: what it held is subtracted, the instance lives on, and ends with the last one that lives', async () => {
    const { threads, words, eye, kill } = await scene(3);
    for (const actor of threads) for (let n = 0; n < 3; n++) await takeIn(actor, KEY);
    expect(eye.peek().total).toBe(9);
    await kill(threads[0]!);
    expect(eye.peek()).toMatchObject({ phase: 'LIVE', total: 6 });
    await kill(threads[1]!);
    expect(await peekIn(threads[2]!, KEY)).toMatchObject({ phase: 'LIVE', total: 3 });
    for (let n = 0; n < 3; n++) await releaseIn(threads[2]!);
    expect([words[FINALIZED], eye.peek().phase, eye.peek().generation]).toEqual([1, 'EMPTY', 1]);
  });

  test('holding, the last one: reclaim ends the instance', async () => {
    const { threads, words, eye, bytes, kill } = await scene(2);
    await takeIn(threads[0]!, KEY);
    await kill(threads[0]!);
    expect(eye.peek()).toMatchObject({ phase: 'LIVE', total: 0, references: [{ alive: false, count: 1 }] });
    const freed = await threads[1]!.run(({ state }, key) => (state[key] as MemorySingleton).reclaim(), KEY);
    expect([freed, words[FINALIZED], bytes.phase(), eye.peek().references]).toEqual([1, 1, 'EMPTY', []]);
  });

  test('memory that goes with its creator: the holders are told, and the next one makes another', async () => {
    const { threads, words, eye, kill } = await scene(2, { onOwnerDeath: 'discard' });
    await takeIn(threads[0]!, KEY);
    await takeIn(threads[1]!, KEY);
    await kill(threads[0]!);
    expect(await takeIn(threads[1]!, KEY)).toEqual({ created: true, generation: 1, content: 4711 });
    expect(eye.peek().total).toBe(1);
    const code = await threads[1]!.run(({ state }) => {
      try {
        void (state['references'] as { memory: unknown }[])[0]!.memory;
        return 'none';
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect([code, words[FINALIZED]]).toEqual(['COEXIST_EGONE', 0]);
  });

  test.each(['acquire', 'acquireAsync'] as const)('in the finalizer: who waits (%s) makes another', async (method) => {
    const { threads, words, eye, bytes, kill } = await scene(2);
    await takeIn(threads[0]!, KEY);
    words[FINALIZE_GATE] = 1;
    const lost = releaseIn(threads[0]!).catch(() => undefined);
    await arrived(words, FINALIZE_GATE);
    const waiting = takeIn(threads[1]!, KEY, method);
    await until('it sleeps', () => Atomics.notify(bytes.i32, bytes.stateIndex) === 1);
    await kill(threads[0]!);
    await lost;
    expect(await waiting).toEqual({ created: true, generation: 1, content: 4711 });
    expect([words[CONSTRUCTED], words[FINALIZED], eye.peek().total]).toEqual([2, 1, 1]);
  });

  test.each([
    ['CONSTRUCTING', 'the constructor'],
    ['DYING', 'whoever let go last'],
    ['FINALIZING', 'the finalizer'],
  ] as const)(`%s: a waiter finds the death of %s within ${BOUND_MS} ms, however often it is woken`, (phase, _) => {
    for (const woken of [false, true]) {
      const area = areaFor(backend);
      const it = singleton(KEY, { bytes: 64, create() {}, area });
      it.acquire();
      const bytes = singletonBytes(area, KEY);
      bytes.plantRow(0, ownIdentity(), 0, 0);
      bytes.setActor(OTHER);
      bytes.setState(phase, 0);
      let slept = 0;
      let diedAt = -1;
      const { result, error } = withSleeps(
        () => it.acquire(),
        (n, { ms }) => {
          if (n === 5) bytes.setActor(NO_SUCH_THREAD);
          if (n === 5) diedAt = slept;
          const early = woken && n % 2 === 0;
          if (!early) slept += ms;
          return early ? 'woken' : undefined;
        },
      );
      expect(error).toBeUndefined();
      expect(result?.created).toBe(true);
      expect(slept - diedAt, 'virtual ms since the death').toBeLessThanOrEqual(BOUND_MS);
    }
  });

  test('the bound is kept where the waiter gives up earlier: it asks once more before', () => {
    const area = areaFor(backend);
    const it = singleton(KEY, { bytes: 64, create() {}, area });
    it.acquire();
    const bytes = singletonBytes(area, KEY);
    bytes.setActor(OTHER);
    bytes.setState('CONSTRUCTING', 0);
    const { result } = withSleeps(
      () => it.acquire({ timeout: 10 }),
      () => bytes.setActor(NO_SUCH_THREAD),
    );
    expect(result?.created).toBe(true);
  });
});
