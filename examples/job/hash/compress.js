// The compression that the job and its check agree on: zstd where this Node has it, else gzip. Level 1, the fastest, since
// the job is there to keep threads busy with real work, not to save space.
// @ts-check

import { finished } from 'node:stream/promises';
import * as zlib from 'node:zlib';

export const LEVEL = 1;

/** Bytes read at a time, on both sides. */
export const CHUNK = 1024 * 1024;

/**
 * @typedef {object} Zstd What only newer versions of Node have.
 * @property {((options: object) => import('node:stream').Transform) | undefined} createZstdCompress
 * @property {{ ZSTD_c_compressionLevel?: number }} constants
 */

const { createZstdCompress, constants } = /** @type {Zstd} */ (/** @type {unknown} */ (zlib));

export const FORMAT = createZstdCompress === undefined ? 'gzip' : 'zstd';

/**
 * Compresses one file, and tells the size. One for each file: a stream that is reset finds slightly other matches.
 */
export function createPacker() {
  const stream =
    createZstdCompress?.({ params: { [constants.ZSTD_c_compressionLevel ?? -1]: LEVEL } }) ??
    zlib.createGzip({ level: LEVEL });
  let packed = 0;
  stream.on('data', (/** @type {Buffer} */ chunk) => {
    packed += chunk.length;
  });

  return {
    /**
     * The chunk may be used again once this has resolved.
     * @param {Uint8Array} chunk
     * @returns {Promise<void>}
     */
    add: (chunk) =>
      new Promise((resolve, reject) => {
        stream.write(chunk, (error) => (error ? reject(error) : resolve()));
      }),

    /** @returns {Promise<number>} Bytes after compression. */
    async finish() {
      stream.end();
      await finished(stream);
      return packed;
    },

    /** Gives up, or does nothing after `finish`. */
    drop: () => stream.destroy(),
  };
}
