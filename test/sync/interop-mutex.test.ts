// Two copies of the library, the implementation written from docs/ABI.md alone, and a wasm module written by hand operate one mutex:
// in one thread, in several, and after the death of any of them.

import { readFileSync } from 'node:fs';
import { Condvar } from 'coexist/sync';
import { beforeAll, describe, expect, test } from 'vitest';
import initialiseWabt from 'wabt';
import type * as core from '../../src/core.js';
import * as locks from '../independent/locks.js';
import type * as parties from '../independent/parties.js';
import { type MutexParty, mutexOf, PARTIES, type PartyPlace } from '../independent/parties.js';
import { Actor, until } from '../support/actor.js';
import { copyUrl } from '../support/copies.js';
import { lockMemory } from '../support/lock-deaths.js';
import { wordsOf } from '../support/lock-waits.js';
import { identityOf, livesInProc } from '../support/threads.js';

const PARTIES_URL = new URL('../independent/parties.js', import.meta.url).href;
const urls = { a: copyUrl('a', 'sync.js'), b: copyUrl('b', 'sync.js') };
const AT = 64;
const CONDVAR_AT = 128;
const COUNTER_AT = 256;
const DIED = { code: 'COEXIST_ENOTRECOVERABLE' };

let bytes: Uint8Array;
beforeAll(async () => {
  const source = readFileSync(new URL('../independent/mutex.wat', import.meta.url), 'utf8');
  const module = (await initialiseWabt()).parseWat('mutex.wat', source, { threads: true });
  bytes = module.toBinary({}).buffer;
  module.destroy();
});

const place = (memory = lockMemory()): PartyPlace => ({ urls, bytes, memory, at: AT });
const pairs = PARTIES.flatMap((first) => PARTIES.map((second) => [first, second] as const));

describe('in one thread', () => {
  test.each(pairs)('what %s holds, %s sees', async (first, second) => {
    const where = place();
    const [one, two] = [await mutexOf(first, where), await mutexOf(second, where)];
    const guard = one.lock();
    expect(two.tryLock()).toBe(undefined);
    expect(() => two.lock()).toThrow(expect.objectContaining({ code: 'COEXIST_EDEADLK' }));
    guard.unlock();
    expect(() => two.unlock()).toThrow(expect.objectContaining({ code: 'COEXIST_ENOTOWNER' }));
    // Without a guard, whoever is in the thread that holds it may release it.
    expect(two.tryLock()?.ownerDied).toBe(false);
    one.unlock();
    expect(wordsOf(where.memory).long(AT)).toBe(0n);
  });

  test('asynchronous flows exclude each other, and keep others’ hands off', async () => {
    const where = place();
    const { addUnderAsync } = await import('../independent/parties.js');
    const flows = (['a', 'b', 'independent'] as const).map((party) => addUnderAsync(party, where, COUNTER_AT, 50));
    await Promise.all(flows);
    expect(wordsOf(where.memory).load(COUNTER_AT)).toBe(150);
    const guard = await locks.mutex(where.memory, AT).lockAsync();
    for (const party of PARTIES) {
      const mutex = await mutexOf(party, where);
      expect(() => mutex.unlock(), party).toThrow(expect.objectContaining({ code: 'COEXIST_ENOTOWNER' }));
    }
    guard.unlock();
  });
});

describe('in several threads', () => {
  test.each([
    ['wasm', ['a', 'b', 'independent', 'wat']],
    ['twin', ['a', 'b', 'independent', 'wat']],
    ['wasm', ['a', 'a', 'wat', 'wat']],
    ['twin', ['independent', 'independent', 'a', 'a']],
  ] as const)('no update is lost, %s: %j', async (backend, each) => {
    const TIMES = 4000;
    const env = { ...process.env, ...(backend === 'twin' ? { COEXIST_NO_WASM: '1' } : {}) };
    const actors = await Promise.all(each.map(() => Actor.start({ env })));
    const where = place();
    const counting = actors.map((actor, k) =>
      actor.run(
        async ({ load }, { url, party, where, counterAt, times }) => {
          const { addUnder } = await load<typeof parties>(url);
          await addUnder(party, where, counterAt, times);
        },
        { url: PARTIES_URL, party: each[k] as MutexParty, where, counterAt: COUNTER_AT, times: TIMES },
      ),
    );
    await Promise.all(counting);
    await Promise.all(actors.map((actor) => actor.terminate()));
    expect(wordsOf(where.memory).load(COUNTER_AT)).toBe(TIMES * each.length);
    expect(wordsOf(where.memory).long(AT) & ((1n << 62n) - 1n)).toBe(0n);
  });
});

/** A thread that has taken the mutex as this party, and died. */
async function dieHolding(party: MutexParty, where: PartyPlace): Promise<void> {
  const actor = await Actor.start();
  const identity = await identityOf(actor);
  await actor.run(
    async ({ load, state }, { url, party, where }) => {
      const { mutexOf } = await load<typeof parties>(url);
      state['guard'] = (await mutexOf(party, where)).lock();
    },
    { url: PARTIES_URL, party, where },
  );
  await actor.terminate();
  await until('the death is visible', () => !livesInProc(identity));
}

describe('after a death', () => {
  test.each(pairs)('what %s held, %s takes over', async (first, second) => {
    const where = place();
    await dieHolding(first, where);
    const guard = (await mutexOf(second, where)).lock();
    expect(guard.ownerDied).toBe(true);
    guard.markConsistent();
    guard.unlock();
    for (const party of PARTIES) {
      const next = (await mutexOf(party, where)).lock();
      expect(next.ownerDied, party).toBe(false);
      next.unlock();
    }
  });

  test.each(PARTIES)('%s does not say that all is well: nobody locks it again', async (party) => {
    const where = place();
    await dieHolding(PARTIES[(PARTIES.indexOf(party) + 1) % PARTIES.length] as MutexParty, where);
    (await mutexOf(party, where)).lock().unlock();
    expect(wordsOf(where.memory).long(AT)).toBe(-(1n << 63n));
    for (const other of PARTIES) {
      const mutex = await mutexOf(other, where);
      expect(() => mutex.lock(), other).toThrow(expect.objectContaining(DIED));
    }
  });
});

describe('condition variables', () => {
  test('a guard of one copy in a Condvar of the other', async () => {
    const { memory } = place();
    const [a, b] = [(await import(urls.a)) as typeof core, (await import(urls.b)) as typeof core];
    const [mutex, condvar] = [a.Mutex.at(memory, AT), b.Condvar.at(memory, CONDVAR_AT)];
    const guard = await mutex.lockAsync();
    const waiting = condvar.waitAsync(guard);
    expect(guard.held).toBe(false);
    const notifier = await b.Mutex.at(memory, AT).lockAsync();
    a.Condvar.at(memory, CONDVAR_AT).notify();
    notifier.unlock();
    await waiting;
    expect(guard.held).toBe(true);
    expect(b.Mutex.at(memory, AT).tryLock()).toBe(undefined);
    guard.unlock();
    // Blocking, in two threads.
    const actor = await Actor.start();
    const blocked = actor.run(
      async ({ load }, { urls, memory, at, condvarAt }) => {
        const [a, b] = [await load(urls.a), await load(urls.b)];
        const guard = b.Mutex.at(memory, at).lock();
        a.Condvar.at(memory, condvarAt).wait(guard);
        guard.unlock();
        return guard.ownerDied;
      },
      { urls, memory, at: AT, condvarAt: CONDVAR_AT },
    );
    await until('it waits', () => wordsOf(memory).load(CONDVAR_AT + 4) === 1);
    condvar.notify();
    expect(await blocked).toBe(false);
    await actor.terminate();
  });

  test.each(['library', 'independent'])('waiters of both kinds, notified by the %s', async (by) => {
    const { memory } = place();
    const mutex = locks.mutex(memory, AT);
    const theirs = locks.condvar(memory, CONDVAR_AT);
    const a = (await import(urls.a)) as typeof core;
    const ours = Condvar.at(memory, CONDVAR_AT);
    const ended: string[] = [];
    const waitOurs = async (): Promise<void> => {
      const guard = await a.Mutex.at(memory, AT).lockAsync();
      await ours.waitAsync(guard);
      ended.push('library');
      guard.unlock();
    };
    const waitTheirs = async (): Promise<void> => {
      const { guard, notified } = await theirs.waitAsync(mutex, await mutex.lockAsync());
      expect(notified).toBe(true);
      ended.push('independent');
      guard.unlock();
    };
    const all = [waitOurs(), waitTheirs(), waitOurs(), waitTheirs()];
    await until('four wait', () => theirs.waiters() === 4);
    const { load } = wordsOf(memory);
    const notify = (): void => (by === 'library' ? ours.notify() : theirs.notify());
    notify();
    await until('one has ended', () => ended.length === 1);
    expect(load(CONDVAR_AT + 8) - load(CONDVAR_AT + 12)).toBe(0);
    if (by === 'library') ours.notifyAll();
    else theirs.notifyAll();
    await Promise.all(all);
    expect(ended.sort()).toEqual(['independent', 'independent', 'library', 'library']);
    expect(theirs.waiters()).toBe(0);
    notify();
    expect(load(CONDVAR_AT + 8)).toBe(4);
  });
});
