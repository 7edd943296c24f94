// A Piscina pool that knows what each of its threads is working on, and can kill one of them. Every worker says hello
// when it has loaded, and gets no file before that.
// @ts-check

import { setTimeout as sleep } from 'node:timers/promises';
import { Piscina } from 'piscina';
import { closeCritical } from './critical.js';

/**
 * What a worker says when it has loaded. It enters its critical section where it must not be terminated.
 * @typedef {{ threadId: number, critical: Int32Array }} Hello
 */

/** The thread ended in a task, or just before it. */
export class Interrupted extends Error {
  /**
   * @param {number} threadId
   * @param {boolean} killed Whether by `kill`.
   */
  constructor(threadId, killed) {
    super(`thread ${threadId} ended`);
    this.threadId = threadId;
    this.killed = killed;
  }
}

/** @type {(task: object) => number} */
const indexOf = (task) =>
  /** @type {{ [key: symbol]: { index: number } }} */ (task)[Piscina.queueOptionsSymbol]?.index ?? -1;

const UP_TIMEOUT_MS = 30_000;
const POLL_MS = 5;

/**
 * @template {Hello} H
 * @template R
 * @param {{ filename: string, handler: string, workers: number, data?: object, answering?: boolean, onHello: (hello: H) => void }} options
 * `handler` is the name of the function that the file exports; `data` the workers' workerData. `answering`: whether the event loop of a thread without a task has to
 * turn; otherwise it is blocked, since a thread that sleeps on a word of memory gets its next task sooner.
 */
export function openPool({ filename, handler, workers, data, answering = false, onHello }) {
  /** @type {Map<number, H>} Of all workers that there ever were. */
  const hellos = new Map();
  /** @type {Set<number>} */
  const created = new Set();
  /** @type {Set<number>} */
  const doomed = new Set();
  /** @type {Map<number, number>} Task by thread. */
  const assigned = new Map();
  /** @type {unknown} */
  let failure;
  let closed = false;

  // To kill one that Piscina still counts as starting would make it give up starting any.
  const isUp = (/** @type {number} */ id) => hellos.has(id) && created.has(id) && !doomed.has(id);

  const release = (/** @type {number} */ index) => {
    for (const [threadId, running] of assigned) {
      if (running !== index) continue;
      assigned.delete(threadId);
      return threadId;
    }
    return undefined;
  };

  /** @type {Piscina<object, R>} */
  const pool = new Piscina({
    filename,
    name: handler,
    workerData: data,
    minThreads: workers,
    maxThreads: workers,
    recordTiming: false,
    atomics: answering ? 'disabled' : 'sync',
    loadBalancer: (task, candidates) => {
      const free = candidates.find(({ id, currentUsage }) => currentUsage === 0 && isUp(id));
      if (free === undefined) return null;
      assigned.set(free.id, indexOf(task));
      handle.onAssign();
      return free;
    },
  });
  pool.on('workerCreate', ({ id }) => created.add(id));
  pool.on('error', (error) => {
    failure ??= error;
  });
  pool.on('message', (/** @type {H} */ hello) => {
    hellos.set(hello.threadId, hello);
    onHello(hello);
  });

  const handle = {
    hellos,

    /** Called when a worker is about to get a task. */
    onAssign() {},

    /** Resolves when every thread of the pool has said hello; rejects if one fails to, or takes too long. */
    async allUp() {
      const deadline = performance.now() + UP_TIMEOUT_MS;
      for (;;) {
        if (failure !== undefined) throw failure;
        const { threads } = pool;
        if (closed || (threads.length === workers && threads.every(({ threadId }) => isUp(threadId)))) return;
        if (performance.now() > deadline) throw new Error(`a worker did not start within ${UP_TIMEOUT_MS} ms`);
        await sleep(POLL_MS);
      }
    },

    /**
     * Runs a task. It counts as running until `settle` is called, in the same turn.
     * @param {number} index The task's.
     * @param {object} task
     * @param {(result: R) => void} settle
     * @returns {Promise<void>} Rejects with Interrupted when the thread ends in it.
     */
    async run(index, task, settle) {
      /** @type {R} */
      let result;
      try {
        result = await pool.run({ ...task, [Piscina.queueOptionsSymbol]: { index } });
      } catch (error) {
        const threadId = release(index);
        const alive = pool.threads.some((thread) => thread.threadId === threadId);
        if (threadId === undefined || (alive && !doomed.has(threadId))) throw error;
        throw new Interrupted(threadId, doomed.has(threadId));
      }
      release(index);
      settle(result);
    },

    /** How many tasks are with threads that are being killed: each may still have its result, or run again. */
    doomed: () => [...assigned.keys()].filter((threadId) => doomed.has(threadId)).length,

    /** The threads that have a task now and are not being killed, in the order of their ids. */
    busy() {
      return [...assigned]
        .filter(([threadId]) => isUp(threadId))
        .map(([threadId, index]) => ({ threadId, index }))
        .sort((a, b) => a.threadId - b.threadId);
    },

    /** @param {number} threadId */
    kill(threadId) {
      doomed.add(threadId);
      const hello = hellos.get(threadId);
      if (hello !== undefined) closeCritical(hello.critical);
      void pool.threads.find((thread) => thread.threadId === threadId)?.terminate();
    },

    /** Ends every thread; those that are still starting when they have started. */
    async close() {
      await handle.allUp().catch(() => {});
      closed = true;
      for (const { threadId } of pool.threads) {
        const hello = hellos.get(threadId);
        if (hello !== undefined) closeCritical(hello.critical);
      }
      await pool.destroy();
    },
  };
  return handle;
}
