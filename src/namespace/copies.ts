// The copies of a package that are installed in one tree: under the outermost node_modules that a copy is in, in the packages there, in pnpm's
// store, and in the workspaces that it links to. A tree is walked once; what was found may be gone when it is used.

import { fs, process } from '../host/node/builtin.js';
import type { Master } from './state.js';

const path = process.getBuiltinModule('node:path');

/** Lists the copies of a package in the tree that a directory of one of them is in; none where there is no such tree. */
export type Copies = (name: string, root: string) => readonly Master[];

export function createCopies(): Copies {
  const trees = new Map<string, ReadonlySet<string>>();
  const found = new Map<string, readonly Master[]>();
  return (name, root) => {
    const tree = treeOf(root);
    if (tree === undefined) return [];
    const known = found.get(`${tree}\0${name}`);
    if (known !== undefined) return known;
    const dirs = trees.get(tree) ?? walk(tree, new Set());
    trees.set(tree, dirs);
    const copies = new Map<string, Master>();
    for (const dir of dirs) {
      const copy = copyIn(path.join(dir, name), name);
      if (copy !== undefined) copies.set(copy.root, copy);
    }
    found.set(`${tree}\0${name}`, [...copies.values()]);
    return [...copies.values()];
  };
}

/** The node_modules of the workspaces that a directory belongs to, or else the outermost that it is in. */
function treeOf(root: string): string | undefined {
  const [outermost] = /^.*?\/node_modules(?=\/)/s.exec(root) ?? [];
  for (let dir = path.dirname(outermost ?? root); path.dirname(dir) !== dir; dir = path.dirname(dir)) {
    const tree = path.join(dir, 'node_modules');
    if (jsonIn(dir)?.['workspaces'] !== undefined && fs.existsSync(tree)) return tree;
  }
  return outermost;
}

/** All directories node_modules of a tree. */
function walk(dir: string, into: Set<string>): ReadonlySet<string> {
  if (into.has(dir) || !fs.existsSync(dir)) return into;
  into.add(dir);
  for (const entry of list(dir)) {
    const at = path.join(dir, entry.name);
    if (entry.name === '.pnpm') {
      for (const { name } of list(at)) walk(path.join(at, name, 'node_modules'), into);
    } else if (entry.name.startsWith('@')) {
      for (const scoped of list(at)) inside(path.join(at, scoped.name), scoped.isSymbolicLink(), into);
    } else if (!entry.name.startsWith('.')) inside(at, entry.isSymbolicLink(), into);
  }
  return into;
}

function inside(dir: string, linked: boolean, into: Set<string>): void {
  if (!linked) {
    walk(path.join(dir, 'node_modules'), into);
    return;
  }
  const real = realOf(dir);
  // What a link in a tree leads to in a tree is found there.
  if (real !== undefined && !real.includes('/node_modules/')) walk(path.join(real, 'node_modules'), into);
}

function copyIn(dir: string, name: string): Master | undefined {
  const root = realOf(dir);
  const json = root === undefined ? undefined : jsonIn(root);
  if (root === undefined || json?.['name'] !== name || typeof json['version'] !== 'string') return undefined;
  return { name, version: json['version'], root };
}

function realOf(dir: string): string | undefined {
  try {
    return fs.existsSync(dir) ? fs.realpathSync(dir) : undefined;
  } catch {
    return undefined;
  }
}

function jsonIn(dir: string): Readonly<Record<string, unknown>> | undefined {
  const file = path.join(dir, 'package.json');
  try {
    return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}

function list(dir: string): import('node:fs').Dirent[] {
  try {
    return fs.readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}
