// Two players that take turns: each waits until the turn is its own, gives it to the other and says so. They say so once the mutex
// is released, in both libraries: on one core a thread that is woken earlier wakes up only to wait again.

import { Condvar, Mutex } from 'coexist/sync';
import { loadMultithreading } from './lock-peers.js';

export type PlayerName = 'own' | 'peer';
/** Index into the players' names. */
export const WORK = 0;
export const GATE = 32;
export const TURNS = 64;

export interface PlayerShared {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly mutex: SharedArrayBuffer;
  readonly condvar: SharedArrayBuffer;
  /** Whose turn it is, ours and the peer's. */
  readonly turn: Int32Array<SharedArrayBuffer>;
}

/** Plays so many turns of player 0 or 1. */
export type Player = (me: number, turns: number) => void;

const OWN = 0;
const PEER = 32;

export function createShared(): PlayerShared {
  return {
    control: new Int32Array(new SharedArrayBuffer(512)),
    mutex: new SharedArrayBuffer(4),
    condvar: new SharedArrayBuffer(4),
    turn: new Int32Array(new SharedArrayBuffer(512)),
  };
}

export async function openPlayers({ mutex, condvar, turn }: PlayerShared): Promise<Record<PlayerName, Player>> {
  const peer = await loadMultithreading();
  const own = { mutex: new Mutex('bench/turn-mutex'), condvar: new Condvar('bench/turn-condvar') };
  const theirs = { mutex: new peer.Mutex<void>(undefined, mutex), condvar: new peer.Condvar(condvar) };
  return {
    own(me, turns) {
      for (let k = 0; k < turns; k++) {
        const guard = own.mutex.lock();
        while (turn[OWN] !== me) own.condvar.wait(guard);
        turn[OWN] = 1 - me;
        guard.unlock();
        own.condvar.notify();
      }
    },
    peer(me, turns) {
      for (let k = 0; k < turns; k++) {
        const guard = theirs.mutex.blockingLock();
        while (turn[PEER] !== me) theirs.condvar.blockingWait(guard);
        turn[PEER] = 1 - me;
        guard.dispose();
        theirs.condvar.notifyOne();
      }
    },
  };
}
