// The pages: texts under a folder, those that are meant to be read first.
// @ts-check

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { walk } from '../walk.js';

const MOST_FILES = 60;
const MOST_BYTES = 200_000;
const TEXT = /\.(?:md|markdown|txt)$|(?:^|\/)(?:LICEN[CS]E|README)$/i;

/** @param {string} dir @returns {import('../../namespaces/sites/renderer.js').Page[]} */
export function readPages(dir) {
  return walk(dir)
    .files.filter(({ path, bytes }) => TEXT.test(path) && bytes <= MOST_BYTES)
    .sort((a, b) => depth(a.path) - depth(b.path))
    .slice(0, MOST_FILES)
    .flatMap(({ path }) => {
      try {
        const bytes = readFileSync(join(dir, path));
        return [{ path, bytes: bytes.length, text: bytes.toString('utf8') }];
      } catch {
        // It has gone, or is somebody else's.
        return [];
      }
    });
}

/** @param {string} path */
const depth = (path) => path.split('/').length;
