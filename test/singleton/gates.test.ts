// Races that are held open: a constructor, or a finalizer, stands at a gate while other threads acquire, look and give up. Chance does
// not find these; a gate does.

import type { Area } from 'coexist';
import { singleton } from 'coexist/singleton';
import { afterEach, describe, expect, test } from 'vitest';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, type Backend, memoryOf, startActor } from '../support/backends.js';
import { type CopyName, copyUrl } from '../support/copies.js';
import { rejection } from '../support/failures.js';
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
  singletonBytes,
  takeIn,
} from '../support/singletons.js';

const KEY = 'app/limits';
const actors: Actor[] = [];
afterEach(async () => {
  await Promise.all(actors.splice(0).map((actor) => actor.terminate()));
});

interface Scene {
  readonly area: Area;
  readonly words: Int32Array;
  readonly threads: readonly Actor[];
}

async function scene(backend: Backend, count: number, copies: readonly CopyName[] = ['a', 'b']): Promise<Scene> {
  const area = areaFor(backend);
  const log = newLog();
  const threads = await Promise.all(Array.from({ length: count }, () => startActor(backend)));
  actors.push(...threads);
  await Promise.all(
    threads.map((actor, k) => declareIn(actor, area, { key: KEY, log, copy: copies[k % copies.length] as CopyName })),
  );
  return { area, words: new Int32Array(log), threads };
}

const shut = (words: Int32Array, gate: number): number => Atomics.store(words, gate, 1);
const open = (words: Int32Array, gate: number): void => {
  Atomics.store(words, gate, 0);
  Atomics.notify(words, gate);
};
const arrived = (words: Int32Array, gate: number, times = 1): Promise<void> =>
  until(`somebody stands at gate ${gate}`, () => Atomics.load(words, gate + 1) >= times);

describe.each(BACKENDS)('%s', (backend) => {
  test('a constructor is held open while 4 threads acquire: one construction, three joined, none early', async () => {
    const { area, words, threads } = await scene(backend, 4);
    shut(words, CREATE_GATE);
    const first = takeIn(threads[0]!, KEY);
    await arrived(words, CREATE_GATE);
    const rest = threads.slice(1).map((actor, k) => takeIn(actor, KEY, k === 0 ? 'acquireAsync' : 'acquire'));
    const state = singletonBytes(area, KEY);
    await until('the others sleep', () => Atomics.notify(state.i32, state.stateIndex) === rest.length);
    const abstract = singleton(KEY, { bytes: 64, area });
    expect(abstract.get()).toBeUndefined();
    expect(abstract.peek()).toMatchObject({ phase: 'CONSTRUCTING', total: 0, actor: { alive: true } });
    await expect(abstract.acquireAsync({ timeout: 0 })).rejects.toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    expect(words[CONSTRUCTED]).toBe(1);
    open(words, CREATE_GATE);
    expect(await first).toEqual({ created: true, generation: 0, content: 4711 });
    for (const got of await Promise.all(rest)) expect(got).toEqual({ created: false, generation: 0, content: 4711 });
    expect([words[CONSTRUCTED], abstract.peek().total]).toEqual([1, 4]);
    for (const actor of threads) {
      expect(words[FINALIZED]).toBe(0);
      await releaseIn(actor);
    }
    expect([words[FINALIZED], abstract.peek().phase, abstract.peek().total]).toEqual([1, 'EMPTY', 0]);
  });

  test('one who waits for a constructor gives up in time, or by its signal, and the others go on', async () => {
    const { area, words, threads } = await scene(backend, 3);
    shut(words, CREATE_GATE);
    const first = takeIn(threads[0]!, KEY);
    await arrived(words, CREATE_GATE);
    const waiting = takeIn(threads[1]!, KEY);
    await expect(takeIn(threads[2]!, KEY, 'acquire', { timeout: 20 })).rejects.toMatchObject({
      code: 'COEXIST_ETIMEDOUT',
    });
    const other = singleton(KEY, { bytes: 64, create() {}, area });
    const controller = new AbortController();
    const aborted = rejection('COEXIST_EABORTED', other.acquireAsync({ signal: controller.signal }));
    controller.abort(new Error('changed my mind'));
    expect((await aborted).message).toContain('changed my mind');
    await expect(takeIn(threads[2]!, KEY, 'createNew')).rejects.toMatchObject({ code: 'COEXIST_EEXIST' });
    expect(other.allowed()).toMatchObject({ allowed: false, code: 'COEXIST_EEXIST', holder: { alive: true } });
    open(words, CREATE_GATE);
    expect(await first).toMatchObject({ created: true });
    expect(await waiting).toMatchObject({ created: false });
    expect(other.peek().total).toBe(2);
  });

  test('while it is finalized, lookups find none, acquire waits, and what comes after is another generation', async () => {
    const { area, words, threads } = await scene(backend, 3);
    const old = await takeIn(threads[0]!, KEY);
    shut(words, FINALIZE_GATE);
    const release = releaseIn(threads[0]!);
    await arrived(words, FINALIZE_GATE);
    expect(await takeIn(threads[1]!, KEY, 'get')).toBeUndefined();
    expect(await peekIn(threads[1]!, KEY)).toMatchObject({ phase: 'FINALIZING', generation: 0, total: 0 });
    await expect(takeIn(threads[1]!, KEY, 'acquire', { timeout: 20 })).rejects.toMatchObject({
      code: 'COEXIST_ETIMEDOUT',
    });
    // Settled from here on: the one that is refused may be before the release has been heard of.
    const waiting = Promise.allSettled([takeIn(threads[1]!, KEY), takeIn(threads[2]!, KEY, 'createNewAsync')]);
    const state = singletonBytes(area, KEY);
    await until('both sleep', () => Atomics.notify(state.i32, state.stateIndex) === 2);
    expect([words[CONSTRUCTED], words[FINALIZED]]).toEqual([1, 1]);
    open(words, FINALIZE_GATE);
    await release;
    // Whoever of the two comes first constructs; the one that wants none but its own is refused, if it comes second.
    const [joined, made] = await waiting;
    expect(joined).toMatchObject({ status: 'fulfilled', value: { generation: 1, content: 4711 } });
    if (made?.status === 'fulfilled') expect(made.value).toMatchObject({ created: true, generation: 1 });
    else expect(made?.reason).toMatchObject({ code: 'COEXIST_EEXIST' });
    expect(old?.generation).toBe(0);
    expect([words[CONSTRUCTED], words[FINALIZED]]).toEqual([2, 1]);
  });

  test('declared for the main thread: a worker joins it, and never makes it', async () => {
    const area = areaFor(backend);
    const actor = await startActor(backend);
    actors.push(actor);
    const attempt = (): Promise<unknown> =>
      actor.run(
        async ({ load }, { url, memory, key }) => {
          const lib = await load(url);
          const it = lib.singleton(key, { bytes: 64, create() {}, thread: 'main', area: lib.openArea(memory) });
          const allowed = it.allowed();
          const codes = (['acquire', 'createNew'] as const).map((method) => {
            try {
              return it[method]().created;
            } catch (error) {
              const { code, message } = error as { code: string; message: string };
              return message.includes('main thread') ? code : message;
            }
          });
          return [allowed.allowed, allowed.allowed ? undefined : allowed.code, ...codes];
        },
        { url: copyUrl('a', 'core.js'), memory: memoryOf(area), key: KEY },
      );
    const refused = 'COEXIST_EREFUSED';
    expect(await attempt()).toEqual([false, refused, refused, refused]);
    // This process runs tests in its main thread.
    const it = singleton(KEY, { bytes: 64, create() {}, thread: 'main', area });
    expect(it.peek().phase).toBe('EMPTY');
    expect(it.acquire().created).toBe(true);
    expect((await attempt()) as unknown[]).toMatchObject([false, refused, false, expect.stringContaining('LIVE')]);
  });

  test('threads that take and release in a race: one constructs for each generation, and each is finalized once', async () => {
    const ROUNDS = 300;
    const { area, words, threads } = await scene(backend, 3);
    const generations = await Promise.all(
      threads.map((actor, k) =>
        actor.run(
          async ({ state }, { key, rounds, wait }) => {
            const it = state[key] as import('coexist/singleton').MemorySingleton;
            const own: number[] = [];
            for (let n = 0; n < rounds; n++) {
              const reference = wait ? await it.acquireAsync() : it.acquire();
              if (reference.created) own.push(reference.generation);
              const second = it.get();
              if (second === undefined) throw new Error('held, and not to be had');
              if (reference.memory.i32[0] !== 4711) throw new Error(`used after it was freed, in round ${n}`);
              reference.release();
              if (second.memory.i32[0] !== 4711) throw new Error(`freed while it was held, in round ${n}`);
              second.release();
            }
            return own;
          },
          { key: KEY, rounds: ROUNDS, wait: k === 0 },
        ),
      ),
    );
    const all = generations.flat().sort((a, b) => a - b);
    expect(all).toEqual(all.map((_, k) => k));
    expect([words[CONSTRUCTED], words[FINALIZED]]).toEqual([all.length, all.length]);
    expect(singleton(KEY, { bytes: 64, area }).peek()).toMatchObject({
      phase: 'EMPTY',
      generation: all.length,
      total: 0,
    });
  });
});
