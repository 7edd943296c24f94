// A waiter dies: while it is blocked, while it waits asynchronously, and after it was woken but before it had the lock. The others go
// on as if it had never been there, and nobody is told, since it owned nothing. (A party of a barrier is more than a waiter.)

import { CONDVAR, HOLDER, HOLDERS_OFFSET, ONCE_DONE, SEMAPHORE, WAITERS } from 'coexist/abi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Kind, LAYOUT, PERMITS } from '../../workers/lock-plan.js';
import { until } from '../support/actor.js';
import { lockMemory, Owner, Waiters } from '../support/lock-deaths.js';
import { locksIn, parkSleeps, Victim, wordsOf } from '../support/lock-waits.js';

const FOUR = [0, 1, 2, 3];
const FORMS = ['sync', 'async'] as const;
type Words = ReturnType<typeof wordsOf>;

let pool: Waiters;
beforeAll(async () => {
  pool = await Waiters.start(4);
});
afterAll(() => pool.end());

/** Whether the memory says that somebody waits. */
const waited: Record<Exclude<Kind, 'barrier'>, (words: Words) => boolean> = {
  mutex: ({ long }) => (long(LAYOUT.mutex) & WAITERS) !== 0n,
  'rwlock, writer': ({ long }) => (long(LAYOUT.rwlock) & WAITERS) !== 0n,
  // A writer that waits for readers owns the word.
  'rwlock, reader': ({ long }) => long(LAYOUT.rwlock) !== 0n,
  once: ({ long }) => (long(LAYOUT.once) & WAITERS) !== 0n,
  semaphore: ({ load }) => load(LAYOUT.semaphore + SEMAPHORE.waiters.offset) === 1,
  condvar: ({ load }) => load(LAYOUT.condvar + CONDVAR.waiters.offset) > 0,
};

/** Takes the lock in this thread; returns what lets it go again. */
async function take(kind: Kind, memory: WebAssembly.Memory): Promise<() => unknown> {
  const { mutex, condvar, once, rwlock, semaphore } = locksIn(memory);
  switch (kind) {
    case 'mutex': {
      const guard = await mutex.lockAsync();
      return () => guard.unlock();
    }
    case 'once': {
      let end = (): void => {};
      const running = once.callAsync(() => new Promise<void>((resolve) => (end = resolve)));
      await until('the initialiser runs', () => wordsOf(memory).long(LAYOUT.once) !== 0n);
      return () => {
        end();
        return running;
      };
    }
    case 'semaphore': {
      const guard = await semaphore.acquireAsync({ permits: PERMITS });
      return () => guard.release();
    }
    case 'condvar':
      return () => condvar.notifyAll();
    default: {
      const guard = await (kind === 'rwlock, writer' ? rwlock.writeAsync() : rwlock.readAsync());
      return () => guard.unlock();
    }
  }
}

describe.each(FORMS)('a waiter that dies, %s', (form) => {
  test.each(['mutex', 'rwlock, writer', 'once', 'semaphore', 'condvar'] as const)('%s', async (kind) => {
    const memory = lockMemory();
    const words = wordsOf(memory);
    const letGo = await take(kind, memory);
    const victim = await Victim.start();
    const ended = victim.wait(kind, form, memory);
    await until('the victim waits', () => waited[kind](words));
    const jobs = FOUR.map((index) => pool.post(index, { kind, form, memory, parties: 2, repair: true }));
    await pool.asleep(jobs);
    await victim.die();
    expect(await ended).toBe('died');
    await letGo();
    const answers = await pool.pass(jobs);
    expect(answers.map(({ outcome, told }) => `${outcome} ${told}`)).toEqual(Array(4).fill('ok false'));
    if (kind === 'semaphore') expect(locksIn(memory).semaphore.available()).toBe(PERMITS);
    if (kind === 'mutex' || kind === 'condvar') expect(locksIn(memory).mutex.tryLock()?.ownerDied).toBe(false);
  });

  test('a writer that waits for readers owns the lock already: the next one is told', async () => {
    const memory = lockMemory();
    const { rwlock } = locksIn(memory);
    const reading = rwlock.read();
    const victim = await Victim.start();
    const ended = victim.wait('rwlock, reader', form, memory);
    await until('the victim waits', () => waited['rwlock, reader'](wordsOf(memory)));
    const job = { kind: 'rwlock, writer', form, memory, parties: 2, repair: true } as const;
    const jobs = FOUR.map((index) => pool.post(index, job));
    await pool.asleep(jobs);
    await victim.die();
    expect(await ended).toBe('died');
    reading.unlock();
    const answers = await pool.pass(jobs);
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array(4).fill('ok'));
    expect(answers.filter(({ told }) => told).length).toBe(1);
    rwlock.write().unlock();
  });
});

// What the last owner does, by hand, but for the wake-up itself: that went to the thread that has died of it.
const letGoUnheard: Record<Exclude<Kind, 'barrier' | 'rwlock, reader'>, (words: Words) => void> = {
  mutex: ({ storeLong }) => storeLong(LAYOUT.mutex, 0n),
  'rwlock, writer': ({ storeLong }) => storeLong(LAYOUT.rwlock, 0n),
  once: ({ storeLong }) => storeLong(LAYOUT.once, ONCE_DONE),
  semaphore({ add, store, storeLong }) {
    const row = LAYOUT.semaphore + HOLDERS_OFFSET;
    store(row + HOLDER.count.offset, 0);
    storeLong(row + HOLDER.identity.offset, 0n);
    add(LAYOUT.semaphore + SEMAPHORE.turn.offset, 1);
    store(LAYOUT.semaphore + SEMAPHORE.waiters.offset, 0);
  },
  condvar({ add }) {
    add(LAYOUT.condvar + CONDVAR.wakes.offset, 1);
    add(LAYOUT.condvar + CONDVAR.sequence.offset, 1);
  },
};

describe('a waiter that was woken, and died before it had the lock', () => {
  const cases = FORMS.flatMap((form) =>
    (['mutex', 'rwlock, writer', 'once', 'semaphore', 'condvar'] as const).map((kind) => [kind, form] as const),
  );
  test.each(cases)('%s, %s', async (kind, form) => {
    const memory = lockMemory();
    const words = wordsOf(memory);
    if (kind !== 'condvar') await take(kind, memory);
    const victim = await Victim.start();
    await parkSleeps(victim.actor);
    const ended = victim.wait(kind, 'sync', memory);
    await until('the victim waits', () => waited[kind](words));
    const job = { kind, form, memory, parties: 2, repair: true };
    const jobs = [pool.post(0, job), pool.post(1, job)];
    await pool.asleep(jobs);
    letGoUnheard[kind](words);
    await victim.die();
    expect(await ended).toBe('died');
    const since = pool.now;
    if (kind !== 'condvar') {
      const answers = await pool.pass(jobs);
      expect(answers.map(({ outcome, told }) => `${outcome} ${told}`)).toEqual(Array(2).fill('ok false'));
      for (const { at } of answers) expect(at - since).toBeLessThanOrEqual(200);
      return;
    }
    // One notification, one return; the second wait ends with the second notification.
    const first = await pool.pass(jobs, 1);
    expect(first.map(({ outcome, told }) => `${outcome} ${told}`)).toEqual(['ok false']);
    expect((first[0]?.at ?? Number.POSITIVE_INFINITY) - since).toBeLessThanOrEqual(200);
    await pool.pass(jobs, 1, 200);
    const { condvar } = locksIn(memory);
    condvar.notify();
    expect((await pool.pass(jobs)).length).toBe(2);
  });
});

describe('others wake the waiters all the time', () => {
  test.each(FORMS)('permits of a dead thread come back in time all the same, %s', async (form) => {
    const memory = lockMemory();
    const owner = await Owner.start('terminate, idle');
    await owner.hold('semaphore', memory, 2);
    const jobs = [pool.post(0, { kind: 'semaphore', form, memory, parties: 2, repair: true })];
    await pool.asleep(jobs);
    await owner.die();
    const since = pool.now;
    const words = new Int32Array(memory.buffer);
    const turn = (LAYOUT.semaphore + SEMAPHORE.turn.offset) >>> 2;
    // What a release that is not enough for them does.
    for (let n = 0; n < 6 && pool.open(jobs) > 0; n++) {
      await pool.pass(jobs, 0, 30);
      Atomics.add(words, turn, 1);
      Atomics.notify(words, turn);
      await pool.settle(jobs);
    }
    const [answer] = await pool.pass(jobs);
    expect(answer).toMatchObject({ told: true, outcome: 'ok' });
    expect((answer?.at ?? Number.POSITIVE_INFINITY) - since).toBeLessThanOrEqual(200);
  });
});

describe('a dead waiter of a condvar stays counted', () => {
  test.each(FORMS)('a notification still reaches one that lives, %s', async (form) => {
    const memory = lockMemory();
    const words = wordsOf(memory);
    const { condvar } = locksIn(memory);
    const victims = await Promise.all([Victim.start(), Victim.start()]);
    const ended = victims.map((victim) => victim.wait('condvar', form, memory));
    await until('two wait', () => words.load(LAYOUT.condvar + CONDVAR.waiters.offset) === 2);
    for (const victim of victims) await victim.die();
    expect(await Promise.all(ended)).toEqual(['died', 'died']);
    const jobs = FOUR.map((index) => pool.post(index, { kind: 'condvar', form, memory, parties: 2, repair: true }));
    await pool.asleep(jobs);
    expect(words.load(LAYOUT.condvar + CONDVAR.waiters.offset)).toBe(6);
    for (let n = 1; n <= 4; n++) {
      condvar.notify();
      expect((await pool.pass(jobs, n)).length).toBe(n);
    }
    expect(words.load(LAYOUT.condvar + CONDVAR.waiters.offset)).toBe(2);
  });
});
