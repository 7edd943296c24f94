// Hosted singletons: an object in the thread that made it, which others reach by calls, and which ends there, once.

import { type Area, createArea } from 'coexist';
import { type HostedSingleton, singleton, singletons } from 'coexist/singleton';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type * as core from '../../src/core.js';
import type { ActorContext } from '../../workers/actor.js';
import { type Actor, until } from '../support/actor.js';
import { BACKENDS, type Backend, memoryOf, on, openIn, startActor } from '../support/backends.js';
import { type CopyName, copyUrl } from '../support/copies.js';
import { failure, rejection } from '../support/failures.js';
import { singletonBytes } from '../support/singletons.js';
import { identityOf, kill, livesInProc, NO_SUCH_THREAD, ownIdentity } from '../support/threads.js';

const KEY = 'app/cache';
const FINALIZED_BY = 0;
const FINALIZED = 1;
const BLOCKED = 2;
const actors: Actor[] = [];
afterEach(async () => {
  await Promise.all(actors.splice(0).map((actor) => actor.terminate()));
});

type Store = { items: Map<string, unknown>; ended: boolean };
type Cache = ReturnType<typeof cacheIn>;
const log = new Int32Array(new SharedArrayBuffer(16));

const areaFor = (backend: Backend): Area =>
  on(backend, () => createArea({ slots: 8, blockBytes: 4096, heapBytes: 1 << 20 }));

function cacheIn(area: Area, more: { finalize?: (store: Store) => void | Promise<void>; thread?: 'main' } = {}) {
  return singleton(KEY, {
    create: (): Store => ({ items: new Map(), ended: false }),
    finalize: (store: Store): void => {
      store.ended = true;
    },
    methods: {
      get: (store: Store, key: string) => store.items.get(key),
      set(store: Store, key: string, value: unknown) {
        if (store.ended) throw new Error('used after it was finalized');
        store.items.set(key, value);
        return store.items.size;
      },
      async later(store: Store, key: string) {
        await null;
        return store.items.get(key);
      },
      caller() {
        return this.caller.slot;
      },
      refuse(): never {
        throw new RangeError('not that');
      },
    },
    area,
    ...more,
  });
}

/** Declares the cache in the actor's thread, under `cache` in its state. */
async function worker(backend: Backend, area: Area, copy: CopyName = 'a'): Promise<Actor> {
  const actor = await startActor(backend);
  actors.push(actor);
  await actor.run(
    async ({ load, state }: ActorContext, { url, memory, key, log }) => {
      const lib = await load(url);
      const { threadId } = process.getBuiltinModule('node:worker_threads');
      const area = lib.openArea(memory);
      state['declared'] = { lib, key, area };
      state['cache'] = lib.singleton(key, {
        create: (): Store => ({ items: new Map(), ended: false }),
        finalize() {
          Atomics.store(log, 0, threadId);
          Atomics.add(log, 1, 1);
        },
        methods: {
          get: (store: Store, key: string) => store.items.get(key),
          set: (store: Store, key: string, value: unknown) => store.items.set(key, value).size,
        },
        area,
      });
      state['references'] = [];
    },
    { url: copyUrl(copy, 'core.js'), memory: memoryOf(area), key: KEY, log },
  );
  return actor;
}

const takeIn = (actor: Actor, method: 'acquire' | 'get' = 'acquire') =>
  actor.run(({ state }, method) => {
    const reference = (state['cache'] as Cache)[method]();
    if (reference === undefined) return undefined;
    (state['references'] as unknown[]).push(reference);
    return { created: reference.created, generation: reference.generation, here: reference.instance !== undefined };
  }, method);

type Held = NonNullable<ReturnType<Cache['get']>>;

const callIn = (actor: Actor, form: 'callSync' | 'call', method: 'get' | 'set', ...args: unknown[]): Promise<unknown> =>
  actor.run(
    async ({ state }, { form, method, args }) => {
      const reference = (state['references'] as Held[]).at(-1) as unknown as Record<
        string,
        (...args: unknown[]) => unknown
      >;
      return await reference[form]!(method, ...args);
    },
    { form, method, args },
  );

const releaseIn = (actor: Actor): Promise<void> =>
  actor.run(({ state }) => (state['references'] as Held[]).pop()?.release());
/** Lets the actor's thread stand still for good. */
async function stopped(actor: Actor): Promise<void> {
  Atomics.store(log, BLOCKED, 0);
  actor.post((_: ActorContext, log: Int32Array) => {
    Atomics.store(log, 2, 1);
    Atomics.wait(log, 3, 0);
  }, log);
  await until('it stands still', () => Atomics.load(log, BLOCKED) === 1);
}
const ended = (times: number): Promise<void> => until('it was finalized', () => Atomics.load(log, FINALIZED) === times);

describe.each(BACKENDS)('%s', (backend) => {
  test('others reach what this thread has made, and the last of them has it finalized here', async () => {
    const area = areaFor(backend);
    const finalize = vi.fn((store: Store): void => {
      store.ended = true;
    });
    const it = cacheIn(area, { finalize });
    const reference = it.acquire();
    expect([reference.created, reference.generation]).toEqual([true, 0]);
    expect(reference.instance?.items.size).toBe(0);
    expect(it.peek()).toMatchObject({ kind: 'hosted', bytes: 0, phase: 'LIVE', total: 1 });
    const threads = [await worker(backend, area, 'a'), await worker(backend, area, 'b')];
    for (const actor of threads) {
      expect(await takeIn(actor)).toEqual({ created: false, generation: 0, here: false });
    }
    expect(await callIn(threads[0]!, 'callSync', 'set', 'x', { list: [1, 2] })).toBe(1);
    expect(await callIn(threads[1]!, 'call', 'get', 'x')).toEqual({ list: [1, 2] });
    expect(reference.instance?.items.get('x')).toEqual({ list: [1, 2] });
    const store = reference.instance as Store;
    reference.release();
    expect(reference.released).toBe(true);
    failure('COEXIST_ENOTOWNER', () => reference.instance);
    failure('COEXIST_ENOTOWNER', () => reference.callSync('get', 'x'));
    await releaseIn(threads[0]!);
    expect(await callIn(threads[1]!, 'callSync', 'get', 'x')).toEqual({ list: [1, 2] });
    expect([finalize.mock.calls.length, it.peek().total]).toEqual([0, 1]);
    await releaseIn(threads[1]!);
    await until('it is empty', () => it.peek().phase === 'EMPTY');
    expect(finalize.mock.calls).toEqual([[store]]);
    expect(it.peek()).toMatchObject({ generation: 1, total: 0, actor: undefined });
    expect(area.inspect().slots).toEqual([]);
    expect(it.acquire()).toMatchObject({ created: true, generation: 1 });
  });

  test('what another thread has made is finalized there, whoever lets go last', async () => {
    Atomics.store(log, FINALIZED, 0);
    const area = areaFor(backend);
    const owner = await worker(backend, area, 'b');
    expect(await takeIn(owner)).toEqual({ created: true, generation: 0, here: true });
    const it = cacheIn(area);
    const reference = it.acquire();
    expect([reference.created, reference.instance]).toEqual([false, undefined]);
    expect(reference.callSync('set', 'a', 1)).toBe(1);
    expect(await reference.call('set', 'b', new Uint8Array(100_000).fill(7))).toBe(2);
    expect((reference.callSync('get', 'b') as Uint8Array)[99_999]).toBe(7);
    await releaseIn(owner);
    const { threadId } = it.peek().actor!;
    expect(Atomics.load(log, FINALIZED)).toBe(0);
    reference.release();
    await ended(1);
    await until('it is empty', () => it.peek().phase === 'EMPTY');
    expect(Atomics.load(log, FINALIZED_BY)).toBe(owner.worker.threadId);
    expect(threadId).toBe(owner.worker.threadId);
  });

  test('methods: results, errors, promises, who calls, limits, and none of that name', async () => {
    const area = areaFor(backend);
    const it = cacheIn(area);
    const reference = it.acquire();
    expect(reference.callSync('set', 'a', 1)).toBe(1);
    expect(await reference.call('later', 'a')).toBe(1);
    failure('COEXIST_EDEADLK', () => reference.callSync('later', 'a'));
    expect(reference.callSync('caller')).toBe(0);
    expect(() => reference.callSync('refuse')).toThrow(RangeError);
    await expect(reference.call('refuse')).rejects.toThrow('not that');
    const { message } = failure('COEXIST_EINVAL', () =>
      (reference as unknown as Record<string, (name: string) => unknown>)['callSync']!('nothing'),
    );
    for (const name of ['get', 'set', 'later']) expect(message).toContain(name);
    const controller = new AbortController();
    controller.abort();
    await rejection('COEXIST_EABORTED', reference.with({ signal: controller.signal }).call('get', 'a'));
    expect(reference.with({ timeout: 5000 }).callSync('get', 'a')).toBe(1);
  });

  test('another copy of the library in the creator’s thread reaches it by calls', async () => {
    const area = areaFor(backend);
    const it = cacheIn(area);
    const reference = it.acquire();
    const other = await openIn('b', backend, area);
    const declare = other.lib.singleton as unknown as typeof singleton;
    const theirs = declare(KEY, { methods: {}, area: other.area }) as unknown as Cache;
    const joined = theirs.get()!;
    expect([joined.created, joined.instance]).toEqual([false, undefined]);
    expect(joined.callSync('set', 'k', 5)).toBe(1);
    expect(await joined.call('later', 'k')).toBe(5);
    expect(it.peek().references).toMatchObject([{ count: 2, identity: String(ownIdentity()) }]);
    reference.release();
    expect(it.peek().phase).toBe('LIVE');
    joined.release();
    await until('it is empty', () => theirs.peek().phase === 'EMPTY');
    expect(reference.released).toBe(true);
  });

  test('another declaration in the same copy has the instance itself', () => {
    const area = areaFor(backend);
    const reference = cacheIn(area).acquire();
    const again = cacheIn(area).get()!;
    expect(again.instance).toBe(reference.instance);
    const { instance } = again;
    reference.release();
    again.release();
    expect(instance?.ended).toBe(true);
  });

  test('an asynchronous finalizer: FINALIZING while it runs, and acquire waits for its end', async () => {
    const area = areaFor(backend);
    let finish: (() => void) | undefined;
    const it = cacheIn(area, {
      finalize: () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    });
    it.acquire().release();
    expect([it.peek().phase, it.get(), it.allowed().allowed]).toEqual(['FINALIZING', undefined, true]);
    expect(failure('COEXIST_EDEADLK', () => it.acquire()).message).toContain('finalizer');
    await rejection('COEXIST_ETIMEDOUT', it.acquireAsync({ timeout: 1 }));
    const waiting = it.acquireAsync();
    const actor = await worker(backend, area);
    const elsewhere = takeIn(actor);
    finish?.();
    const [first, second] = [await waiting, await elsewhere];
    expect([first.generation, second?.generation]).toEqual([1, 1]);
    expect([first.created, second?.created].filter(Boolean)).toEqual([true]);
  });

  test('the creator lets go last: finalized at once, and it gets what the finalizer throws', () => {
    const area = areaFor(backend);
    const it = cacheIn(area, {
      finalize() {
        throw new Error('on the way out');
      },
    });
    const reference = it.acquire();
    expect(() => reference.release()).toThrow('on the way out');
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1 });
  });

  test('below a method of the instance it is not finalized: the method uses it still', async () => {
    const area = areaFor(backend);
    const seen: unknown[] = [];
    const it: HostedSingleton<Store, { end(store: Store): number }> = singleton(KEY, {
      create: (): Store => ({ items: new Map(), ended: false }),
      finalize: (store: Store): void => {
        store.ended = true;
      },
      methods: {
        end(store: Store): number {
          reference.release();
          seen.push(it.peek().phase, store.ended);
          return 4711;
        },
      },
      area,
    });
    const reference = it.acquire();
    const store = reference.instance as Store;
    // The connection goes with the reference, the method runs on.
    await rejection('COEXIST_EGONE', reference.call('end'));
    expect(seen).toEqual(['DYING', false]);
    await until('it is empty', () => it.peek().phase === 'EMPTY');
    expect(store.ended).toBe(true);
  });

  test('a method that lets go last and acquires, blocking, would wait for its own end', async () => {
    const area = areaFor(backend);
    const codes: unknown[] = [];
    const it: HostedSingleton<Store, { again(store: Store): void }> = singleton(KEY, {
      create: (): Store => ({ items: new Map(), ended: false }),
      methods: {
        again() {
          reference.release();
          codes.push(it.get(), failure('COEXIST_EDEADLK', () => it.acquire()).code, it.peek().phase);
        },
      },
      area,
    });
    const reference = it.acquire();
    await rejection('COEXIST_EGONE', reference.call('again'));
    expect(codes).toEqual([undefined, 'COEXIST_EDEADLK', 'DYING']);
    expect(await it.acquireAsync()).toMatchObject({ created: true, generation: 1 });
  });

  test('the thread that let go last died before it told: whoever looks tells the creator', async () => {
    for (const look of ['get', 'acquireAsync', 'reclaim'] as const) {
      Atomics.store(log, FINALIZED, 0);
      const area = areaFor(backend);
      const owner = await worker(backend, area);
      await takeIn(owner);
      const it = cacheIn(area);
      const bytes = singletonBytes(area, KEY);
      bytes.plantRow(0, bytes.row(0).identity, 0, bytes.row(0).phase);
      bytes.setState('DYING', 0);
      await it[look]();
      await ended(1);
    }
  });

  test('a thread died while it asked whether anybody holds it: who lets go then tells the creator', async () => {
    Atomics.store(log, FINALIZED, 0);
    const area = areaFor(backend);
    const owner = await worker(backend, area);
    await takeIn(owner);
    const it = cacheIn(area);
    const reference = it.acquire();
    await releaseIn(owner);
    const bytes = singletonBytes(area, KEY);
    bytes.setState('DYING', 0);
    bytes.setOwner(NO_SUCH_THREAD);
    reference.release();
    await ended(1);
    await until('it is empty', () => it.peek().phase === 'EMPTY');
  });

  test('the same, and the creator has died, too: empty', async () => {
    const area = areaFor(backend);
    const it = cacheIn(area);
    const owner = await worker(backend, area);
    await takeIn(owner);
    const reference = it.acquire();
    await kill(owner);
    const bytes = singletonBytes(area, KEY);
    bytes.setState('DYING', 0);
    bytes.setOwner(NO_SUCH_THREAD);
    reference.release();
    expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1, total: 0 });
  });

  test('a thread that acquires, blocking, what it is to finalize itself does so first', async () => {
    Atomics.store(log, FINALIZED, 0);
    const area = areaFor(backend);
    const it = cacheIn(area);
    const reference = it.acquire();
    const actor = await worker(backend, area);
    await takeIn(actor);
    reference.release();
    const store = it.get()!;
    const { instance } = store;
    store.release();
    actor.post(({ state }) => (state['references'] as Held[]).pop()?.release());
    // This thread's event loop stands still from here on.
    const bytes = singletonBytes(area, KEY);
    while (bytes.phase() !== 'DYING')
      Atomics.wait(bytes.i32, bytes.stateIndex, bytes.i32[bytes.stateIndex] as number, 5);
    const next = it.acquire({ timeout: 10_000 });
    expect([instance?.ended, next.created, next.generation]).toEqual([true, true, 1]);
  });

  test('a loan holds it for a worker that does not run yet', async () => {
    const area = areaFor(backend);
    const it = cacheIn(area);
    const reference = it.acquire();
    reference.callSync('set', 'k', 'v');
    const loan = reference.lend();
    reference.release();
    expect(it.peek()).toMatchObject({ phase: 'LIVE', total: 1 });
    const actor = await worker(backend, area);
    await actor.run(({ state }, loan) => {
      (state['references'] as Held[]).push((state['cache'] as Cache).adopt(loan));
    }, loan);
    expect(await callIn(actor, 'callSync', 'get', 'k')).toBe('v');
    await releaseIn(actor);
    await until('it is empty', () => it.peek().phase === 'EMPTY');
  });

  test('a constructor that throws, or is asynchronous, or whose channel cannot be had', async () => {
    const area = areaFor(backend);
    const error = new Error('no database');
    const broken = singleton('broken', {
      create: (): number => {
        throw error;
      },
      methods: {},
      area,
    });
    expect(() => broken.acquire()).toThrow(error);
    expect(failure('COEXIST_EFAILED', () => broken.acquire()).message).toContain('no database');
    const slow = singleton('slow', { create: async () => 7, methods: { value: (n: number) => n }, area });
    failure('COEXIST_EINVAL', () => slow.acquire());
    const reference = await slow.acquireAsync({ retry: true });
    expect([reference.instance, reference.callSync('value')]).toEqual([7, 7]);
    const small = on(backend, () => createArea({ slots: 8, blockBytes: 4096, heapBytes: 4096 }));
    const it = cacheIn(small);
    failure('COEXIST_ENOSPC', () => it.acquire());
    expect(it.peek()).toMatchObject({ phase: 'FAILED', total: 0, cause: expect.stringContaining('ENOSPC') });
    expect(small.inspect().slots).toEqual([]);
  });

  describe('the thread that made it dies', () => {
    async function scene() {
      const area = areaFor(backend);
      const owner = await worker(backend, area);
      await takeIn(owner);
      const it = cacheIn(area);
      const reference = it.acquire();
      expect(reference.callSync('set', 'a', 1)).toBe(1);
      return { area, owner, it, reference, bytes: singletonBytes(area, KEY) };
    }

    test('while others hold it: every handle says so, it is empty, and the next one makes another', async () => {
      const { owner, it, reference } = await scene();
      const second = it.get()!;
      await kill(owner);
      failure('COEXIST_EGONE', () => reference.callSync('get', 'a'));
      expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1, total: 0 });
      await rejection('COEXIST_EGONE', second.call('get', 'a'));
      failure('COEXIST_EGONE', () => second.instance);
      failure('COEXIST_EGONE', () => second.lend());
      expect(it.get()).toBeUndefined();
      const next = it.acquire();
      expect([next.created, next.generation]).toEqual([true, 1]);
      // An old handle never reaches the new instance.
      failure('COEXIST_EGONE', () => reference.callSync('get', 'a'));
      reference.release();
      second.release();
      expect([it.peek().total, next.callSync('set', 'b', 1)]).toEqual([1, 1]);
    });

    test('a lookup finds it out, and so does acquire', async () => {
      for (const how of ['get', 'acquire'] as const) {
        const { owner, it } = await scene();
        await kill(owner);
        const found = it[how]();
        expect([found?.created, found?.generation]).toEqual(how === 'get' ? [undefined, undefined] : [true, 1]);
      }
    });

    test('and who holds it only lets go: it is empty, and waits for nobody', async () => {
      const { owner, it, reference } = await scene();
      await kill(owner);
      reference.release();
      expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1, total: 0 });
    });

    test('while a call is under way', async () => {
      const area = areaFor(backend);
      const owner = await worker(backend, area);
      await takeIn(owner);
      const it = cacheIn(area);
      const reference = it.acquire();
      reference.callSync('get', 'a');
      const identity = await identityOf(owner);
      // It serves nothing any more: its event loop stands still.
      await stopped(owner);
      const call = rejection('COEXIST_EGONE', reference.call('get', 'a'));
      await owner.terminate();
      await until('the thread is gone', () => !livesInProc(identity));
      expect((await call).message).toContain(KEY);
      expect(it.peek()).toMatchObject({ phase: 'EMPTY', generation: 1 });
    });

    test('when it was to finalize: empty, and the finalizer has gone with its thread', async () => {
      Atomics.store(log, FINALIZED, 0);
      const { owner, it, reference, bytes } = await scene();
      await releaseIn(owner);
      const identity = await identityOf(owner);
      await stopped(owner);
      reference.release();
      expect(bytes.phase()).toBe('DYING');
      expect(it.get()).toBeUndefined();
      const waiting = it.acquireAsync();
      await owner.terminate();
      await until('the thread is gone', () => !livesInProc(identity));
      expect(await waiting).toMatchObject({ created: true, generation: 1 });
      expect(Atomics.load(log, FINALIZED)).toBe(0);
    });

    test.each(['constructor', 'finalizer'] as const)('in its asynchronous %s', async (where) => {
      Atomics.store(log, FINALIZED, 0);
      const area = areaFor(backend);
      const owner = await worker(backend, area);
      const identity = await identityOf(owner);
      // One that never ends.
      await owner.run(({ state }, where) => {
        const { key, area, lib } = state['declared'] as { key: string; area: Area; lib: typeof core };
        const never = (): Promise<never> => new Promise(() => {});
        state['cache'] = lib.singleton(key, {
          create: where === 'constructor' ? never : (): Store => ({ items: new Map(), ended: false }),
          ...(where === 'finalizer' && { finalize: never }),
          methods: { get: (store: Store, key: string) => store.items.get(key) },
          area,
        });
      }, where);
      owner.post(async ({ state }) => (await (state['cache'] as Cache).acquireAsync()).release());
      const it = cacheIn(area);
      const phase = where === 'constructor' ? 'CONSTRUCTING' : 'FINALIZING';
      await until('it is there', () => it.peek().phase === phase);
      const waiting = it.acquireAsync();
      expect(it.get()).toBeUndefined();
      await rejection('COEXIST_ETIMEDOUT', it.acquireAsync({ timeout: 1 }));
      await owner.terminate();
      await until('the thread is gone', () => !livesInProc(identity));
      const reference = await waiting;
      expect([reference.created, reference.generation, reference.callSync('set', 'a', 1)]).toEqual([true, 1, 1]);
      expect(it.peek().total).toBe(1);
    });

    test('by itself: an instance keeps no thread alive', async () => {
      const { owner, it, reference } = await scene();
      const identity = await identityOf(owner);
      owner.post(() => process.getBuiltinModule('node:worker_threads').parentPort?.unref());
      expect(await owner.exited).toBe(0);
      await until('the thread is gone', () => !livesInProc(identity));
      failure('COEXIST_EGONE', () => reference.callSync('get', 'a'));
      expect(it.acquire()).toMatchObject({ created: true, generation: 1 });
    });
  });

  test('hosted and memory under one key are two types', () => {
    const area = areaFor(backend);
    const it = cacheIn(area);
    it.acquire();
    failure('COEXIST_EKIND', () => singleton(KEY, { bytes: 8, area }));
    const memory = singleton(KEY, { type: 'Bytes', bytes: 8, create() {}, area });
    expect(failure('COEXIST_EEXIST', () => memory.acquire()).message).toContain('"app/cache"');
    expect(memory.get()).toBeUndefined();
    expect(singletons({ area })).toMatchObject([{ key: KEY, kind: 'hosted' }]);
  });
});

test.each([
  ['create', { create: 1, methods: {} }],
  ['finalize', { create() {}, methods: {}, finalize: 1 }],
  ['methods', { create() {} }],
  ['methods', { create() {}, methods: 1 }],
  ['method get', { create() {}, methods: { get: 1 } }],
  ['onOwnerDeath', { create() {}, methods: {}, onOwnerDeath: 'keep' }],
])('COEXIST_EINVAL: %s of %j', (argument, declaration) => {
  const { message } = failure('COEXIST_EINVAL', () => singleton('invalid', declaration as never));
  expect(message).toContain(argument);
});
