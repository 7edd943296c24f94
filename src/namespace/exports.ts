// What the `exports` of a package give, by Node's rules.

import { exports as exportsOf } from 'resolve.exports';
import { fs, process } from '../host/node/builtin.js';
import { bareParts, type Package, type Packages } from './packages.js';

const path = process.getBuiltinModule('node:path');

/**
 * Paths, from the package's directory, that its `exports` give for a subpath: what an import gets, or what a require() gets that is to have
 * CommonJS. None where they give nothing; undefined where the package has no `exports`.
 */
export function exportedAs(
  json: Package['json'] | undefined,
  subpath: string,
  how: 'import' | 'require',
): readonly string[] | undefined {
  if (json?.exports === undefined || json.exports === null) return undefined;
  const conditions = how === 'import' ? ['module-sync', ...CONDITIONS] : CONDITIONS;
  try {
    return exportsOf(json as never, subpath, { conditions, require: how === 'require' }) ?? [];
  } catch {
    return [];
  }
}

/**
 * The file of CommonJS that a package has for a require() that leads to an ES module; that module where it has none. Node takes the condition
 * `module-sync` first, which a package may put before `require`.
 */
export function commonJsFor(packages: Packages, specifier: string, target: string): string {
  const bare = bareParts(specifier);
  const isModule = target.endsWith('.mjs') || (target.endsWith('.js') && packages.typeOf(target) === 'module');
  const pkg = bare === undefined || !isModule ? undefined : packages.of(target);
  const exported = pkg === undefined || bare === undefined ? undefined : exportedAs(pkg.json, bare[1], 'require');
  return exported?.map((relative) => path.join(pkg?.root ?? '', relative)).find(isFile) ?? target;
}

export function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Beside `node`, `import` or `require`, and `default`. */
const CONDITIONS: readonly string[] = [
  'node-addons',
  ...[...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)].flatMap((flag, k, flags) =>
    flag === '-C' || flag === '--conditions' ? (flags[k + 1] ?? []) : (/^--conditions=(.*)$/.exec(flag)?.[1] ?? []),
  ),
];
