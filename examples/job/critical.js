// A critical section that a worker must not be terminated in. Some of Node's native objects are made in two steps, and a
// thread that is terminated between them takes the process down with it: zlib's, "close before init", up to Node 26 at least.
//
// One shared word per worker: 0 outside, 1 inside, 2 closed. The worker goes 0 -> 1 -> 0; who wants to kill it goes 0 -> 2 and
// then terminates it. A worker that finds 2 waits for its end.
// @ts-check

const OUTSIDE = 0;
const INSIDE = 1;
const CLOSED = 2;

const END_TIMEOUT_MS = 30_000;
const LEAVE_TIMEOUT_MS = 1000;

/** @returns {Int32Array} The word, for the worker to share with whoever may kill it. */
export function createCritical() {
  return new Int32Array(new SharedArrayBuffer(4));
}

/**
 * In the worker: runs a step that is synchronous and short.
 * @template T
 * @param {Int32Array} word
 * @param {() => T} step
 * @returns {T}
 */
export function runCritical(word, step) {
  if (Atomics.compareExchange(word, 0, OUTSIDE, INSIDE) !== OUTSIDE) {
    Atomics.wait(word, 0, CLOSED, END_TIMEOUT_MS);
    throw new Error('this worker was to be terminated, and was not');
  }
  try {
    return step();
  } finally {
    Atomics.store(word, 0, OUTSIDE);
    Atomics.notify(word, 0);
  }
}

/**
 * In the killer: from now on the worker is outside. Blocks while it is inside, at most a second.
 * @param {Int32Array} word
 */
export function closeCritical(word) {
  const deadline = performance.now() + LEAVE_TIMEOUT_MS;
  while (Atomics.compareExchange(word, 0, OUTSIDE, CLOSED) === INSIDE) {
    const left = deadline - performance.now();
    if (left <= 0) return;
    Atomics.wait(word, 0, INSIDE, left);
  }
}
