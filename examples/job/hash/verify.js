// The independent check of the job: another walk over the folder, another way to read each file, in one thread. Shares
// nothing with the job but the choice of the compression.
// @ts-check

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, opendir, readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { CHUNK, compress, createCompressor } from './compress.js';

/**
 * @typedef {object} Verified
 * @property {string} sha256
 * @property {number} bytes
 * @property {number} packed
 * @property {string} stamp
 * @property {number} changedMs When the file was last changed, renamed or created.
 */

/**
 * Every regular file under the folder, by its path relative to it; undefined where it cannot be read.
 * @param {string} root
 * @param {{ signal: AbortSignal, onFile: (bytes: number) => void }} options
 * @returns {Promise<Map<string, Verified | undefined>>}
 */
export async function verify(root, { signal, onFile }) {
  /** @type {Map<string, Verified | undefined>} */
  const found = new Map();
  for await (const path of regularFiles(root, '')) {
    if (signal.aborted) break;
    const verified = await verifyFile(`${root}/${path}`).catch(() => undefined);
    found.set(path, verified);
    onFile(verified?.bytes ?? 0);
  }
  return found;
}

/**
 * @param {string} root
 * @param {string} prefix
 * @returns {AsyncGenerator<string>}
 */
async function* regularFiles(root, prefix) {
  const folder = await opendir(`${root}/${prefix}`).catch(() => undefined);
  if (folder === undefined) return;
  for await (const entry of folder) {
    if (entry.isDirectory()) yield* regularFiles(root, `${prefix}${entry.name}/`);
    else if (entry.isFile()) yield `${prefix}${entry.name}`;
  }
}

/**
 * @param {string} path
 * @returns {Promise<Verified>}
 */
async function verifyFile(path) {
  const before = await lstat(path, { bigint: true });
  const content = before.size <= CHUNK ? whole(await readFile(path)) : await streamed(path);
  const after = await lstat(path, { bigint: true });
  const [earlier, stamp] = [before, after].map((stats) =>
    [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' '),
  );
  return {
    ...content,
    stamp: earlier === stamp && stamp !== undefined ? stamp : 'changed while it was checked',
    changedMs: Number(after.ctimeMs),
  };
}

/** @param {Buffer} content */
function whole(content) {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { sha256, bytes: content.length, packed: compress(content).length };
}

/** @param {string} path */
async function streamed(path) {
  const hash = createHash('sha256');
  let bytes = 0;
  let packed = 0;
  await pipeline(
    createReadStream(path, { highWaterMark: CHUNK }),
    async function* (/** @type {AsyncIterable<Buffer>} */ chunks) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    },
    createCompressor(),
    async (/** @type {AsyncIterable<Buffer>} */ chunks) => {
      for await (const chunk of chunks) packed += chunk.length;
    },
  );
  return { sha256: hash.digest('hex'), bytes, packed };
}
