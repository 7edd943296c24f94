// Who is told of an owner's death: exactly one until it has declared the data consistent, the next one again if that one dies too, and
// nobody else after that; without the declaration the lock is out of use for everybody.

import { CONDVAR } from 'coexist/abi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LAYOUT } from '../../workers/lock-plan.js';
import { Actor, until } from '../support/actor.js';
import { lockMemory, Owner, ownerDies, Waiters } from '../support/lock-deaths.js';
import { locksIn, waitIn, wordsOf } from '../support/lock-waits.js';
import { kill } from '../support/threads.js';

const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];
const FORMS = ['sync', 'async'] as const;

let pool: Waiters;
beforeAll(async () => {
  pool = await Waiters.start(8);
});
afterAll(() => pool.end());

describe.each(FORMS)('%s', (form) => {
  test.each(['mutex', 'rwlock, writer', 'condvar'] as const)(
    '%s: told, and never declared consistent',
    async (kind) => {
      const [answers = []] = await ownerDies(pool, 'terminate, idle', [{ kind, form, waiters: EIGHT }], {
        repair: false,
      });
      expect(answers.map(({ told, outcome }) => `${told} ${outcome}`).sort()).toEqual([
        ...Array<string>(7).fill('false COEXIST_ENOTRECOVERABLE'),
        'true ok',
      ]);
      for (const { at } of answers) expect(at).toBeLessThanOrEqual(200);
    },
  );

  test.each(['mutex', 'rwlock, writer', 'once'] as const)('%s: who was told dies in its turn', async (kind) => {
    const memory = lockMemory();
    const first = await Owner.start('terminate, idle');
    await first.hold(kind, memory, 2);
    await first.die();
    // Takes it over, is told, and dies without a word.
    const second = await Owner.start('terminate, idle');
    await second.hold(kind, memory, 2);
    const jobs = EIGHT.map((index) => pool.post(index, { kind, form, memory, parties: 2, repair: true }));
    await pool.asleep(jobs);
    await second.die();
    const answers = await pool.pass(jobs);
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array(8).fill('ok'));
    expect(answers.filter(({ told }) => told).length).toBe(1);
    if (kind === 'once') return;
    // Declared consistent: from now on nobody is told.
    const { mutex, rwlock } = locksIn(memory);
    const guard = kind === 'mutex' ? mutex.lock() : rwlock.write();
    expect(guard.ownerDied).toBe(false);
    guard.unlock();
  });
});

test('an owner that dies after its unlock was nobody’s owner', async () => {
  const memory = lockMemory();
  const { mutex } = locksIn(memory);
  const actor = await Actor.start();
  expect(await waitIn(actor, 'mutex', 'sync', memory)).toBe('ok');
  await actor.run(({ state }) => (state['got'] as { unlock(): void }).unlock());
  await kill(actor);
  const guard = mutex.lock();
  expect(guard.ownerDied).toBe(false);
  expect(() => guard.markConsistent()).toThrow(expect.objectContaining({ code: 'COEXIST_EINVAL' }));
  guard.unlock();
});

// The clock of the machine, and no assertion on it. Where only one can hold the lock, it is ended once it does: the next is told of
// that death too.
test.each([
  ['mutex', 'told', 'told'],
  ['rwlock, writer', 'told', 'told'],
  ['rwlock, reader', 'ok', 'told'],
  ['once', 'ok', 'ok'],
  ['semaphore', 'ok', 'told'],
  ['condvar', 'told', 'told'],
  ['barrier', 'COEXIST_EBROKEN', 'COEXIST_EBROKEN'],
] as const)('by the real clock: %s', async (kind, ...expected) => {
  const memory = lockMemory();
  const [owner, blocked, waiting] = [await Owner.start('terminate, idle'), await Actor.start(), await Actor.start()];
  // A condvar's waiters come first: its owner notifies them.
  if (kind !== 'condvar') await owner.hold(kind, memory, 3);
  const alone = !['once', 'semaphore', 'barrier'].includes(kind);
  const endOf = async (actor: Actor): Promise<void> => void (alone && (await kill(actor)));
  const answers = [
    waitIn(blocked, kind, 'sync', memory, 3).finally(() => endOf(blocked)),
    waitIn(waiting, kind, 'async', memory, 3).finally(() => endOf(waiting)),
  ];
  if (kind === 'condvar') {
    const { load } = wordsOf(memory);
    await until('both wait', () => load(LAYOUT.condvar + CONDVAR.waiters.offset) === 2);
    await owner.hold(kind, memory, 3);
  }
  await owner.die();
  expect((await Promise.all(answers)).sort()).toEqual(expected);
  await Promise.all([blocked.terminate(), waiting.terminate()]);
});
