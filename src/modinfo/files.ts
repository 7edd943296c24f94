// The files of a directory that can be modules, each read once: names that end like JavaScript, links followed as long as they stay
// inside. Directories are left alone: builds that running processes still load from lie there.

import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { CoexistError, MODULE_BYTES_MAX } from '../core.js';

export type Candidate = { readonly file: string } & (
  | { readonly bytes: Buffer }
  /** Why it cannot be a module, in words. */
  | { readonly problem: string }
);

/**
 * In the order of their names, by UTF-16 units.
 * @throws COEXIST_EINVAL where there is no such directory, or it cannot be read
 */
export function candidates(dir: string): Candidate[] {
  const { root, names } = listed(dir);
  return names
    .filter((name) => /\.[cm]?js$/.test(name))
    .sort()
    .flatMap((file) => candidate(root, file) ?? []);
}

function listed(dir: string): { readonly root: string; readonly names: readonly string[] } {
  try {
    const root = realpathSync(dir);
    return { root, names: readdirSync(root) };
  } catch (cause) {
    const expected = 'a directory that can be read';
    const problem = `dir is ${JSON.stringify(dir)}, expected ${expected} (${wordsOf(cause)})`;
    const remedy = 'Name the directory that the modules are built into.';
    throw new CoexistError('COEXIST_EINVAL', problem, { found: dir, expected, remedy, cause });
  }
}

/** Undefined for a directory. */
function candidate(root: string, file: string): Candidate | undefined {
  try {
    const path = realpathSync(join(root, file));
    const inside = path.startsWith(root.endsWith(sep) ? root : root + sep);
    if (!inside) return { file, problem: `it leads out of the directory, to ${path}` };
    if (statSync(path).isDirectory()) return undefined;
    return contentOf(file, path);
  } catch (error) {
    return { file, problem: `it cannot be read (${wordsOf(error)})` };
  }
}

function contentOf(file: string, path: string): Candidate {
  // A pipe that nobody writes would block.
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return { file, problem: 'it is no regular file' };
    if (stats.size > MODULE_BYTES_MAX) {
      return { file, problem: `it has ${stats.size} bytes, and a module has at most ${MODULE_BYTES_MAX}` };
    }
    return { file, bytes: readFileSync(descriptor) };
  } finally {
    closeSync(descriptor);
  }
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
