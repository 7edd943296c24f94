// Which package a file belongs to, what that declares of itself, and which range of another package it asks for. Read once for each directory.

import validRange from 'semver/ranges/valid.js';
import { fs, process } from '../host/node/builtin.js';

const path = process.getBuiltinModule('node:path');

interface PackageJson {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly type?: unknown;
  readonly exports?: unknown;
  readonly coexist?: { readonly unique?: unknown };
  readonly [field: string]: unknown;
}

export interface Package {
  readonly name: string;
  /** '' where it declares none. */
  readonly version: string;
  /** Its directory, as the file's path has it. */
  readonly root: string;
  readonly json: PackageJson;
}

export interface Packages {
  /** The package of a file: the one that is installed in the nearest `node_modules`, or else that of the nearest package.json with a name. */
  of(file: string): Package | undefined;
  /** What the nearest package.json says of `.js` files in this file's directory. */
  typeOf(file: string): 'module' | 'commonjs' | undefined;
}

/** The name that a bare specifier starts with, and the rest as a subpath: 'a/b' is ['a', './b']. Undefined for any other specifier. */
export function bareParts(specifier: string): readonly [name: string, subpath: string] | undefined {
  const [, name, rest] = /^((?:@[^/\\%]+\/)?[^./\\%#@:][^/\\%:]*)(\/.*)?$/s.exec(specifier) ?? [];
  return name === undefined ? undefined : [name, rest === undefined ? '.' : `.${rest}`];
}

/**
 * The range that a package declares for a name that it imports. Where it declares none, or one that says nothing of versions (a path, a URL, a
 * tag, a workspace), it works with the version that it would get, and so with the others of the same major version.
 */
export function rangeOf(importer: Package | undefined, name: string, version: string): string {
  for (const field of ['dependencies', 'peerDependencies', 'optionalDependencies', 'devDependencies']) {
    const declared = importer?.json[field];
    const range =
      typeof declared === 'object' && declared !== null ? (declared as Record<string, unknown>)[name] : undefined;
    if (typeof range !== 'string') continue;
    const plain = /^workspace:(.*)$/.exec(range)?.[1] ?? /^npm:(?:@[^/]+\/)?[^@]+@(.*)$/.exec(range)?.[1] ?? range;
    return validRange(plain) === null ? compatibleWith(version) : plain;
  }
  return compatibleWith(version);
}

function compatibleWith(version: string): string {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  return major === undefined ? '*' : major === '0' ? `0.${minor}.x` : `${major}.x`;
}

/** The directory of the package in `node_modules` that a directory is in. */
export const installedIn = (dir: string): string | undefined =>
  /^.*\/node_modules\/(?:@[^/]+\/)?[^/@][^/]*(?=\/|$)/s.exec(dir)?.[0];

/** What was read is good until `fresh()` gives another number. */
export function createPackages(fresh: () => number): Packages {
  const found = new Map<string, Package | undefined>();
  const jsons = new Map<string, PackageJson | undefined>();
  let at = fresh();

  function current(): void {
    if (at === fresh()) return;
    at = fresh();
    found.clear();
    jsons.clear();
  }

  function jsonIn(dir: string): PackageJson | undefined {
    if (jsons.has(dir)) return jsons.get(dir);
    let json: PackageJson | undefined;
    try {
      const value: unknown = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));
      if (typeof value === 'object' && value !== null) json = value as PackageJson;
    } catch {
      // None, or none that can be read: Node says so itself where it needs it.
    }
    jsons.set(dir, json);
    return json;
  }

  function inDir(dir: string): Package | undefined {
    if (found.has(dir)) return found.get(dir);
    let result: Package | undefined;
    // A package may have more of them inside, with names: preact/hooks is preact's all the same.
    const installed = installedIn(dir);
    if (installed !== undefined && installed !== dir) result = inDir(installed);
    if (result === undefined && path.basename(dir) !== 'node_modules') {
      const json = jsonIn(dir);
      if (typeof json?.name === 'string') {
        result = { name: json.name, version: typeof json.version === 'string' ? json.version : '', root: dir, json };
      } else if (path.dirname(dir) !== dir) result = inDir(path.dirname(dir));
    }
    found.set(dir, result);
    return result;
  }

  return {
    of(file) {
      current();
      return inDir(path.dirname(file));
    },
    typeOf(file) {
      current();
      for (let dir = path.dirname(file); path.basename(dir) !== 'node_modules'; dir = path.dirname(dir)) {
        const json = jsonIn(dir);
        if (json !== undefined) return json.type === 'module' || json.type === 'commonjs' ? json.type : undefined;
        if (path.dirname(dir) === dir) break;
      }
      return undefined;
    },
  };
}
