// RwLock, Once, Semaphore and Barrier as three parties see them, behind one interface: two copies of the library and the implementation
// written from the contract. Plain JavaScript, so that a worker loads it as it is.

import * as locks from './locks.js';

export const SHARED = { once: 0, rwlock: 256, semaphore: 512, barrier: 1024, words: 2048 };
export const HOLDERS = 8;

/** The locks at their places, as one of the parties sees them. */
export async function sharedOf(party, { urls, memory, permits = 3, parties = 3 }) {
  if (party === 'independent') {
    const rwlock = locks.rwlock(memory, SHARED.rwlock, HOLDERS);
    const guard = (inner) => ({
      mode: inner.writing ? 'write' : 'read',
      ownerDied: inner.ownerDied,
      readersDied: inner.readersDied ?? 0,
      markConsistent: () => inner.markConsistent(),
      unlock: () => inner.unlock(),
    });
    const semaphore = locks.semaphore(memory, SHARED.semaphore, HOLDERS, permits);
    return {
      rwlock: { read: (options) => guard(rwlock.read(options)), write: (options) => guard(rwlock.write(options)) },
      once: locks.once(memory, SHARED.once),
      semaphore: {
        acquire: (n, options) => semaphore.acquire(n, options),
        release: (n) => semaphore.release(n),
        available: () => semaphore.available(),
      },
      barrier: locks.barrier(memory, SHARED.barrier, HOLDERS, parties),
    };
  }
  const { Barrier, Once, RwLock, Semaphore } = await import(urls[party]);
  const once = Once.at(memory, SHARED.once);
  const semaphore = Semaphore.at(memory, SHARED.semaphore, { permits, holders: HOLDERS });
  return {
    rwlock: RwLock.at(memory, SHARED.rwlock, { holders: HOLDERS }),
    once: {
      call: (initialise, { force = false, ...options } = {}) =>
        force ? once.callForce(initialise, options) : once.call(initialise, options),
    },
    semaphore: {
      acquire: (n, options) => semaphore.acquire({ permits: n, ...options }),
      release: (n) => semaphore.release(n),
      available: () => semaphore.available(),
    },
    barrier: Barrier.at(memory, SHARED.barrier, { parties, holders: HOLDERS }),
  };
}

/**
 * What one of several threads does with all of them; returns what it saw: torn reads, the most threads beside each other in the semaphore,
 * initialisers it ran, phases in which it came last. Words: two written together, a number of initialisers, one of holders.
 */
export async function useAll(party, place, times) {
  const { rwlock, once, semaphore, barrier } = await sharedOf(party, place);
  const words = new Int32Array(place.memory.buffer, SHARED.words);
  const seen = { torn: 0, writes: 0, most: 0, ran: 0, last: 0 };
  for (let n = 0; n < times; n++) {
    if (n % 4 === 0) {
      const guard = rwlock.write();
      words[0] = words[0] + 1;
      words[1] = words[0];
      seen.writes++;
      guard.unlock();
    } else {
      const guard = rwlock.read();
      if (words[0] !== words[1]) seen.torn++;
      guard.unlock();
    }
    const permits = semaphore.acquire(1 + (n % 2));
    seen.most = Math.max(seen.most, Atomics.add(words, 2, 1 + (n % 2)) + 1 + (n % 2));
    Atomics.sub(words, 2, 1 + (n % 2));
    permits.release();
    if (n % 16 === 0 && barrier.wait()) seen.last++;
    once.call(() => {
      seen.ran++;
    });
  }
  barrier.leave();
  return seen;
}
