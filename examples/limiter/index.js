// limiter: one token bucket for all threads of the process, a singleton in shared memory. The bucket is one word, the time at which
// it will be full again (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371): to take tokens is to move
// that time on with one compare-and-exchange. So a thread that dies at any moment has taken its tokens or has not, and there is
// nothing to repair. A taker that has to wait has its turn already: it sleeps until then, and asks nobody.
// @ts-check

import { setTimeout as sleep } from 'node:timers/promises';
import { singleton } from 'coexist/singleton';

/**
 * @typedef {object} LimiterStatus
 * @property {number} rate Tokens a second.
 * @property {number} burst Tokens of a full bucket.
 * @property {number} available Tokens that could be taken now without waiting.
 * @property {bigint} taken Tokens ever taken. A thread that is terminated while it takes some may leave them uncounted.
 * @property {bigint} refused Attempts that took none.
 */

/**
 * @typedef {object} TakeOptions
 * @property {number} [tokens] Default 1.
 * @property {number} [timeout] ms that the turn may lie ahead; beyond, nothing is taken. Default: no limit.
 */

/**
 * @typedef {object} Limiter
 * @property {boolean} created Whether this thread made the bucket.
 * @property {(tokens?: number) => boolean} tryTake Takes tokens that are there, or none.
 * @property {(options?: TakeOptions) => boolean} take Takes tokens and blocks until it is their turn; false: too far ahead.
 * @property {(options?: TakeOptions & { signal?: AbortSignal }) => Promise<boolean>} takeAsync The same without blocking. What has
 * been taken is not given back when the signal ends the wait.
 * @property {() => LimiterStatus} status
 * @property {() => void} release This thread takes no more; when no thread is left, the bucket goes.
 */

/** The words of the instance, 64 bits each. The first three never change. */
const INTERVAL = 0; // ns for one token
const DEPTH = 1; // ns that a full bucket is worth
const FULL_AT = 2; // ns on the process's monotonic clock; in the past where the bucket is full
const TAKEN = 3;
const REFUSED = 4;
const WORDS = 5;

const NS_PER_S = 1_000_000_000n;
const NS_PER_MS = 1e6;
const LEAST_PER_S = 0.001;
const MOST_PER_S = 1e9;

/**
 * The limiter of this name, the same in every thread; who comes first makes it.
 * @param {string} name
 * @param {{ rate: number, burst: number }} options rate: tokens a second. burst: tokens that a full bucket holds.
 * @returns {Limiter}
 */
export function openLimiter(name, { rate, burst }) {
  if (!(rate >= LEAST_PER_S && rate <= MOST_PER_S)) {
    throw new RangeError(`rate is ${rate}, expected a number from ${LEAST_PER_S} to ${MOST_PER_S}`);
  }
  if (!Number.isSafeInteger(burst) || burst < 1) throw new RangeError(`burst is ${burst}, expected a positive integer`);
  const interval = BigInt(Math.round(Number(NS_PER_S) / rate));
  const bucket = singleton(`limiter/${name}`, {
    type: 'limiter.bucket',
    bytes: 8 * WORDS,
    create({ i64 }) {
      // Nobody else sees these before all are there. A FULL_AT of 0 is long ago: the bucket begins full.
      i64[INTERVAL] = interval;
      i64[DEPTH] = interval * BigInt(burst);
    },
  });
  const reference = bucket.acquire();
  const words = reference.memory.i64;
  if (words[INTERVAL] !== interval || words[DEPTH] !== interval * BigInt(burst)) {
    reference.release();
    throw new RangeError(`limiter "${name}" has another rate or burst in this process`);
  }
  const depth = interval * BigInt(burst);
  const asleep = new Int32Array(new SharedArrayBuffer(4));

  /**
   * ns until it is the tokens' turn; -1n: too far ahead, nothing was taken.
   * @param {number} tokens
   * @param {bigint} patience ns
   */
  const reserve = (tokens, patience) => {
    if (!Number.isSafeInteger(tokens) || tokens < 1 || tokens > burst) {
      throw new RangeError(`tokens is ${tokens}, expected an integer from 1 to ${burst}`);
    }
    if (reference.released) throw new Error(`limiter "${name}" was released in this thread`);
    const worth = interval * BigInt(tokens);
    for (;;) {
      const now = process.hrtime.bigint();
      const fullAt = Atomics.load(words, FULL_AT);
      const after = (fullAt > now ? fullAt : now) + worth;
      const wait = after - depth - now;
      if (wait > patience) {
        Atomics.add(words, REFUSED, 1n);
        return -1n;
      }
      if (Atomics.compareExchange(words, FULL_AT, fullAt, after) !== fullAt) continue;
      Atomics.add(words, TAKEN, BigInt(tokens));
      return wait > 0n ? wait : 0n;
    }
  };

  /** @param {number | undefined} timeout */
  const patienceOf = (timeout) =>
    timeout === undefined || timeout === Number.POSITIVE_INFINITY ? 1n << 62n : BigInt(Math.floor(timeout * NS_PER_MS));
  /** @param {bigint} ns */
  const msOf = (ns) => Math.ceil(Number(ns) / NS_PER_MS);

  return {
    created: reference.created,
    tryTake: (tokens = 1) => reserve(tokens, 0n) >= 0n,
    take({ tokens = 1, timeout } = {}) {
      const wait = reserve(tokens, patienceOf(timeout));
      if (wait > 0n) Atomics.wait(asleep, 0, 0, msOf(wait));
      return wait >= 0n;
    },
    async takeAsync({ tokens = 1, timeout, signal } = {}) {
      signal?.throwIfAborted();
      const wait = reserve(tokens, patienceOf(timeout));
      if (wait > 0n) await sleep(msOf(wait), undefined, signal === undefined ? {} : { signal });
      return wait >= 0n;
    },
    status() {
      const ahead = Atomics.load(words, FULL_AT) - process.hrtime.bigint();
      const free = ahead <= 0n ? depth : depth - ahead;
      return {
        rate,
        burst,
        available: free <= 0n ? 0 : Number(free / interval),
        taken: Atomics.load(words, TAKEN),
        refused: Atomics.load(words, REFUSED),
      };
    },
    release: () => reference[Symbol.dispose](),
  };
}

/**
 * What there is under this name, without making or holding anything.
 * @param {string} name
 */
export function peekLimiter(name) {
  // Without a constructor the declaration is abstract: it can look, and never creates.
  return singleton(`limiter/${name}`, { type: 'limiter.bucket', bytes: 8 * WORDS }).peek();
}
