// Mutex, Once and Condvar of the coexist contract, ABI version 1, written from the contract page alone (clauses 45 to 47). Plain
// JavaScript, `Atomics` only. Numbers in brackets are clauses of that page.

import { identity } from './implementation.js';
import {
  D,
  DONE,
  fail,
  forms,
  guardOf,
  HIGH,
  limitOf,
  memoryAt,
  newToken,
  OWNER,
  POISONED,
  releaseWord,
  sleepOn,
  takeWord,
  W,
} from './owner-words.js';

export { barrier, rwlock, semaphore } from './shared-locks.js';

const ALL = 0xffffffff; // [47]

/** [45] */
export function mutex(memory, base = 0) {
  const m = memoryAt(memory, base);
  const [lock, lockAsync] = forms(function* (asynchronous, options) {
    const dead = yield* takeWord(m, asynchronous, limitOf(options));
    return guardOf(m, newToken(m, asynchronous), dead !== 0n);
  });
  return {
    lock,
    lockAsync,
    tryLock() {
      if (m.loadLong(OWNER) === D) fail('ENOTRECOVERABLE', 'an owner died');
      return m.casLong(OWNER, 0n, identity()) ? guardOf(m, newToken(m, false), false) : undefined;
    },
    unlock: () => releaseWord(m),
    m,
    kind: 'mutex',
  };
}

/** [46] `initialise` is run by one caller at most at a time, to its end by one. */
export function once(memory, base = 0) {
  const m = memoryAt(memory, base);
  const end = (state) => {
    if (m.swapLong(OWNER, state) & W) m.wake(HIGH);
  };
  /** True if the caller has to run its initialiser. */
  function* begin(asynchronous, force, limit) {
    const me = identity();
    for (;;) {
      const word = m.loadLong(OWNER);
      if (word === DONE) return undefined;
      if (word === POISONED && !force) fail('EPOISONED', 'the initialiser threw');
      if (word === 0n || word === POISONED) {
        if (m.casLong(OWNER, word, me)) return { ownerDied: false };
      } else if (word === me || word === (me | W)) {
        if (!asynchronous) fail('EDEADLK', 'the initialiser calls its own once');
        yield* sleepOn(m, word, limit);
      } else {
        const dead = yield* sleepOn(m, word, limit);
        if (dead !== undefined && m.casLong(OWNER, dead, me | W)) return { ownerDied: true };
      }
    }
  }
  const [call, callAsync] = forms(function* (asynchronous, initialise, { force = false, ...options } = {}) {
    const state = yield* begin(asynchronous, force, limitOf(options));
    if (state === undefined) return false;
    try {
      initialise(state);
    } catch (error) {
      end(POISONED);
      throw error;
    }
    end(DONE);
    return true;
  });
  return { call, callAsync, state: () => m.loadLong(OWNER) };
}

/** [47] */
export function condvar(memory, base = 0) {
  const m = memoryAt(memory, base);
  const [SEQUENCE, WAITERS, WAKES, TAKEN] = [0, 4, 8, 12];
  const pending = () => (m.load(WAKES) - m.load(TAKEN)) >>> 0;
  const takeWake = () => {
    for (;;) {
      const taken = m.load(TAKEN);
      if (taken === m.load(WAKES)) return false;
      if (m.cas(TAKEN, taken, taken + 1)) return true;
    }
  };
  const [wait, waitAsync] = forms(function* (asynchronous, lock, guard, options) {
    const limit = limitOf(options);
    m.add(WAITERS, 1);
    const first = m.load(SEQUENCE);
    guard.unlock();
    let problem;
    for (let last = first; ; ) {
      const woken = yield { m, at: SEQUENCE, value: last, ms: limit.left() };
      last = m.load(SEQUENCE);
      if (last !== first && takeWake()) break;
      if (woken && last === first && pending() > 0) m.wake(SEQUENCE, 1);
      try {
        limit.check();
      } catch (error) {
        problem = error;
        break;
      }
    }
    m.add(WAITERS, -1);
    const dead = yield* takeWord(lock.m, asynchronous, limitOf());
    const again = guardOf(lock.m, newToken(lock.m, asynchronous), dead !== 0n);
    return { notified: problem === undefined, guard: again };
  });
  const notify = (n = 1) => {
    const waiters = m.load(WAITERS);
    if (waiters === 0) return;
    for (;;) {
      const wakes = m.load(WAKES);
      const given = Math.min(n, waiters - ((wakes - m.load(TAKEN)) >>> 0));
      if (given <= 0 || m.cas(WAKES, wakes, wakes + given)) break;
    }
    m.add(SEQUENCE, 1);
    m.wake(SEQUENCE, n);
  };
  return { wait, waitAsync, notify, notifyAll: () => notify(ALL), waiters: () => m.load(WAITERS), pending };
}
