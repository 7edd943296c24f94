// What several threads hold at once, of the coexist contract, ABI version 1, written from the contract page alone (clauses 48 to 51):
// RwLock, Semaphore, Barrier. Plain JavaScript, `Atomics` only. Numbers in brackets are clauses of that page.

import { holdersOf } from './holders.js';
import { identity, liveness } from './implementation.js';
import {
  clearDied,
  D,
  fail,
  forms,
  guardOf,
  HIGH,
  idOf,
  limitOf,
  memoryAt,
  newToken,
  OWNER,
  releaseWord,
  run,
  sleepOn,
  takeWord,
  W,
} from './owner-words.js';

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
  const deadParty = () => [...table.rows()].some(({ holder }) => liveness(holder) === 'dead');
  const breakAt = (phase) => {
    if (!m.cas(PHASE, phase, phase | BROKEN)) return;
    m.wake(PHASE);
    broken();
  };
  const [wait, waitAsync] = forms(function* (_asynchronous, options) {
    const limit = limitOf(options);
    const me = identity();
    let phase;
    let last = false;
    yield* under(m, () => {
      phase = m.load(PHASE);
      if (phase & BROKEN) broken();
      // A new party must not take a dead one's row: that one breaks the barrier.
      if (table.find(me) === undefined && deadParty()) breakAt(phase);
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
      if (deadParty()) breakAt(phase);
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
