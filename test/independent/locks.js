// The locks of the coexist contract, ABI version 1, written from the contract page alone (clauses 42 to 51). Plain JavaScript,
// `Atomics` only. Every operation is a generator that yields its sleeps, so the blocking and the asynchronous form are one
// text: the driver decides how to sleep. Numbers in brackets are clauses of that page.

import { identity, liveness } from './implementation.js';

const W = 1n << 62n;
const D = 1n << 63n;
const SLEEP_MS = 50; // [43] no sleep lasts longer
const ALL = 0xffffffff; // [47]
const HOLDERS = 64; // [48]

const fail = (code, message) => {
  throw Object.assign(new Error(message), { code: `COEXIST_${code}` });
};
const idOf = (word) => word & ~(W | D);
// [46] What a Once ends as; the bits below D are no identity then.
const DONE = 0x80000001n << 32n;
const POISONED = 0x80000002n << 32n;
const isHeld = (word) => idOf(word) !== 0n && word !== DONE && word !== POISONED;

// ---------------------------------------------------------------------------------------------------------------------
// Memory, sleeping, time

/** 32- and 64-bit accesses at byte offsets from the beginning of a lock. */
function memoryAt(memory, base) {
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
function limitOf({ timeout = Infinity, signal } = {}) {
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
function run(steps) {
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
const forms = (operation) => [
  (...args) => run(operation(false, ...args)),
  (...args) => runAsync(operation(true, ...args)),
];

// ---------------------------------------------------------------------------------------------------------------------
// Owner words [42, 43]

const OWNER = 0;
const HIGH = 4;
const TOKEN = 8;
const highOf = (word) => Number(word >> 32n);

/** [43] Sets W, sleeps once, and looks whether the owner is dead; returns the word that was judged if it is. */
function* sleepOn(m, word, limit) {
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
function newToken(m, own) {
  const token = ((m.load(TOKEN) & 0x7fffffff) + 1) & 0x7fffffff || 1;
  const stored = (own ? token | 0x80000000 : token) >>> 0;
  m.plainStore(TOKEN, stored);
  return stored;
}

/** [42] Takes the word; returns the identity of the dead owner it was taken over from, or 0n. */
function* takeWord(m, asynchronous, limit) {
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
function releaseWord(m, token, all = false) {
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

function clearDied(m) {
  for (;;) {
    const word = m.loadLong(OWNER);
    if (!(word & D) || m.casLong(OWNER, word, word & ~D)) return;
  }
}

function guardOf(m, token, ownerDied, all = false, extra = {}) {
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

// ---------------------------------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------------------------------
// Holders [48]

function holdersOf(m, count) {
  const [COUNT, PHASE, ROW] = [8, 12, 16];
  const [CAPACITY, USED] = [12, 16];
  m.constant(CAPACITY, count, 'holders');
  const at = (row) => HOLDERS + row * ROW;
  const used = () => Math.min(m.load(USED), count);
  const rows = function* () {
    for (let row = 0, end = used(); row < end; row++) {
      const holder = m.loadLong(at(row));
      if (holder !== 0n) yield { row, at: at(row), holder, count: at(row) + COUNT, phase: at(row) + PHASE };
    }
  };
  const take = (row, from, me) => {
    for (let high = m.load(USED); high < row + 1 && !m.cas(USED, high, row + 1); ) high = m.load(USED);
    if (!m.casLong(at(row), from, me)) return undefined;
    m.store(at(row) + COUNT, 0);
    m.wake(at(row) + COUNT);
    return { row, at: at(row), holder: me, count: at(row) + COUNT, phase: at(row) + PHASE };
  };
  return {
    rows,
    find: (me) => [...rows()].find(({ holder }) => holder === me),
    own(me) {
      const found = this.find(me);
      if (found !== undefined) return found;
      for (let row = 0; row < count; row++) {
        const taken = m.loadLong(at(row)) === 0n ? take(row, 0n, me) : undefined;
        if (taken !== undefined) return taken;
      }
      for (const { row, holder } of rows()) {
        const taken = liveness(holder) === 'dead' ? take(row, holder, me) : undefined;
        if (taken !== undefined) return taken;
      }
      return fail('EFULL', `all ${count} rows belong to living threads`);
    },
    free: ({ at, count }) => {
      m.store(count, 0);
      m.storeLong(at, 0n);
    },
  };
}

/** [49] */
export function rwlock(memory, base, holders) {
  const m = memoryAt(memory, base);
  const table = holdersOf(m, holders);
  const readGuard = (row) => {
    let live = true;
    return {
      writing: false,
      ownerDied: false,
      unlock() {
        if (!live) fail('ENOTOWNER', 'released already');
        live = false;
        const left = m.load(row.count) - 1;
        m.store(row.count, left);
        if (left === 0 && m.loadLong(OWNER) !== 0n) m.wake(row.count);
      },
    };
  };
  /** [49] Waits until nobody reads; says how many readers died. The word is held. */
  function* drain(limit, me, dead, token) {
    let readersDied = 0;
    for (const row of table.rows()) {
      for (;;) {
        const count = m.load(row.count);
        const holder = m.loadLong(row.at);
        if (count === 0 || holder === 0n) break;
        if (holder === me) {
          backOut(dead, token);
          fail('EDEADLK', 'this thread reads');
        }
        if (liveness(holder) === 'dead') {
          if (m.casLong(row.at, holder, 0n)) readersDied++;
          break;
        }
        yield { m, at: row.count, value: count, ms: limit.left() };
        if (m.load(row.count) === 0) break;
        if (liveness(holder) === 'dead') continue;
        try {
          limit.check();
        } catch (error) {
          backOut(dead, token);
          throw error;
        }
      }
    }
    return readersDied;
  }
  const backOut = (dead, token) => {
    if (dead === 0n) return releaseWord(m, token, true);
    m.storeLong(OWNER, D | dead | W);
    m.wake(HIGH);
  };
  function* finishWrite(asynchronous, dead, limit) {
    const token = newToken(m, asynchronous);
    const readersDied = yield* drain(limit, identity(), dead, token);
    return guardOf(m, token, dead !== 0n, true, { writing: true, readersDied });
  }
  const [write, writeAsync] = forms(function* (asynchronous, options) {
    const limit = limitOf(options);
    const dead = yield* takeWord(m, asynchronous, limit);
    return yield* finishWrite(asynchronous, dead, limit);
  });
  const [read, readAsync] = forms(function* (asynchronous, options) {
    const limit = limitOf(options);
    const me = identity();
    for (;;) {
      const row = table.own(me);
      const count = m.load(row.count);
      if (count > 0 && (!asynchronous || m.loadLong(OWNER) === 0n)) {
        m.store(row.count, count + 1);
        return readGuard(row);
      }
      if (count === 0) {
        m.store(row.count, 1);
        if (m.loadLong(OWNER) === 0n) return readGuard(row);
        m.store(row.count, 0);
        m.wake(row.count);
      }
      const word = m.loadLong(OWNER);
      if (word === 0n) continue;
      if (word === D) fail('ENOTRECOVERABLE', 'a writer died');
      if (idOf(word) === me && !asynchronous) fail('EDEADLK', 'this thread writes');
      const dead = yield* sleepOn(m, word, limit);
      if (dead !== undefined && m.casLong(OWNER, dead, D | me | W))
        return yield* finishWrite(asynchronous, idOf(dead), limit);
    }
  });
  return { read, readAsync, write, writeAsync };
}

// ---------------------------------------------------------------------------------------------------------------------
// Inner locks [50]

/** Runs `inside` under the inner lock, which is never held across a sleep; what it returns runs after it was left. */
function* under(m, inside) {
  if (idOf(m.loadLong(OWNER)) === identity()) {
    clearDied(m); // this thread was cut inside
  } else {
    const dead = yield* takeWord(m, true, limitOf());
    newToken(m, false);
    if (dead !== 0n) clearDied(m);
  }
  let after;
  try {
    after = inside();
  } finally {
    releaseWord(m);
  }
  return after?.();
}

/** [50] */
export function semaphore(memory, base, holders, permits) {
  const m = memoryAt(memory, base);
  const [PERMITS, RELEASED, TURN, WAITERS] = [20, 24, 28, 32];
  const table = holdersOf(m, holders);
  m.constant(PERMITS, permits + 1, 'permits');
  const available = () => {
    let n = m.load(PERMITS) - 1 + (m.load(RELEASED) | 0);
    for (const { count } of table.rows()) n -= m.load(count);
    return n;
  };
  /** Empties the rows of the dead; says whether there were any that held something. */
  const sweep = () => {
    let died = false;
    for (const row of table.rows()) {
      if (liveness(row.holder) !== 'dead') continue;
      if (m.load(row.count) > 0) died = true;
      table.free(row);
    }
    return died;
  };
  /** To be returned by what runs under the inner lock. */
  const nextTurn = () => {
    if (m.load(WAITERS) !== 1) return undefined;
    m.add(TURN, 1);
    m.store(WAITERS, 0);
    return () => m.wake(TURN);
  };
  const lessen = (n) => {
    const row = table.find(identity());
    if (row === undefined || m.load(row.count) < n) fail('ENOTOWNER', `this thread does not hold ${n} permits`);
    const left = m.load(row.count) - n;
    m.store(row.count, left);
    if (left === 0) m.storeLong(row.at, 0n);
  };
  const guardFor = (n, ownerDied) => {
    let live = true;
    const end = (inside) => {
      if (!live) fail('ENOTOWNER', 'released already');
      live = false;
      run(under(m, inside));
    };
    return {
      ownerDied,
      release: () =>
        end(() => {
          lessen(n);
          return nextTurn();
        }),
      forget: () =>
        end(() => {
          m.add(RELEASED, -n);
          lessen(n);
          return undefined;
        }),
    };
  };
  const [acquire, acquireAsync] = forms(function* (_asynchronous, n = 1, options = {}) {
    const limit = limitOf(options);
    let ownerDied = false;
    for (let slept = false; ; slept = true) {
      let over;
      if (slept) {
        try {
          limit.check();
        } catch (error) {
          over = error;
        }
      }
      let turn;
      let got = false;
      yield* under(m, () => {
        if (slept && sweep()) ownerDied = true;
        if (available() >= n) {
          const row = table.own(identity());
          m.store(row.count, m.load(row.count) + n);
          got = true;
          return undefined;
        }
        if (over !== undefined) return nextTurn();
        m.store(WAITERS, 1);
        turn = m.load(TURN);
        return undefined;
      });
      if (got) return guardFor(n, ownerDied);
      if (over !== undefined) throw over;
      yield { m, at: TURN, value: turn, ms: limit.left() };
    }
  });
  return {
    acquire,
    acquireAsync,
    release: (n = 1) =>
      run(
        under(m, () => {
          m.add(RELEASED, n);
          return nextTurn();
        }),
      ),
    available: () => available(),
  };
}

/** [51] */
export function barrier(memory, base, holders, parties) {
  const m = memoryAt(memory, base);
  const [PARTIES, PHASE] = [20, 24];
  const BROKEN = 0x80000000;
  const table = holdersOf(m, holders);
  m.constant(PARTIES, parties, 'parties');
  const broken = () => fail('EBROKEN', 'a party died');
  const [wait, waitAsync] = forms(function* (_asynchronous, options) {
    const limit = limitOf(options);
    const me = identity();
    let phase;
    let last = false;
    yield* under(m, () => {
      phase = m.load(PHASE);
      if (phase & BROKEN) broken();
      const own = table.own(me);
      if (m.load(own.phase) !== phase) {
        m.store(own.count, 0);
        m.store(own.phase, phase);
      }
      m.store(own.count, m.load(own.count) + 1);
      let arrived = 0;
      for (const row of table.rows()) if (m.load(row.phase) === phase) arrived += m.load(row.count);
      if (arrived < parties) return undefined;
      if (!m.cas(PHASE, phase, (phase + 1) & 0x7fffffff)) broken();
      last = true;
      return () => m.wake(PHASE);
    });
    if (last) return true;
    for (;;) {
      yield { m, at: PHASE, value: phase, ms: limit.left() };
      const now = m.load(PHASE);
      if ((now & 0x7fffffff) !== phase) return false;
      if (now & BROKEN) broken();
      for (const { holder } of table.rows()) {
        if (liveness(holder) !== 'dead' || !m.cas(PHASE, phase, phase | BROKEN)) continue;
        m.wake(PHASE);
        broken();
      }
      try {
        limit.check();
      } catch (error) {
        let moved = false;
        yield* under(m, () => {
          moved = m.load(PHASE) !== phase;
          const own = table.find(me);
          if (!moved && own !== undefined) m.store(own.count, m.load(own.count) - 1);
          return undefined;
        });
        if (!moved) throw error;
      }
    }
  });
  return {
    wait,
    waitAsync,
    leave: () =>
      run(
        under(m, () => {
          const own = table.find(identity());
          if (own !== undefined) table.free(own);
          return undefined;
        }),
      ),
    broken: () => (m.load(PHASE) & BROKEN) !== 0,
  };
}
