// Owner words of the coexist contract, ABI version 1, and what waits on them, written from the contract page alone (clauses 42 to 44).
// Every operation is a generator that yields its sleeps, so the blocking and the asynchronous form are one text: the driver decides
// how to sleep. Numbers in brackets are clauses of that page.

import { identity, liveness } from './implementation.js';

export const W = 1n << 62n;
export const D = 1n << 63n;
const SLEEP_MS = 50; // [43] no sleep lasts longer

export const fail = (code, message) => {
  throw Object.assign(new Error(message), { code: `COEXIST_${code}` });
};
export const idOf = (word) => word & ~(W | D);
// [46] What a Once ends as; the bits below D are no identity then.
export const DONE = 0x80000001n << 32n;
export const POISONED = 0x80000002n << 32n;
export const isHeld = (word) => idOf(word) !== 0n && word !== DONE && word !== POISONED;

// ---------------------------------------------------------------------------------------------------------------------
// Memory, sleeping, time

/** 32- and 64-bit accesses at byte offsets from the beginning of a lock. */
export function memoryAt(memory, base) {
  const buffer = memory.buffer ?? memory;
  if (base % 8 !== 0) fail('EINVAL', `a lock lies at a multiple of 8, not at ${base}`);
  const words = new Int32Array(buffer);
  const longs = new BigUint64Array(buffer);
  const w = (at) => (base + at) / 4;
  const l = (at) => (base + at) / 8;
  return {
    load: (at) => Atomics.load(words, w(at)) >>> 0,
    store: (at, value) => Atomics.store(words, w(at), value | 0),
    add: (at, n) => Atomics.add(words, w(at), n) >>> 0,
    cas: (at, from, to) => Atomics.compareExchange(words, w(at), from | 0, to | 0) === (from | 0),
    loadLong: (at) => Atomics.load(longs, l(at)),
    storeLong: (at, value) => Atomics.store(longs, l(at), value),
    swapLong: (at, value) => Atomics.exchange(longs, l(at), value),
    casLong: (at, from, to) => Atomics.compareExchange(longs, l(at), from, to) === from,
    wake: (at, n = Infinity) => Atomics.notify(words, w(at), n),
    plainStore: (at, value) => {
      words[w(at)] = value;
    },
    words,
    w,
    /** A constant is stored by whoever makes the first view [44]. */
    constant(at, value, name) {
      if (!this.cas(at, 0, value) && this.load(at) !== value)
        fail('EKIND', `${name} is ${this.load(at)}, not ${value}`);
    },
  };
}

/** How long an operation may still sleep; `over` once it may not at all. */
export function limitOf({ timeout = Infinity, signal } = {}) {
  const end = performance.now() + timeout;
  return {
    left: () => Math.min(SLEEP_MS, Math.max(0, end - performance.now())),
    check() {
      if (signal?.aborted) fail('EABORTED', 'given up by its signal');
      if (performance.now() >= end) fail('ETIMEDOUT', `not within ${timeout} ms`);
    },
  };
}

/** Runs a generator of sleeps { m, at, value, ms } to its end, blocking. */
export function run(steps) {
  let woken;
  for (;;) {
    const { done, value: step } = steps.next(woken);
    if (done) return step;
    woken = Atomics.wait(step.m.words, step.m.w(step.at), step.value | 0, step.ms) === 'ok';
  }
}

/** The same with the event loop kept alive for the time of each sleep. */
async function runAsync(steps) {
  let woken;
  for (;;) {
    const { done, value: step } = steps.next(woken);
    if (done) return step;
    const { async, value } = Atomics.waitAsync(step.m.words, step.m.w(step.at), step.value | 0, step.ms);
    const alive = setInterval(() => {}, 1000);
    try {
      woken = (async ? await value : value) === 'ok';
    } finally {
      clearInterval(alive);
    }
  }
}

/** Both forms of an operation; the generator learns whether it may hold up the event loop. */
export const forms = (operation) => [
  (...args) => run(operation(false, ...args)),
  (...args) => runAsync(operation(true, ...args)),
];

// ---------------------------------------------------------------------------------------------------------------------
// Owner words [42, 43]

export const OWNER = 0;
export const HIGH = 4;
const TOKEN = 8;
const highOf = (word) => Number(word >> 32n);

/** [43] Sets W, sleeps once, and looks whether the owner is dead; returns the word that was judged if it is. */
export function* sleepOn(m, word, limit) {
  const waited = word | W;
  if (word !== waited && !m.casLong(OWNER, word, waited)) return undefined;
  yield { m, at: HIGH, value: highOf(waited), ms: limit.left() };
  const now = m.loadLong(OWNER);
  if (isHeld(now) && liveness(idOf(now)) === 'dead') return now;
  try {
    limit.check();
  } catch (error) {
    giveUp(m);
    throw error;
  }
  return undefined;
}

/** [43] Clears W if it is set, then wakes all in any case. */
function giveUp(m) {
  for (;;) {
    const word = m.loadLong(OWNER);
    if (!isHeld(word) || !(word & W) || m.casLong(OWNER, word, word & ~W)) break;
  }
  m.wake(HIGH);
}

/** [42] Stores the token of the hold just begun and returns it. */
export function newToken(m, own) {
  const token = ((m.load(TOKEN) & 0x7fffffff) + 1) & 0x7fffffff || 1;
  const stored = (own ? token | 0x80000000 : token) >>> 0;
  m.plainStore(TOKEN, stored);
  return stored;
}

/** [42] Takes the word; returns the identity of the dead owner it was taken over from, or 0n. */
export function* takeWord(m, asynchronous, limit) {
  const me = identity();
  for (let mark = 0n; ; ) {
    const word = m.loadLong(OWNER);
    if (word === 0n) {
      if (m.casLong(OWNER, 0n, me | mark)) return 0n;
    } else if (word === D) {
      fail('ENOTRECOVERABLE', 'an owner died and nobody has declared the data consistent');
    } else if (idOf(word) === me && !asynchronous) {
      fail('EDEADLK', 'this thread holds the lock');
    } else {
      const dead = yield* sleepOn(m, word, limit);
      mark = W;
      if (dead !== undefined && m.casLong(OWNER, dead, D | me | W)) return idOf(dead);
    }
  }
}

/** [42] Whether this thread holds the word, under this token or, without one, under no guard of its own. */
function checkOwner(m, token) {
  const now = m.load(TOKEN);
  if (idOf(m.loadLong(OWNER)) !== identity() || (token === undefined ? now & 0x80000000 : now !== token))
    fail('ENOTOWNER', 'this thread does not hold the lock, or another guard does');
}

/** [42] Releases the word; `all` as an rwlock does. */
export function releaseWord(m, token, all = false) {
  checkOwner(m, token);
  for (;;) {
    const word = m.loadLong(OWNER);
    if (word & D) {
      m.storeLong(OWNER, D);
      m.wake(HIGH);
      return;
    }
    if (word & W) {
      m.storeLong(OWNER, 0n);
      m.wake(HIGH, all ? Infinity : 1);
      return;
    }
    if (m.casLong(OWNER, word, 0n)) return;
  }
}

export function clearDied(m) {
  for (;;) {
    const word = m.loadLong(OWNER);
    if (!(word & D) || m.casLong(OWNER, word, word & ~D)) return;
  }
}

export function guardOf(m, token, ownerDied, all = false, extra = {}) {
  const guard = {
    ...extra,
    ownerDied,
    token,
    markConsistent() {
      checkOwner(m, token);
      clearDied(m);
    },
    unlock: () => releaseWord(m, token, all),
    [Symbol.dispose]: () => releaseWord(m, token, all),
  };
  return guard;
}
