// One mutex as four parties see it, behind one interface: two copies of the library, the implementation written from the contract, and
// a wasm module written by hand. Plain JavaScript, so that a worker loads it as it is.

import { identity, liveness } from './implementation.js';
import * as locks from './locks.js';

const fail = (code) => {
  throw Object.assign(new Error(code), { code });
};

/** The hand-written module on this memory. `bytes` is mutex.wat assembled. */
function watMutex(bytes, memory, at) {
  const dead = (id) => (liveness(id) === 'dead' ? 1 : 0);
  const wasm = new WebAssembly.Instance(new WebAssembly.Module(bytes), { host: { memory, dead } }).exports;
  wasm.become(identity());
  const guard = (ownerDied) => ({
    ownerDied,
    markConsistent: () => wasm.mark_consistent(at),
    unlock: () => (wasm.unlock(at) === 0 ? undefined : fail('COEXIST_ENOTOWNER')),
  });
  return {
    lock() {
      const outcome = wasm.lock(at);
      if (outcome === 2) fail('COEXIST_ENOTRECOVERABLE');
      if (outcome === 3) fail('COEXIST_EDEADLK');
      return guard(outcome === 1);
    },
    tryLock: () => (wasm.try_lock(at) === 0 ? guard(false) : undefined),
    unlock: () => guard(false).unlock(),
  };
}

export const PARTIES = ['a', 'b', 'independent', 'wat'];

/** The mutex at this offset, as one of the parties sees it. */
export async function mutexOf(party, { urls, bytes, memory, at }) {
  if (party === 'independent') return locks.mutex(memory, at);
  if (party === 'wat') return watMutex(bytes, memory, at);
  const { Mutex } = await import(urls[party]);
  return Mutex.at(memory, at);
}

/** Adds to a plain counter, with plain loads and stores, under the mutex. */
export async function addUnder(party, place, counterAt, times) {
  const mutex = await mutexOf(party, place);
  const words = new Int32Array(place.memory.buffer);
  const index = counterAt / 4;
  for (let n = 0; n < times; n++) {
    const guard = mutex.lock();
    words[index] = words[index] + 1;
    guard.unlock();
  }
}

/** The same, as one of several flows of this thread; only those whose party has an asynchronous form. */
export async function addUnderAsync(party, place, counterAt, times) {
  const mutex = await mutexOf(party, place);
  const words = new Int32Array(place.memory.buffer);
  const index = counterAt / 4;
  for (let n = 0; n < times; n++) {
    const guard = await mutex.lockAsync();
    const seen = words[index];
    // Other flows of this thread run here.
    await undefined;
    words[index] = seen + 1;
    guard.unlock();
  }
}
