// The example library cache: one SQLite database for all threads, hosted by one of them, made anew when that one dies.

import { attach } from 'coexist';
import { afterEach, expect, test } from 'vitest';
import type * as cacheModule from '../examples/cache/index.js';
import { openCache, peekCache, reclaimCache } from '../examples/cache/index.js';
import { Actor, until } from './support/actor.js';
import { exampleUrl } from './support/examples.js';

const url = exampleUrl('cache/index.js');

// The workers of a test are dead by its end.
afterEach(() => {
  attach().reclaim();
});

/** Opens the cache in a worker, puts what is given, and gets what is asked for. */
const use = (actor: Actor, name: string, put: Record<string, unknown>, get: string[]): Promise<unknown[]> =>
  actor.run(
    async ({ load, state }, args) => {
      const { openCache } = await load<typeof cacheModule>(args.url);
      state['cache'] ??= await openCache(args.name);
      const cache = state['cache'] as cacheModule.Cache;
      for (const [key, value] of Object.entries(args.put)) await cache.put(key, value);
      return Promise.all(args.get.map((key) => cache.get(key)));
    },
    { url, name, put, get },
  );

const letGo = (actor: Actor): Promise<void> =>
  actor.run(({ state }) => {
    (state['cache'] as cacheModule.Cache).release();
  });

test('what one thread puts, all threads get; SQL looks into it; the host answers while it is idle', async () => {
  const cache = await openCache('shared');
  const actors = await Promise.all([Actor.start(), Actor.start()]);
  await use(
    actors[0],
    'shared',
    { a: { bytes: 12, tags: ['x', 'ü', '☎'] }, b: { bytes: 30 }, c: [1, null, 'text'] },
    [],
  );
  expect(await use(actors[1], 'shared', {}, ['a', 'c', 'none'])).toEqual([
    { bytes: 12, tags: ['x', 'ü', '☎'] },
    [1, null, 'text'],
    undefined,
  ]);
  expect(await cache.get('b')).toEqual({ bytes: 30 });
  expect(await cache.size()).toBe(3);
  expect(await cache.size()).toBe(3);
  const sql = `SELECT count(*) AS n, sum(json_extract(value, '$.bytes')) AS bytes FROM entries`;
  expect(await cache.query(sql)).toEqual([{ n: 3, bytes: 42 }]);
  await expect(cache.query('DELETE FROM entries')).rejects.toThrow(/readonly/);
  await expect(cache.query('SELECT missing')).rejects.toThrow(/no such column/);
  await expect(cache.put('function', () => 1)).rejects.toThrow(TypeError);
  expect(cache.status()).toEqual({ phase: 'LIVE', generation: 0, hostThread: 0, references: 3 });
  for (const actor of actors) await actor.terminate();
  cache.release();
  await until('the database is closed', () => peekCache('shared').phase === 'EMPTY');
  expect(peekCache('shared')).toEqual({ phase: 'EMPTY', generation: 1, hostThread: undefined, references: 0 });
});

test('one of many that come at once becomes the host, and all reach it', async () => {
  const actors = await Promise.all([Actor.start(), Actor.start(), Actor.start()]);
  await Promise.all(actors.map((actor, k) => use(actor, 'race', { [`key ${k}`]: k }, [])));
  expect(peekCache('race')).toMatchObject({ phase: 'LIVE', generation: 0, references: 3 });
  expect(actors.map(({ worker }) => worker.threadId)).toContain(peekCache('race').hostThread);
  expect(await use(actors[0]!, 'race', {}, ['key 0', 'key 1', 'key 2'])).toEqual([0, 1, 2]);
  for (const actor of actors) await actor.terminate();
  reclaimCache('race');
  expect(peekCache('race')).toMatchObject({ phase: 'EMPTY', references: 0 });
});

test('when the host is terminated, the next question makes a new database, and is answered', async () => {
  const host = await Actor.start();
  await use(host, 'death', { lost: 1 }, []);
  const other = await Actor.start();
  expect(await use(other, 'death', { also: 2 }, ['lost'])).toEqual([1]);
  expect(peekCache('death').hostThread).toBe(host.worker.threadId);
  await host.terminate();
  expect(await use(other, 'death', {}, ['lost', 'also'])).toEqual([undefined, undefined]);
  expect(await use(other, 'death', { found: 3 }, ['found'])).toEqual([3]);
  expect(peekCache('death')).toEqual({
    phase: 'LIVE',
    generation: 1,
    hostThread: other.worker.threadId,
    references: 1,
  });
  await letGo(other);
  await until('the database is closed', () => peekCache('death').phase === 'EMPTY');
  await other.terminate();
});

test('a thread that is not to be the host makes none; after its release it asks no more', async () => {
  await expect(openCache('abstract', { host: false })).rejects.toMatchObject({ code: 'COEXIST_EREFUSED' });
  const host = await Actor.start();
  await use(host, 'abstract', { key: 'value' }, []);
  const cache = await openCache('abstract', { host: false });
  expect(await cache.get('key')).toBe('value');
  await host.terminate();
  await expect(cache.get('key')).rejects.toMatchObject({ code: 'COEXIST_EREFUSED' });
  cache.release();
  await expect(cache.get('key')).rejects.toThrow('released');
});

test('a thread that finds no host asks the next one that comes', async () => {
  const first = await Actor.start();
  await use(first, 'gap', { a: 1 }, []);
  const cache = await openCache('gap', { host: false });
  expect(await cache.get('a')).toBe(1);
  await first.terminate();
  await expect(cache.get('a')).rejects.toMatchObject({ code: 'COEXIST_EREFUSED' });
  const second = await Actor.start();
  await use(second, 'gap', { a: 2 }, []);
  expect(await cache.get('a')).toBe(2);
  cache.release();
  await second.terminate();
});
