// Semaphore beside those of `multithreading`, whose permits are nobody's, and of `async-mutex`, which is for one thread.

import { Semaphore } from 'coexist/sync';
import { contest } from './contest.js';
import { interleave, row, type Topic } from './kit.js';
import { loadMultithreading } from './lock-peers.js';
import { PERMITS } from './lock-works.js';

const PAIRS = 20_000;
const PEER_PAIRS = 2000;
const ASYNC_PAIRS = 2000;
const BAR = { time: { atLeast: 1 } } as const;

async function uncontended() {
  const peer = new (await loadMultithreading()).Semaphore(PERMITS);
  const semaphore = new Semaphore('bench/pairs', { permits: PERMITS });
  const times = await interleave({
    peer: {
      ops: PEER_PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) peer.blockingAcquire().dispose();
        return peer;
      },
    },
    own: {
      ops: PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) semaphore.acquire().release();
        return semaphore;
      },
    },
  });
  const what = 'multithreading against Semaphore acquire() and release()';
  return [row(what, times.peer, times.own)];
}

async function asyncMutex() {
  const { Semaphore: PeerSemaphore } = await import('async-mutex');
  const peer = new PeerSemaphore(PERMITS);
  const semaphore = new Semaphore('bench/async', { permits: PERMITS });
  const timed = async (turn: () => Promise<unknown>) => {
    const started = performance.now();
    for (let k = 0; k < ASYNC_PAIRS; k++) await turn();
    return { overriddenDuration: performance.now() - started };
  };
  const times = await interleave({
    peer: {
      ops: ASYNC_PAIRS,
      sample: () => timed(async () => (await peer.acquire())[1]()),
    },
    own: { ops: ASYNC_PAIRS, sample: () => timed(async () => (await semaphore.acquireAsync()).release()) },
  });
  const what = 'async-mutex (one thread only) against Semaphore acquireAsync() and release()';
  return [row(what, times.peer, times.own)];
}

export const semaphore: Topic = {
  uncontended,
  twoThreads: contest(2, 'semaphore', `Semaphore of ${PERMITS} permits`, BAR),
  fourThreads: contest(4, 'semaphore', `Semaphore of ${PERMITS} permits`, BAR),
  asyncMutex,
};
