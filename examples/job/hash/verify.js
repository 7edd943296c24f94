// The independent check of the job: another walk over the folder, another way to read each file, in one thread. Shares
// nothing with the job but the choice of the compression.
// @ts-check

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, opendir, readFile } from 'node:fs/promises';
import { CHUNK, createPacker } from './compress.js';

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
  const chunks = before.size <= CHUNK ? [await readFile(path)] : createReadStream(path, { highWaterMark: CHUNK });
  const content = await measure(chunks);
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

/** @param {AsyncIterable<Buffer> | Buffer[]} chunks */
async function measure(chunks) {
  const hash = createHash('sha256');
  const packer = createPacker();
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      await packer.add(chunk);
    }
    return { sha256: hash.digest('hex'), bytes, packed: await packer.finish() };
  } finally {
    packer.drop();
  }
}
