// What a worker finds out about one file: hash, lines and which bytes occur. Chunk by chunk, so that memory does not depend on the
// size, and with the event loop turning between chunks, so that a worker that hosts the cache answers meanwhile.
// @ts-check

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * @typedef {object} Analysis
 * @property {string} sha256
 * @property {number} bytes
 * @property {number} lines
 * @property {boolean} text Whether it holds no byte 0.
 */

export const CHUNK = 256 * 1024;
const NEWLINE = 10;

/** Neither follows a link nor waits for a pipe's writer, should the file have become one since it was listed. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * @param {string} path
 * @returns {Promise<Analysis>}
 */
export async function analyse(path) {
  const file = await open(path, FLAGS);
  try {
    const hash = createHash('sha256');
    const found = { bytes: 0, lines: 0, text: true };
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, null);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      count(found, chunk);
    }
    return { sha256: hash.digest('hex'), ...found };
  } finally {
    await file.close();
  }
}

/**
 * @param {{ bytes: number, lines: number, text: boolean }} found
 * @param {Buffer} chunk
 */
function count(found, chunk) {
  found.bytes += chunk.length;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) found.lines++;
  found.text &&= !chunk.includes(0);
}
