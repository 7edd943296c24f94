// The command line of the main job, checked in full before anything starts.
// @ts-check

import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** @typedef {{ job: string, dir: string, workers: number, kill: number, seed: number, rate: number }} Options */

export const MOST_WORKERS = 64;
export const MOST_KILLS = 1000;
export const MOST_RATE = 1_000_000;
const SEEDS = 2 ** 32;

export const USAGE = `usage: npm start [-- --dir DIR --workers N --kill N --seed S]
  --dir DIR      the folder to work on (default: this checkout, with its node_modules)
  --workers N    threads of the pool, 1 to ${MOST_WORKERS} (default: one per processor, at least 2)
  --kill N       workers to terminate in the middle of the run, 0 to ${MOST_KILLS} (default 1)
  --seed S       decides when and whom to kill, 0 to ${SEEDS - 1} (default: random, printed)
  --rate N       job cache: files analysed in a second, by all threads together, 1 to ${MOST_RATE} (default 2000)
  --job NAME     the job to run: hash (default), cache, modules or namespaces`;

/** What the user asked for cannot be done; the message says why. */
export class UsageError extends Error {}

const TYPES = /** @type {const} */ ({
  job: { type: 'string', default: 'hash' },
  dir: { type: 'string', default: fileURLToPath(new URL('../..', import.meta.url)) },
  workers: { type: 'string' },
  kill: { type: 'string' },
  seed: { type: 'string' },
  rate: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
});

/**
 * @param {string[]} argv Without node and the script.
 * @param {string[]} jobs Names of the jobs there are.
 * @returns {Options | 'help'}
 * @throws UsageError
 */
export function parseArguments(argv, jobs) {
  const values = parse(argv);
  if (values.help) return 'help';
  if (!jobs.includes(values.job)) throw new UsageError(`--job is "${values.job}", expected one of ${jobs.join(', ')}`);
  return {
    job: values.job,
    dir: folder(values.dir),
    workers: integer('workers', values.workers, 1, MOST_WORKERS) ?? Math.max(2, availableParallelism()),
    kill: integer('kill', values.kill, 0, MOST_KILLS) ?? 1,
    seed: integer('seed', values.seed, 0, SEEDS - 1) ?? randomInt(SEEDS),
    rate: integer('rate', values.rate, 1, MOST_RATE) ?? 2000,
  };
}

/** @param {string[]} argv */
function parse(argv) {
  try {
    return parseArgs({ args: argv, options: TYPES, strict: true }).values;
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} least
 * @param {number} most
 */
function integer(name, text, least, most) {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${name} is "${text}", expected a whole number from ${least} to ${most}`);
}

/** @param {string} dir */
function folder(dir) {
  if (dir === '') throw new UsageError('--dir is empty, expected the path of a folder');
  const path = resolve(dir);
  try {
    if (statSync(path).isDirectory()) return path;
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new UsageError(code === 'ENOENT' ? `--dir: there is no ${path}` : `--dir: ${path} cannot be read (${code})`);
  }
  throw new UsageError(`--dir: ${path} is not a folder`);
}
