// The host in other threads: workers of the role `img`, and workers that find their files replaced, or are of another build.
// @ts-check

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { inspectModules } from 'coexist/module';

/** @typedef {{ fingerprint: string, dirs: string[], folder: string, other?: string }} Host */

const ANSWER_MS = 60_000;

/**
 * One answer of a worker that then ends.
 * @template {keyof import('./worker.js').Answers} What
 * @param {What} what
 * @param {Host} host
 * @param {AbortSignal} signal
 */
export async function inWorker(what, host, signal) {
  const worker = open(what, { host });
  const answer = await answerOf(worker, what, signal);
  await end(worker);
  return answer;
}

/**
 * Threads of a pool, all at once: each loads what the others have, as far as its role may.
 * @param {{ host: Host, workers: number, archive: Uint8Array, signal: AbortSignal }} options
 */
export async function roles({ host, workers, archive, signal }) {
  const opened = Array.from({ length: workers }, () => open('img', { host, archive }));
  const answers = await Promise.all(opened.map((worker) => answerOf(worker, 'img', signal)));
  const present = countThreads();
  await Promise.all(opened.map(end));
  return { workers, answers, present, behind: countThreads() };
}

/** In how many threads each module is loaded. */
const countThreads = () =>
  Object.fromEntries(
    inspectModules().map(({ name, threads }) => [name, threads.filter(({ loaded }) => loaded).length]),
  );

/**
 * @param {string} what
 * @param {object} data
 */
const open = (what, data) => new Worker(new URL('worker.js', import.meta.url), { workerData: { what, ...data } });

/**
 * @template {keyof import('./worker.js').Answers} What
 * @param {Worker} worker
 * @param {What} what What it was opened for.
 * @param {AbortSignal} signal
 * @returns {Promise<import('./worker.js').Answers[What]>}
 */
async function answerOf(worker, what, signal) {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const [answer] = await once(worker, 'message', { signal: bounded });
    return answer;
  } catch (error) {
    await worker.terminate();
    throw new Error(`the worker for "${what}" did not answer`, { cause: error });
  }
}

/** @param {Worker} worker */
async function end(worker) {
  const ended = once(worker, 'exit');
  worker.postMessage('end');
  await ended;
}
