// A worker of the pool. What is known of a file it gets from the cache; what is not, it finds out, as fast as the limiter lets all
// threads together. Any of the workers may host the cache: whoever needs it first does.
// @ts-check

import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { attach, register } from 'coexist';
import { openCache } from '../../cache/index.js';
import { openLimiter } from '../../limiter/index.js';
import { createCritical } from '../critical.js';
import { analyse } from './analyse.js';
import { BURST, CACHE, LIMITER, STAGES } from './names.js';

/**
 * @typedef {object} Hello
 * @property {number} threadId
 * @property {Int32Array} critical
 * @property {Int32Array} stage Index into STAGES.
 * @property {number} areaId
 * @property {number} slot
 * @property {number} generation
 */

/**
 * @typedef {object} Known
 * @property {'done'} kind
 * @property {number} threadId
 * @property {boolean} hit Whether the cache knew it.
 * @property {number} waitedMs For the limiter.
 * @property {string} stamp Changes when the file does.
 * @property {import('./analyse.js').Analysis} analysis
 */

/** @typedef {{ kind: 'gone' | 'unreadable', threadId: number, taken: boolean, reason: string }} Failure */
/** @typedef {Known | Failure} Result */

const { rate } = /** @type {{ rate: number }} */ (workerData);
const stage = new Int32Array(new SharedArrayBuffer(4));
const enter = (/** @type {typeof STAGES[number]} */ name) => Atomics.store(stage, 0, STAGES.indexOf(name));

const area = attach();
const limiter = openLimiter(LIMITER, { rate, burst: BURST });
const cache = await openCache(CACHE);
register({ name: 'job' });
const row = area.inspect().slots.find((slot) => slot.threadId === threadId);

/** @type {Hello} */
const hello = {
  threadId,
  critical: createCritical(),
  stage,
  areaId: area.id,
  slot: row?.slot ?? -1,
  generation: row?.generation ?? -1,
};
parentPort?.postMessage(hello);

/**
 * @param {{ root: string, path: string }} task
 * @returns {Promise<Result>}
 */
export async function lookUp({ root, path }) {
  let taken = false;
  try {
    const stamp = await stampOf(join(root, path));
    enter('asking the cache');
    const known = /** @type {{ stamp: string, analysis: import('./analyse.js').Analysis } | undefined} */ (
      await cache.get(path)
    );
    if (known?.stamp === stamp) return { kind: 'done', threadId, hit: true, waitedMs: 0, ...known };

    enter('waiting its turn');
    const asked = performance.now();
    taken = await limiter.takeAsync();
    const waitedMs = performance.now() - asked;

    enter('reading');
    const analysis = await analyse(join(root, path));
    enter('storing');
    await cache.put(path, { stamp, analysis });
    return { kind: 'done', threadId, hit: false, waitedMs, stamp, analysis };
  } catch (error) {
    const { code, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
    // Anything else is a fault of this program.
    if (code === undefined || syscall === undefined) throw error;
    return { kind: code === 'ENOENT' || code === 'ENOTDIR' ? 'gone' : 'unreadable', threadId, taken, reason: code };
  } finally {
    enter('between tasks');
  }
}

/** @param {string} path */
async function stampOf(path) {
  const { ino, size, mtimeNs, ctimeNs } = await lstat(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
