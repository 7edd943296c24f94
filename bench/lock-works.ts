// What the threads of a contest do, by name: so many turns of one lock, with nothing inside it or with a little work. All locks of
// a kind that take part lie in shared memory that every thread opens for itself, as the peer's own workers do.

import { Mutex, RwLock, Semaphore } from 'coexist/sync';
import { loadMultithreading } from './lock-peers.js';

/** Memory of the peer's locks, and of the work. */
export interface Shared {
  readonly mutex: SharedArrayBuffer;
  readonly rwlock: SharedArrayBuffer;
  readonly semaphore: SharedArrayBuffer;
  /** One counter for each work, far apart: a plain increment is lost where the lock does not exclude. */
  readonly cells: Int32Array<SharedArrayBuffer>;
}

export const WORKS = [
  'own mutex',
  'peer mutex',
  'own mutex, work',
  'peer mutex, work',
  'own rwlock, reads',
  'peer rwlock, reads',
  'own rwlock, mixed',
  'peer rwlock, mixed',
  'own semaphore',
  'peer semaphore',
] as const;
export type WorkName = (typeof WORKS)[number];

/** Does so many turns. */
export type Work = (turns: number) => void;

/** Those whose cell counts every turn. */
export const COUNTED: ReadonlySet<WorkName> = new Set(['own mutex, work', 'peer mutex, work']);

export const WORDS_PER_CELL = 64;
/** Increments inside the lock: some hundred nanoseconds. */
const INSIDE = 200;
/** One turn in so many writes. */
const WRITE_EVERY = 16;
export const PERMITS = 2;

export function createShared(): Shared {
  const semaphore = new SharedArrayBuffer(8);
  // Its permits: the peer writes them only where it allocates the memory itself.
  new Int32Array(semaphore)[0] = PERMITS;
  return {
    mutex: new SharedArrayBuffer(4),
    rwlock: new SharedArrayBuffer(4),
    semaphore,
    cells: new Int32Array(new SharedArrayBuffer(4 * WORDS_PER_CELL * (WORKS.length + 1))),
  };
}

export async function openWorks({ mutex, rwlock, semaphore, cells }: Shared): Promise<Record<WorkName, Work>> {
  const peer = await loadMultithreading();
  const own = {
    mutex: new Mutex('bench/contended-mutex'),
    rwlock: new RwLock('bench/contended-rwlock'),
    semaphore: new Semaphore('bench/contended-semaphore', { permits: PERMITS }),
  };
  const theirs = {
    mutex: new peer.Mutex<void>(undefined, mutex),
    rwlock: new peer.RwLock<void>(undefined, rwlock),
    semaphore: new peer.Semaphore(PERMITS, semaphore),
  };
  // The sum is stored, so that the loop is done whatever the compiler thinks of it.
  const inside = (work: WorkName): (() => void) => {
    const at = WORDS_PER_CELL * (WORKS.indexOf(work) + 1);
    return () => {
      let sum = cells[at + 1] as number;
      for (let k = 0; k < INSIDE; k++) sum = (sum ^ (sum << 1)) + k;
      cells[at + 1] = sum;
      cells[at]!++;
    };
  };
  const [ownWork, peerWork] = [inside('own mutex, work'), inside('peer mutex, work')];
  return {
    'own mutex': (turns) => {
      for (let k = 0; k < turns; k++) {
        own.mutex.lock();
        own.mutex.unlock();
      }
    },
    'peer mutex': (turns) => {
      for (let k = 0; k < turns; k++) theirs.mutex.blockingLock().dispose();
    },
    'own mutex, work': (turns) => {
      for (let k = 0; k < turns; k++) {
        own.mutex.lock();
        ownWork();
        own.mutex.unlock();
      }
    },
    'peer mutex, work': (turns) => {
      for (let k = 0; k < turns; k++) {
        const guard = theirs.mutex.blockingLock();
        peerWork();
        guard.dispose();
      }
    },
    'own rwlock, reads': (turns) => {
      for (let k = 0; k < turns; k++) own.rwlock.read().unlock();
    },
    'peer rwlock, reads': (turns) => {
      for (let k = 0; k < turns; k++) theirs.rwlock.blockingRead().dispose();
    },
    'own rwlock, mixed': (turns) => {
      for (let k = 0; k < turns; k++) {
        if (k % WRITE_EVERY === 0) own.rwlock.write().unlock();
        else own.rwlock.read().unlock();
      }
    },
    'peer rwlock, mixed': (turns) => {
      for (let k = 0; k < turns; k++) {
        if (k % WRITE_EVERY === 0) theirs.rwlock.blockingWrite().dispose();
        else theirs.rwlock.blockingRead().dispose();
      }
    },
    'own semaphore': (turns) => {
      for (let k = 0; k < turns; k++) own.semaphore.acquire().release();
    },
    'peer semaphore': (turns) => {
      for (let k = 0; k < turns; k++) theirs.semaphore.blockingAcquire().dispose();
    },
  };
}
