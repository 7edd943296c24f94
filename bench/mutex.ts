// Mutex: without contention against a futex mutex in JavaScript, against a lock word without an owner and against peers, and
// with two and four threads that contend.

import { Mutex } from 'coexist/sync';
import { contest } from './contest.js';
import { type Bar, interleave, row, type Topic } from './kit.js';
import { anonymousLock, futexMutex, loadMultithreading, type PlainLock } from './lock-peers.js';

const PAIRS = 100_000;
const PEER_PAIRS = 2000;
const ASYNC_PAIRS = 2000;

/** Later versions of V8 make the call into wasm cheaper. */
function pairBar(): Bar {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 26) return { atMost: 0.4 };
  return { atMost: major >= 24 ? 0.5 : 0.55 };
}

/** One loop for each lock, of its own text: a loop that two share knows neither. */
function futexPairs(lock: PlainLock): (times: number) => unknown {
  return (times) => {
    for (let k = 0; k < times; k++) {
      lock.lock();
      lock.unlock();
    }
    return lock;
  };
}

function anonymousPairs(lock: PlainLock): (times: number) => unknown {
  return (times) => {
    for (let k = 0; k < times; k++) {
      lock.lock();
      lock.unlock();
    }
    return lock;
  };
}

function ownPairs(mutex: Mutex): (times: number) => unknown {
  return (times) => {
    for (let k = 0; k < times; k++) {
      mutex.lock();
      mutex.unlock();
    }
    return mutex;
  };
}

function guardPairs(mutex: Mutex): (times: number) => unknown {
  return (times) => {
    for (let k = 0; k < times; k++) {
      const guard = mutex.lock();
      guard.unlock();
    }
    return mutex;
  };
}

async function uncontended() {
  const futex = futexMutex(new Int32Array(new SharedArrayBuffer(256)), 32);
  const anonymous = await anonymousLock();
  const times = await interleave({
    futex: { ops: PAIRS, loop: futexPairs(futex) },
    own: { ops: PAIRS, loop: ownPairs(new Mutex('bench/pairs')) },
    guard: { ops: PAIRS, loop: guardPairs(new Mutex('bench/guards')) },
    anonymous: { ops: PAIRS, loop: anonymousPairs(anonymous) },
  });
  // What two calls into wasm with one atomic each reach on this machine.
  const { ratio: limit } = row('', times.anonymous, times.futex, pairBar());
  return [
    { ...row('Mutex lock() and unlock() against a JS futex mutex', times.own, times.futex, pairBar()), limit },
    {
      ...row('Mutex lock() and guard.unlock() against a JS futex mutex', times.guard, times.futex, { atMost: 0.9 }),
      limit,
    },
    row('Mutex lock() and unlock() against a word without owner', times.own, times.anonymous, { atMost: 1.25 }),
  ];
}

async function multithreading() {
  const peer = new (await loadMultithreading()).Mutex();
  const times = await interleave({
    peer: {
      ops: PEER_PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) peer.blockingLock().dispose();
        return peer;
      },
    },
    own: { ops: PAIRS, loop: ownPairs(new Mutex('bench/pairs')) },
  });
  return [row('multithreading against Mutex lock() and unlock()', times.peer, times.own, { atLeast: 70 })];
}

/** So many turns of a lock that is waited for asynchronously, one behind the other. */
function turns(turn: () => Promise<unknown>): () => Promise<{ overriddenDuration: number }> {
  return async () => {
    const started = performance.now();
    for (let k = 0; k < ASYNC_PAIRS; k++) await turn();
    return { overriddenDuration: performance.now() - started };
  };
}

async function asyncMutex() {
  const { Mutex: PeerMutex } = await import('async-mutex');
  const peer = new PeerMutex();
  const mutex = new Mutex('bench/async');
  const times = await interleave({
    peer: { ops: ASYNC_PAIRS, sample: turns(async () => (await peer.acquire())()) },
    own: { ops: ASYNC_PAIRS, sample: turns(async () => (await mutex.lockAsync()).unlock()) },
  });
  const what = 'async-mutex (one thread only) against Mutex lockAsync() and unlock()';
  return [row(what, times.peer, times.own, { atLeast: 1 })];
}

interface WebLocks {
  request(name: string, callback: () => unknown): Promise<unknown>;
}

async function webLocks() {
  const { locks } = (globalThis as { navigator?: { locks?: WebLocks } }).navigator ?? {};
  if (locks === undefined) return [];
  const mutex = new Mutex('bench/async');
  const times = await interleave({
    peer: { ops: ASYNC_PAIRS, sample: turns(() => locks.request('bench', () => undefined)) },
    own: { ops: ASYNC_PAIRS, sample: turns(async () => (await mutex.lockAsync()).unlock()) },
  });
  return [row('Web Locks against Mutex lockAsync() and unlock()', times.peer, times.own, { atLeast: 1 })];
}

const EMPTY = { time: { atLeast: 20 } } as const;
const WORK = { time: { atLeast: 3 }, fairness: { atMost: 1.5 } } as const;

export const mutex: Topic = {
  uncontended,
  multithreading,
  twoThreads: contest(2, 'mutex', 'Mutex, nothing inside', EMPTY),
  fourThreads: contest(4, 'mutex', 'Mutex, nothing inside', EMPTY),
  twoThreadsWork: contest(2, 'mutex, work', 'Mutex, work inside', WORK),
  fourThreadsWork: contest(4, 'mutex, work', 'Mutex, work inside', WORK),
  asyncMutex,
  webLocks,
};
