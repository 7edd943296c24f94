// cache: one SQLite database for all threads of the process. It is a hosted singleton: the first thread that needs it makes it, in
// its own memory, and the others reach it by calls. When its host dies, the next one that asks finds it gone, makes a new one,
// empty, and goes on: it is a cache.
// @ts-check

import { singleton } from 'coexist/singleton';
import { openStore } from './store.js';

/**
 * @typedef {object} CacheOptions
 * @property {boolean} [host] Whether this thread may become the host. Default true.
 * @property {number} [timeout] ms that an answer may take. Default 10000.
 */

/**
 * @typedef {object} Cache
 * @property {(key: string) => Promise<unknown>} get The value, undefined where there is none.
 * @property {(key: string, value: unknown) => Promise<void>} put The value has to be what JSON can carry.
 * @property {() => Promise<number>} size
 * @property {(sql: string) => Promise<Record<string, string | number | null>[]>} query Reads by SQL; the table is `entries`, with `key` and
 * `value` (JSON text).
 * @property {() => CacheStatus} status Asks nobody.
 * @property {() => void} release This thread asks no more; when none is left, the host closes the database.
 */

/**
 * @typedef {object} CacheStatus
 * @property {string} phase
 * @property {number} generation How many there were before this one.
 * @property {number | undefined} hostThread Thread id of the host, where there is one that lives.
 * @property {number} references Of all threads.
 */

const TIMEOUT_MS = 10_000;
/** How many hosts may die over one question. */
const TRIES = 10;

/** @typedef {import('./store.js').Store} Store */

const METHODS = {
  get: (/** @type {Store} */ store, /** @type {string} */ key) => store.get(key),
  put: (/** @type {Store} */ store, /** @type {string} */ key, /** @type {string} */ value) => store.put(key, value),
  size: (/** @type {Store} */ store) => store.size(),
  query: (/** @type {Store} */ store, /** @type {string} */ sql) => store.query(sql),
};

/** @param {string} name */
const keyOf = (name) => `cache/${name}`;
const TYPE = 'cache.sqlite';

/**
 * The cache of this name, the same in every thread.
 * @param {string} name
 * @param {CacheOptions} [options]
 * @returns {Promise<Cache>}
 */
export async function openCache(name, { host = true, timeout = TIMEOUT_MS } = {}) {
  // Without a constructor the declaration is abstract: this thread waits for nobody's and makes none.
  const declared = singleton(keyOf(name), {
    type: TYPE,
    methods: METHODS,
    ...(host ? { create: openStore, finalize: (/** @type {Store} */ store) => store.close() } : {}),
  });
  const acquire = () => declared.acquireAsync({ timeout });
  /** @type {ReturnType<typeof acquire> | undefined} */
  let current = acquire();
  let released = false;
  await current;

  /**
   * Asks, and asks again where the host has died.
   * @template R
   * @param {(reference: Awaited<ReturnType<typeof acquire>>) => R} question
   * @returns {Promise<R>}
   */
  const ask = async (question) => {
    for (let tries = 1; ; tries++) {
      if (released) throw new Error(`cache "${name}" was released in this thread`);
      current ??= acquire();
      const mine = current;
      try {
        return question(await mine);
      } catch (error) {
        // Several flows of this thread may find the host dead, or no new one; the first makes place for the next attempt.
        if (current === mine && (isGone(error) || !(await isHeld(mine)))) {
          current = undefined;
          await letGo(mine);
        }
        if (!isGone(error) || tries === TRIES) throw error;
      }
    }
  };

  return {
    async get(key) {
      const text = await ask((cache) => cache.with({ timeout }).callSync('get', key));
      return text === undefined ? undefined : JSON.parse(text);
    },
    async put(key, value) {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`a ${typeof value} is nothing that JSON can carry`);
      await ask((cache) => cache.with({ timeout }).callSync('put', key, text));
    },
    size: () => ask((cache) => cache.with({ timeout }).callSync('size')),
    query: (sql) => ask((cache) => cache.with({ timeout }).callSync('query', sql)),
    status: () => statusOf(declared.peek()),
    release() {
      released = true;
      void letGo(current);
    },
  };
}

/** @param {unknown} error */
const isGone = (error) => /** @type {NodeJS.ErrnoException} */ (error).code === 'COEXIST_EGONE';

/** @param {Promise<unknown>} reference */
const isHeld = (reference) =>
  reference.then(
    () => true,
    () => false,
  );

/** @param {Promise<Disposable> | undefined} reference */
const letGo = (reference) =>
  reference?.then(
    (held) => held[Symbol.dispose](),
    () => {},
  );

/**
 * What there is under this name, without making or holding anything.
 * @param {string} name
 * @returns {CacheStatus}
 */
export function peekCache(name) {
  return statusOf(singleton(keyOf(name), { type: TYPE, methods: METHODS }).peek());
}

/**
 * Forgets the references of dead threads, and a database whose host has died.
 * @param {string} name
 */
export function reclaimCache(name) {
  return singleton(keyOf(name), { type: TYPE, methods: METHODS }).reclaim();
}

/**
 * @param {import('coexist/singleton').SingletonStatus} status
 * @returns {CacheStatus}
 */
function statusOf({ phase, generation, actor, total }) {
  return { phase, generation, hostThread: actor?.alive === true ? actor.threadId : undefined, references: total };
}
