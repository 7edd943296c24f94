// The compression that the job and its check agree on: zstd where this Node has it, else gzip. Level 1, the fastest, since
// the job is there to keep threads busy with real work, not to save space. Small files are compressed at once, which is
// several times faster than a stream; larger ones chunk by chunk, so that memory does not depend on their size.
// @ts-check

import * as zlib from 'node:zlib';

export const LEVEL = 1;

/** Bytes read at a time, and the size of the largest small file. The compressed size may depend on it. */
export const CHUNK = 1024 * 1024;

/**
 * @typedef {object} Zstd What only newer versions of Node have.
 * @property {((options: object) => import('node:stream').Transform) | undefined} createZstdCompress
 * @property {((content: Uint8Array, options: object) => Buffer) | undefined} zstdCompressSync
 * @property {{ ZSTD_c_compressionLevel?: number }} constants
 */

const { createZstdCompress, zstdCompressSync, constants } = /** @type {Zstd} */ (/** @type {unknown} */ (zlib));

export const FORMAT = zstdCompressSync === undefined ? 'gzip' : 'zstd';

const gzipOptions = { level: LEVEL };
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel ?? -1]: LEVEL } };

/** @type {() => import('node:stream').Transform} */
export const createCompressor = () => createZstdCompress?.(zstdOptions) ?? zlib.createGzip(gzipOptions);

/** @type {(content: Uint8Array) => Buffer} */
export const compress = (content) => zstdCompressSync?.(content, zstdOptions) ?? zlib.gzipSync(content, gzipOptions);
