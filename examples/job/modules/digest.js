// One value for a set of files: the same in the thread that packed them and in those that unpack them.
// @ts-check

import { createHash } from 'node:crypto';

/** @param {import('../../modules/interfaces.js').Entry[]} files */
export function digest(files) {
  const hash = createHash('sha256');
  for (const { path, bytes } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}
