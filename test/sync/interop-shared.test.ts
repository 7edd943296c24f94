// RwLock, Once, Semaphore and Barrier between two copies of the library and the implementation written from docs/ABI.md alone: in one
// thread, in several, and after the death of either.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type * as shared from '../independent/shared-parties.js';
import { SHARED, type SharedParty, type SharedPlace, sharedOf } from '../independent/shared-parties.js';
import { Actor, until } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { lockMemory } from '../support/lock-deaths.js';
import { wordsOf } from '../support/lock-waits.js';
import { identityOf, livesInProc } from '../support/threads.js';

const FOLDER = new URL('../independent/', import.meta.url);
const URL_OF_PARTIES = new URL('shared-parties.js', FOLDER).href;
const urls = { a: copyUrl('a', 'sync.js'), b: copyUrl('b', 'sync.js') };
const ROW = 64;
const both = [
  ['a', 'independent'],
  ['independent', 'a'],
] as const;

const place = (options: { permits?: number; parties?: number } = {}): SharedPlace => ({
  urls,
  memory: lockMemory(),
  ...options,
});

describe.each(both)('in one thread, %s and %s', (first, second) => {
  test('reads of both are one count; neither writes beside them', async () => {
    const where = place();
    const [one, two] = [await sharedOf(first, where), await sharedOf(second, where)];
    const { load } = wordsOf(where.memory);
    const guards = [one.rwlock.read(), two.rwlock.read()];
    expect(load(SHARED.rwlock + ROW + 8)).toBe(2);
    expect(() => one.rwlock.write({ timeout: 0 })).toThrow(expect.objectContaining({ code: 'COEXIST_EDEADLK' }));
    expect(() => two.rwlock.write({ timeout: 0 })).toThrow(expect.objectContaining({ code: 'COEXIST_EDEADLK' }));
    for (const guard of guards) guard.unlock();
    const writing = one.rwlock.write();
    expect(() => two.rwlock.read({ timeout: 0 })).toThrow(expect.objectContaining({ code: 'COEXIST_EDEADLK' }));
    writing.unlock();
    two.rwlock.write().unlock();
    expect(load(SHARED.rwlock + ROW + 8)).toBe(0);
  });

  test('permits', async () => {
    const where = place();
    const [one, two] = [(await sharedOf(first, where)).semaphore, (await sharedOf(second, where)).semaphore];
    const taken = one.acquire(2);
    expect(two.available()).toBe(1);
    expect(() => two.acquire(2, { timeout: 0 })).toThrow(expect.objectContaining({ code: 'COEXIST_ETIMEDOUT' }));
    const rest = two.acquire(1);
    taken.forget();
    rest.release();
    expect([one.available(), two.available()]).toEqual([1, 1]);
    one.release(2);
    expect([one.available(), two.available()]).toEqual([3, 3]);
    await expect(sharedOf(second, { ...where, permits: 4 })).rejects.toMatchObject({ code: 'COEXIST_EKIND' });
  });

  test('a Once that one has run, or poisoned', async () => {
    const where = place();
    const [one, two] = [(await sharedOf(first, where)).once, (await sharedOf(second, where)).once];
    const fail = (): void => {
      throw new Error('expected');
    };
    expect(() => one.call(fail)).toThrow('expected');
    expect(() => two.call(() => {})).toThrow(expect.objectContaining({ code: 'COEXIST_EPOISONED' }));
    expect(two.call(() => {}, { force: true })).toBe(true);
    expect(one.call(fail)).toBe(false);
  });

  test('a barrier of flows of both', async () => {
    const where = place({ parties: 2 });
    const [one, two] = [(await sharedOf(first, where)).barrier, (await sharedOf(second, where)).barrier];
    for (let phase = 0; phase < 3; phase++) {
      const last = await Promise.all([one.waitAsync(), two.waitAsync()]);
      expect(last).toEqual([false, true]);
    }
    await expect(two.waitAsync({ timeout: 5 })).rejects.toMatchObject({ code: 'COEXIST_ETIMEDOUT' });
    const alone = Promise.all([two.waitAsync(), one.waitAsync()]);
    expect(await alone).toEqual([false, true]);
  });
});

test.each(['wasm', 'twin'])('in three threads, %s', async (backend) => {
  const TIMES = 400;
  const each: SharedParty[] = ['a', 'independent', 'b'];
  const env = { ...process.env, ...(backend === 'twin' ? { COEXIST_NO_WASM: '1' } : {}) };
  const actors = await Promise.all(each.map(() => Actor.start({ env })));
  const where = place();
  const all = await Promise.all(
    actors.map((actor, k) =>
      actor.run(
        async ({ load }, { url, party, where, times }) => (await load<typeof shared>(url)).useAll(party, where, times),
        { url: URL_OF_PARTIES, party: each[k] as SharedParty, where, times: TIMES },
      ),
    ),
  );
  await Promise.all(actors.map((actor) => actor.terminate()));
  const sum = (field: keyof (typeof all)[number]): number => all.reduce((total, seen) => total + seen[field], 0);
  expect(all.map(({ torn }) => torn)).toEqual([0, 0, 0]);
  expect(wordsOf(where.memory).load(SHARED.words)).toBe(sum('writes'));
  for (const { most } of all) expect(most).toBeLessThanOrEqual(3);
  expect(sum('ran')).toBe(1);
  expect(sum('last')).toBe(TIMES / 16);
  expect((await sharedOf('a', where)).semaphore.available()).toBe(3);
});

type Held = 'write' | 'read' | 'permits' | 'once' | 'barrier';

/** A thread of this party that holds something, and is ended by what is returned. */
async function holderOf(party: SharedParty, what: Held, where: SharedPlace): Promise<() => Promise<void>> {
  const actor = await Actor.start();
  const identity = await identityOf(actor);
  const gate = new SharedArrayBuffer(4);
  actor.post(
    async ({ load, state }, { url, party, what, where, gate }) => {
      const { rwlock, once, semaphore, barrier } = await (await load<typeof shared>(url)).sharedOf(party, where);
      const park = (): void => {
        Atomics.store(new Int32Array(gate), 0, 1);
        Atomics.wait(new Int32Array(gate), 0, 1);
      };
      if (what === 'write') state['held'] = rwlock.write();
      if (what === 'read') state['held'] = rwlock.read();
      if (what === 'permits') state['held'] = semaphore.acquire(3);
      if (what === 'once') once.call(park);
      if (what === 'barrier') void barrier.waitAsync();
      park();
    },
    { url: URL_OF_PARTIES, party, what, where, gate },
  );
  await until('it holds', () => Atomics.load(new Int32Array(gate), 0) === 1);
  return async () => {
    await actor.terminate();
    await until('the death is visible', () => !livesInProc(identity));
  };
}

describe.each(both)('%s dies, %s goes on', (first, second) => {
  test('a writer: a reader is told and writes', async () => {
    const where = place();
    await (await holderOf(first, 'write', where))();
    const { rwlock } = await sharedOf(second, where);
    const guard = rwlock.read();
    expect([guard.mode, guard.ownerDied]).toEqual(['write', true]);
    guard.markConsistent();
    guard.unlock();
    expect((await sharedOf(first, where)).rwlock.read().mode).toBe('read');
  });

  test('a reader: a writer is told', async () => {
    const where = place();
    await (await holderOf(first, 'read', where))();
    const guard = (await sharedOf(second, where)).rwlock.write();
    expect([guard.ownerDied, guard.readersDied]).toEqual([false, 1]);
    guard.unlock();
    expect((await sharedOf(first, where)).rwlock.write().readersDied).toBe(0);
  });

  test('a holder of permits: they come back', async () => {
    const where = place();
    await (await holderOf(first, 'permits', where))();
    const { semaphore } = await sharedOf(second, where);
    expect(semaphore.available()).toBe(0);
    const permits = semaphore.acquire(2);
    expect(permits.ownerDied).toBe(true);
    expect((await sharedOf(first, where)).semaphore.acquire(1).ownerDied).toBe(false);
  });

  test('an initialiser: another is run', async () => {
    const where = place();
    await (await holderOf(first, 'once', where))();
    const { once } = await sharedOf(second, where);
    const told: boolean[] = [];
    expect(once.call(({ ownerDied }) => told.push(ownerDied))).toBe(true);
    expect(told).toEqual([true]);
    expect((await sharedOf(first, where)).once.call(() => {})).toBe(false);
  });

  test('a party of a barrier: it is broken for all', async () => {
    const where = place({ parties: 4 });
    const end = await holderOf(first, 'barrier', where);
    const waiting = [first, second].map(async (party) => (await sharedOf(party, where)).barrier.waitAsync());
    const ended = Promise.allSettled(waiting);
    await end();
    for (const outcome of await ended) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'COEXIST_EBROKEN' } });
    }
    for (const party of [first, second]) {
      const { barrier } = await sharedOf(party, where);
      expect(() => barrier.wait(), party).toThrow(expect.objectContaining({ code: 'COEXIST_EBROKEN' }));
    }
  });
});

test('none of it imports anything of the library', () => {
  const sources = readdirSync(FOLDER).filter((name) => name.endsWith('.js'));
  expect(sources.length).toBeGreaterThan(4);
  for (const name of sources) {
    const source = readFileSync(new URL(name, FOLDER), 'utf8');
    expect(source.match(/from ['"](?!node:|\.\/)[^'"]*['"]/), name).toBe(null);
    expect(source, name).not.toMatch(/coexist\/|dist\/|src\//);
  }
});
