// Runs every task to one final result while workers are killed according to a plan; the tasks of killed workers run again.
// @ts-check

import { Interrupted } from './pool.js';

/** How often a task is tried whose worker dies without having been killed. */
const TRIES = 3;

/** How often is looked whether a thread is in the middle of its task. */
const POLL_MS = 1;

/**
 * @template {object} T
 * @template R
 * @typedef {object} RunOptions
 * @property {Pick<ReturnType<typeof import('./pool.js').openPool<import('./pool.js').Hello, R>>, 'run' | 'busy' | 'doomed' | 'kill' | 'allUp' | 'onAssign'>} pool
 * @property {T[]} tasks
 * @property {number} lanes Tasks at a time.
 * @property {number[]} plan A kill is due when this many tasks have their result; ascending, different numbers.
 * @property {(most: number) => number} random Chooses whom to kill.
 * @property {(threadId: number) => boolean} isMidway Whether the thread is seen in the middle of its task.
 * @property {(index: number, result: R) => void} onResult
 * @property {(threadId: number, index: number) => void} onKill
 * @property {AbortSignal} signal Ends the run early.
 */

/**
 * @template {object} T
 * @template R
 * @param {RunOptions<T, R>} options
 */
export async function runAll({ pool, tasks, lanes, plan, random, isMidway, onResult, onKill, signal }) {
  const waiting = tasks.map((_, index) => index).reverse();
  /** @type {Map<number, number>} */
  const deaths = new Map();
  let settled = 0;
  let killed = 0;
  let again = 0;
  let scheduled = false;
  let over = false;
  /** @type {(error: unknown) => void} */
  let fail = () => {};
  /** @type {Promise<never>} */
  const failed = new Promise((_, reject) => {
    fail = reject;
  });

  /** With as many kills left as tasks that somebody can be killed over, none may be missed. */
  const isLast = () => killed < plan.length && tasks.length - settled - pool.doomed() <= plan.length - killed;
  const isDue = () => isLast() || (killed < plan.length && /** @type {number} */ (plan[killed]) <= settled);

  const strike = () => {
    scheduled = false;
    while (isDue() && !signal.aborted && !over) {
      const busy = pool.busy();
      // Better in the middle of a task than before it.
      const candidates = isLast() ? busy : busy.filter(({ threadId }) => isMidway(threadId));
      const victim = candidates.length > 0 ? candidates[random(candidates.length)] : undefined;
      if (victim === undefined) {
        if (busy.length > 0) schedule();
        return;
      }
      killed++;
      onKill(victim.threadId, victim.index);
      pool.kill(victim.threadId);
      pool.allUp().catch(fail);
    }
  };

  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setTimeout(strike, POLL_MS);
  };

  // When it may be the last chance, at once: a short task would be over before the event loop has turned.
  pool.onAssign = () => {
    if (isLast()) queueMicrotask(strike);
    else if (isDue()) schedule();
  };

  const lane = async () => {
    for (let index = waiting.pop(); index !== undefined && !signal.aborted; index = waiting.pop()) {
      try {
        await pool.run(index, /** @type {T} */ (tasks[index]), (result) => {
          settled++;
          onResult(index, result);
          if (isLast()) strike();
          else if (isDue()) schedule();
        });
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Interrupted)) throw error;
        again++;
        waiting.push(index);
        if (error.killed) continue;
        const count = (deaths.get(index) ?? 0) + 1;
        deaths.set(index, count);
        if (count === TRIES)
          throw new Error(`${count} workers died over one task, not killed`, { cause: tasks[index] });
      }
    }
  };

  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  const done = Promise.all(Array.from({ length: lanes }, lane));
  try {
    await Promise.race([done, aborted, failed]);
  } finally {
    over = true;
  }
  return {
    settled,
    killed,
    again,
    deaths: [...deaths.values()].reduce((sum, count) => sum + count, 0),
  };
}
