// The independent check of the job: each file read anew in one thread, in another way, with nothing cached.
// @ts-check

import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';

const YIELD_FILES = 64;

/**
 * @typedef {object} Comparison
 * @property {number} equal
 * @property {string[]} wrong Paths, each with what differs.
 * @property {number} changed Files that changed or vanished since they were listed.
 * @property {number} unreadable On both sides.
 */

/**
 * @param {string} root
 * @param {import('../walk.js').ListedFile[]} files
 * @param {(import('./worker.js').Result | undefined)[]} results In the order of the files.
 * @param {AbortSignal} signal
 * @returns {Promise<Comparison>}
 */
export async function compare(root, files, results, signal) {
  /** @type {Comparison} */
  const outcome = { equal: 0, wrong: [], changed: 0, unreadable: 0 };
  for (const [index, { path }] of files.entries()) {
    if (signal.aborted) break;
    if (index % YIELD_FILES === 0) await new Promise((resolve) => setImmediate(resolve));
    const result = results[index];
    if (result === undefined) outcome.wrong.push(`${path}: no result`);
    else compareFile(outcome, path, result, read(`${root}/${path}`));
  }
  return outcome;
}

/**
 * @param {Comparison} outcome
 * @param {string} path
 * @param {import('./worker.js').Result} result
 * @param {ReturnType<typeof read>} other
 */
function compareFile(outcome, path, result, other) {
  if (result.kind !== 'done') {
    if (result.kind === 'unreadable' && other === undefined) outcome.unreadable++;
    else outcome.changed++;
    return;
  }
  if (other === undefined || other.stamp !== result.stamp) {
    outcome.changed++;
    return;
  }
  const differs = /** @type {const} */ (['sha256', 'bytes', 'lines', 'text']).find(
    (key) => result.analysis[key] !== other.analysis[key],
  );
  if (differs === undefined) outcome.equal++;
  else
    outcome.wrong.push(`${path}: ${differs} is ${result.analysis[differs]}, the check says ${other.analysis[differs]}`);
}

/** @param {string} path */
function read(path) {
  try {
    const content = readFileSync(path);
    const { ino, size, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
    const lines = content.toString('latin1').split('\n').length - 1;
    const sha256 = createHash('sha256').update(content).digest('hex');
    return {
      stamp: `${ino} ${size} ${mtimeNs} ${ctimeNs}`,
      analysis: { sha256, bytes: content.length, lines, text: content.indexOf(0) < 0 },
    };
  } catch {
    return undefined;
  }
}
