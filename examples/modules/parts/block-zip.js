// Zip archives, by fflate: packs, unpacks, and registers a driver that reads them.
// @ts-check

import { registerDriver } from 'block-core';
import { moduleInit } from 'coexist/module';
import { unzipSync, zip } from 'fflate';
import { archive } from '../interfaces.js';

/** @typedef {import('../interfaces.js').Entry} Entry */

/** Earliest that a zip file can say: the same files always make the same bytes. */
const EPOCH = new Date(1980, 0, 1);

/** @param {Entry[]} entries */
function pack(entries) {
  const files = Object.fromEntries(entries.map(({ path, bytes }) => [path, bytes]));
  return /** @type {Promise<Uint8Array>} */ (
    new Promise((resolve, reject) => {
      zip(files, { level: ZIP_LEVEL, mtime: EPOCH, consume: false }, (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      );
    })
  );
}

/** @param {Uint8Array} bytes */
const list = (bytes) => Object.entries(unzipSync(bytes)).map(([path, content]) => ({ path, bytes: content }));

archive.implement({ formats: () => ['zip'], pack, unpack: async (bytes) => list(bytes) });

moduleInit('block', () => registerDriver({ name: 'zip', extensions: ['.zip'], list }));
