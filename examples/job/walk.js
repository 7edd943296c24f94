// Lists the regular files under a folder, by name. Symbolic links are not followed; what cannot be read is reported.
// @ts-check

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A path relative to the folder, and its bytes when it was listed.
 * @typedef {{ path: string, bytes: number }} ListedFile
 */

/**
 * @typedef {object} Walk
 * @property {ListedFile[]} files
 * @property {number} symlinks Not followed.
 * @property {number} others Sockets, pipes and devices.
 * @property {{ path: string, reason: string }[]} unreadable
 */

/**
 * @param {string} root
 * @returns {Walk}
 */
export function walk(root) {
  /** @type {Walk} */
  const found = { files: [], symlinks: 0, others: 0, unreadable: [] };
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const names = attempt(found, folder, () => readdirSync(join(root, folder)).sort());
    for (const name of names ?? []) {
      const path = join(folder, name);
      const stats = attempt(found, path, () => lstatSync(join(root, path)));
      if (stats === undefined) continue;
      if (stats.isDirectory()) folders.push(path);
      else if (stats.isSymbolicLink()) found.symlinks++;
      else if (!stats.isFile()) found.others++;
      else found.files.push({ path, bytes: stats.size });
    }
  }
  return found;
}

/**
 * @template T
 * @param {Walk} found
 * @param {string} path
 * @param {() => T} read
 * @returns {T | undefined}
 */
function attempt(found, path, read) {
  try {
    return read();
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    // Bytes that are not UTF-8 do not survive the way through a string.
    const reason = code === 'ENOENT' && path.includes('\ufffd') ? 'its name is not UTF-8' : String(code);
    found.unreadable.push({ path: path || '.', reason });
    return undefined;
  }
}
