// RwLock beside that of `multithreading`, whose readers all write the one word, and whose writers may starve.

import { RwLock } from 'coexist/sync';
import { contest } from './contest.js';
import { interleave, row, type Topic } from './kit.js';
import { loadMultithreading } from './lock-peers.js';

const PAIRS = 100_000;
const PEER_PAIRS = 2000;
const BAR = { time: { atLeast: 1 } } as const;

async function uncontended() {
  const peer = new (await loadMultithreading()).RwLock();
  const lock = new RwLock('bench/pairs');
  const times = await interleave({
    peerRead: {
      ops: PEER_PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) peer.blockingRead().dispose();
        return peer;
      },
    },
    ownRead: {
      ops: PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) lock.read().unlock();
        return lock;
      },
    },
    peerWrite: {
      ops: PEER_PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) peer.blockingWrite().dispose();
        return peer;
      },
    },
    ownWrite: {
      ops: PAIRS,
      loop: (times) => {
        for (let k = 0; k < times; k++) lock.write().unlock();
        return lock;
      },
    },
  });
  return [
    row('multithreading against RwLock read() and unlock()', times.peerRead, times.ownRead),
    row('multithreading against RwLock write() and unlock()', times.peerWrite, times.ownWrite),
  ];
}

export const rwlock: Topic = {
  uncontended,
  twoReaders: contest(2, 'rwlock, reads', 'RwLock, reads', BAR),
  fourReaders: contest(4, 'rwlock, reads', 'RwLock, reads', BAR),
  twoMixed: contest(2, 'rwlock, mixed', 'RwLock, one write in 16', BAR),
  fourMixed: contest(4, 'rwlock, mixed', 'RwLock, one write in 16', BAR),
};
