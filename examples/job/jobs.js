// The jobs that `--job` chooses from, each loaded when it is chosen.
// @ts-check

/**
 * What main gives a job, and takes back: the exit code.
 * @typedef {(options: import('./arguments.js').Options, signal: AbortSignal) => Promise<number>} Run
 */

/** @type {Record<string, () => Promise<{ run: Run }>>} */
export const JOBS = {
  hash: () => import('./hash/job.js'),
  cache: () => import('./cache/job.js'),
  modules: () => import('./modules/job.js'),
  namespaces: () => import('./namespaces/job.js'),
};
