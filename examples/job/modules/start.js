// What the program takes to start, without its parts and with all of them imported: both as processes, in turns.
// @ts-check

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** @typedef {import('../../modules/run.js').Ready} Ready */

const ROUNDS = 3;
const START_MS = 60_000;
const start = promisify(execFile);

/**
 * @param {{ programs: { loading: string, importing: string }, parts: string, folder: string, signal: AbortSignal }} options
 * @returns {Promise<{ loading: Ready, importing: Ready }>} The last of each.
 */
export async function startBoth({ programs, parts, folder, signal }) {
  /** @type {Record<'loading' | 'importing', Ready[]>} */
  const rounds = { loading: [], importing: [] };
  for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
    for (const name of /** @type {const} */ (['loading', 'importing'])) {
      const args = ['--expose-gc', programs[name], parts, `${folder}-${name}`];
      const { stdout } = await start(process.execPath, args, { timeout: START_MS, signal });
      rounds[name].push(JSON.parse(stdout));
    }
  }
  const { loading, importing } = rounds;
  const less = (/** @type {'rss' | 'heap'} */ what) =>
    `${((median(importing, what) - median(loading, what)) / 1e6).toFixed(0)} MB`;
  console.log(
    `\nstarted ${ROUNDS} times each, with no part loaded against all of them imported: ready in ` +
      `${(median(loading, 'ms') / median(importing, 'ms')).toFixed(2)} of the time, ${less('rss')} less resident, ${less('heap')} less on the heap and beside it`,
  );
  return { loading: last(loading), importing: last(importing) };
}

/** @param {Ready[]} rounds */
const last = (rounds) => /** @type {Ready} */ (rounds.at(-1));

/**
 * @param {Ready[]} rounds
 * @param {'ms' | 'rss' | 'heap'} what
 */
function median(rounds, what) {
  const sorted = rounds.map((ready) => ready[what]).sort((a, b) => a - b);
  return /** @type {number} */ (sorted[sorted.length >> 1]);
}
