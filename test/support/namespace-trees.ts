// Trees of files for scenarios of coexist/namespace, in a directory that goes away with the tests of the file. Namespaces are never opened in
// the test's own process: hooks of import and require() are for good.

import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import type * as namespace from '../../src/namespace.js';

/** What `load(library)` gives a child's step. */
export type Library = typeof namespace;

/** URL of the library. */
export const library: string = new URL('../../dist/namespace.js', import.meta.url).href;

/** Another name of a file or a directory of the tree. */
export interface Link {
  readonly symlink?: string;
  readonly hardlink?: string;
}

export const symlink = (to: string): Link => ({ symlink: to });
export const hardlink = (to: string): Link => ({ hardlink: to });

/** By path: a file's text, or what its JSON holds, or what it is a link to. A link to something of the tree comes behind it. */
export type Tree = { readonly [path: string]: string | object | Link };

/** A new directory; real path. */
export function newDirectory(name = 'fixtures'): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), `namespace-${name}-`)));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes files into a directory, a new one unless said otherwise, and returns that. */
export function writeTree(tree: Tree, dir: string = newDirectory()): string {
  for (const [path, content] of Object.entries(tree)) {
    const at = join(dir, path);
    mkdirSync(dirname(at), { recursive: true });
    if (typeof content === 'string') writeFileSync(at, content);
    else if ('symlink' in content) symlinkSync(content.symlink as string, at);
    else if ('hardlink' in content) linkSync(join(dir, content.hardlink as string), at);
    else writeFileSync(at, JSON.stringify(content));
  }
  return dir;
}

/** A package of one module. Evaluations of it are counted in `globalThis.runs`, by its name and version. */
export function onePackage(
  name: string,
  { version = '1.0.0', type = 'module', body = '', ...fields }: Record<string, unknown> = {},
): Tree {
  const at = `node_modules/${name}`;
  const main = 'index.js';
  const count = `globalThis.runs ??= {}; globalThis.runs['${name}@${version}'] = (globalThis.runs['${name}@${version}'] ?? 0) + 1;`;
  const exported =
    type === 'module' ? 'export class Mark {}\nexport const state = { count: 0 };' : 'exports.Mark = class {};';
  return {
    [`${at}/package.json`]: { name, version, type, main, ...fields },
    [`${at}/${main}`]: `${count}\n${exported}\n${body}\n`,
  };
}

/** The same tree inside a directory. */
export const inside = (dir: string, tree: Tree): Tree =>
  Object.fromEntries(Object.entries(tree).map(([path, content]) => [`${dir}/${path}`, content]));
