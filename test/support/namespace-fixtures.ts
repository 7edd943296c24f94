// Packages on disk for namespaces. Each module tells the list `globalThis.evaluated` where it ran, once for each evaluation.

import { join } from 'node:path';
import { aDirectory, writeText } from './modules.js';

/** ES modules, or CommonJS. */
export type Format = 'esm' | 'cjs';

export interface PackageSource {
  readonly format?: Format;
  /** Body of its index; `imports` come before it. */
  readonly body?: string;
  /** Names that it imports, and what it takes of them. */
  readonly imports?: Readonly<Record<string, string>>;
  readonly unique?: boolean;
}

/** What a package's file tells of itself when it is evaluated, and exports. */
const HEAD = '(globalThis.evaluated ??= []).push(place);';

/** Writes a package; returns the real path of its index. It exports `place`, its own URL, beside what its body exports. */
export function writePackage(
  dir: string,
  name: string,
  { format = 'esm', body = '', imports = {}, unique = false }: PackageSource = {},
): string {
  const at = join(dir, 'node_modules', name);
  const main = format === 'esm' ? 'index.mjs' : 'index.cjs';
  const dependencies = Object.fromEntries(Object.keys(imports).map((dependency) => [dependency, '*']));
  const json = { name, version: '1.0.0', main, dependencies, ...(unique && { coexist: { unique: true } }) };
  writeText(at, 'package.json', JSON.stringify(json));
  const lines = Object.entries(imports).map(([from, names]) =>
    format === 'esm' ? `import ${names} from '${from}';` : `const ${names} = require('${from}');`,
  );
  const place =
    format === 'esm'
      ? 'export const place = import.meta.url;'
      : "const place = require('node:url').pathToFileURL(__filename).href; exports.place = place;";
  return writeText(at, main, [...lines, place, HEAD, body].join('\n'));
}

/** A package to open, `target-<name>`, that imports a unique one, `libc-<name>`, and exports where the instance that it got is. */
export function targetAndLibc(
  format: Format,
  name: string,
  unique: boolean,
): { readonly dir: string; readonly files: string[] } {
  const dir = aDirectory();
  const libc = writePackage(dir, `libc-${name}`, { format, unique: true });
  const target = writePackage(dir, `target-${name}`, {
    format,
    unique,
    imports: { [`libc-${name}`]: format === 'esm' ? '{ place as found }' : '{ place: found }' },
    body: format === 'esm' ? 'export const libc = found;' : 'exports.libc = found;',
  });
  return { dir, files: [target, libc] };
}
