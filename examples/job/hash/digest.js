// What a worker does to one file: hashes and compresses it chunk by chunk, so that memory does not depend on its size.
// @ts-check

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { runCritical } from '../critical.js';
import { CHUNK, createPacker } from './compress.js';

/**
 * @typedef {object} Digest
 * @property {'done'} kind
 * @property {string} sha256
 * @property {number} bytes
 * @property {number} packed Bytes after compression.
 * @property {string} stamp Changes when the file does.
 */

/**
 * @typedef {{ kind: 'gone' } | { kind: 'unreadable', reason: string }} Failure
 */

/** Neither follows a link nor waits for a pipe's writer, should the file have become one since it was listed. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const buffer = Buffer.allocUnsafe(CHUNK);

/**
 * One file at a time.
 * @param {string} path
 * @param {Int32Array} critical Entered while native objects are being made.
 * @returns {Promise<Digest | Failure>}
 */
export async function digest(path, critical) {
  /** @type {number | undefined} */
  let file;
  try {
    file = openSync(path, FLAGS);
    const before = fstatSync(file, { bigint: true });
    if (!before.isFile()) return { kind: 'unreadable', reason: 'no longer a regular file' };
    const content = await read(file, runCritical(critical, createPacker));
    const after = fstatSync(file, { bigint: true });
    const stamp = stampOf(before) === stampOf(after) ? stampOf(after) : 'changed while it was read';
    return { kind: 'done', ...content, stamp };
  } catch (error) {
    const { code, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
    // Anything else is a fault of this program.
    if (code === undefined || syscall === undefined) throw error;
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'gone' } : { kind: 'unreadable', reason: code };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** @param {import('node:fs').BigIntStats} stats */
function stampOf({ ino, size, mtimeNs, ctimeNs }) {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/**
 * @param {number} file
 * @param {ReturnType<typeof createPacker>} packer
 */
async function read(file, packer) {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for (;;) {
      const count = readSync(file, buffer, 0, CHUNK, null);
      if (count === 0) break;
      const chunk = buffer.subarray(0, count);
      bytes += count;
      hash.update(chunk);
      await packer.add(chunk);
    }
    return { sha256: hash.digest('hex'), bytes, packed: await packer.finish() };
  } finally {
    packer.drop();
  }
}
