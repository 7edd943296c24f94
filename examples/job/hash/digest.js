// What a worker does to one file: hashes it and compresses it.
// @ts-check

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, fstatSync, openSync, readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { CHUNK, compress, createCompressor } from './compress.js';

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

/**
 * @param {string} path
 * @returns {Promise<Digest | Failure>}
 */
export async function digest(path) {
  /** @type {number | undefined} */
  let file;
  try {
    file = openSync(path, FLAGS);
    const before = fstatSync(file, { bigint: true });
    if (!before.isFile()) return { kind: 'unreadable', reason: 'no longer a regular file' };
    const content = before.size <= CHUNK ? digestAtOnce(file) : await digestInChunks(file);
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

/** @param {number} file */
function digestAtOnce(file) {
  const content = readFileSync(file);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { sha256, bytes: content.length, packed: compress(content).length };
}

/** @param {number} file */
async function digestInChunks(file) {
  const hash = createHash('sha256');
  const compressor = createCompressor();
  let bytes = 0;
  let packed = 0;
  compressor.on('data', (/** @type {Buffer} */ chunk) => {
    packed += chunk.length;
  });
  try {
    for await (const chunk of createReadStream('', { fd: file, autoClose: false, highWaterMark: CHUNK, start: 0 })) {
      bytes += chunk.length;
      hash.update(chunk);
      if (!compressor.write(chunk)) await once(compressor, 'drain');
    }
    compressor.end();
    await finished(compressor);
  } finally {
    compressor.destroy();
  }
  return { sha256: hash.digest('hex'), bytes, packed };
}
