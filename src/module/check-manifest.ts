// Whether a value is a manifest (docs/ABI.md, clause 71): its shape alone. What it says of files is compared with these when they are
// loaded; what modules want of each other is collect()'s and the loader's.

import { invalid } from '../abi/errors.js';
import { checkDeclaration, DECLARED, matching, moduleType, requireKnown, requireObject } from './declaration.js';
import type { Manifest, ManifestModule, SourceReference } from './manifest.js';

const REMEDY = 'Write it again with coexist modinfo collect.';
const PROPERTIES = [
  ...DECLARED,
  'file',
  'sha256',
  'bytes',
  'references',
] as const satisfies readonly (keyof ManifestModule)[];
const KINDS: Readonly<Record<ManifestModule['type'], readonly SourceReference['is'][]>> = {
  module: ['import', 'url', 'filename', 'dirname'],
  commonjs: ['import()'],
};

/**
 * A copy. `place` names it in messages.
 * @throws COEXIST_EINVAL naming the place in it, and what is there
 */
export function checkManifest(value: unknown, place = 'manifest'): Manifest {
  const manifest = requireObject(value, place);
  requireKnown(manifest, ['format', 'modules'], place, REMEDY);
  if (manifest['format'] !== 1)
    throw invalid(`${place}.format`, manifest['format'], '1, the only format there is', REMEDY);
  const modules = list(manifest['modules'], `${place}.modules`).map((item, k) =>
    moduleAt(item, `${place}.modules[${k}]`),
  );
  const files = new Map<string, number>();
  modules.forEach(({ name, file }, k) => {
    const at = `${place}.modules[${k}]`;
    const before = modules[k - 1]?.name ?? '';
    if (name <= before) throw invalid(`${at}.name`, name, `a name after ${JSON.stringify(before)}`, REMEDY);
    const other = files.get(file);
    if (other !== undefined)
      throw invalid(`${at}.file`, file, `another file than that of ${place}.modules[${other}]`, REMEDY);
    files.set(file, k);
  });
  return { format: 1, modules };
}

function moduleAt(value: unknown, place: string): ManifestModule {
  const module = requireObject(value, place);
  requireKnown(module, PROPERTIES, place, REMEDY);
  const missing = PROPERTIES.find((name) => module[name] === undefined);
  if (missing !== undefined) throw invalid(`${place}.${missing}`, undefined, 'a value', REMEDY);
  const declared = Object.fromEntries(DECLARED.map((name) => [name, module[name]]));
  const type = moduleType(module['type'], `${place}.type`);
  const bytes = whole(module['bytes'], `${place}.bytes`, 'a size in bytes');
  const declaration = checkDeclaration(declared, place);
  return {
    ...declaration,
    type,
    file: fileName(module['file'], `${place}.file`),
    sha256: matching(module['sha256'], /^[0-9a-f]{64}$/, `${place}.sha256`, '64 digits 0-9 a-f'),
    bytes,
    references: references(module['references'], `${place}.references`, { type, bytes, depends: declaration.depends }),
  };
}

function fileName(value: unknown, place: string): string {
  if (typeof value === 'string' && /^[^/\\\0]+$/.test(value) && value !== '.' && value !== '..') return value;
  throw invalid(place, value, 'the name of a file, without separators', REMEDY);
}

function references(
  value: unknown,
  place: string,
  { type, bytes, depends }: Pick<ManifestModule, 'type' | 'bytes' | 'depends'>,
): readonly SourceReference[] {
  let last = 0;
  return list(value, place).map((item, k) => {
    const at = `${place}[${k}]`;
    const reference = requireObject(item, at);
    const is = KINDS[type].find((kind) => kind === reference['is']);
    if (is === undefined)
      throw invalid(`${at}.is`, reference['is'], `one of ${KINDS[type].join(', ')} in type ${type}`, REMEDY);
    requireKnown(reference, ['start', 'end', 'is', ...(is === 'import' ? ['specifier'] : [])], at, REMEDY);
    const start = whole(reference['start'], `${at}.start`, 'a place in the text');
    const end = whole(reference['end'], `${at}.end`, 'a place in the text');
    if (start < last) throw invalid(`${at}.start`, start, `at least ${last}, the end of the one before`, REMEDY);
    if (end <= start) throw invalid(`${at}.end`, end, `more than ${start}, where it starts`, REMEDY);
    // No text has more UTF-16 units than bytes of UTF-8.
    if (end > bytes) throw invalid(`${at}.end`, end, `at most ${bytes}, the bytes of the file`, REMEDY);
    last = end;
    if (is !== 'import') return { start, end, is };
    return { start, end, is, specifier: specifierOf(reference['specifier'], `${at}.specifier`, depends) };
  });
}

function specifierOf(value: unknown, place: string, depends: readonly string[]): string {
  if (typeof value === 'string' && (depends.includes(value) || isOwn(value))) return value;
  throw invalid(place, value, 'one of depends, coexist or coexist/...', REMEDY);
}

/** Whether a specifier means the library itself. */
export function isOwn(specifier: string): boolean {
  return specifier === 'coexist' || specifier.startsWith('coexist/');
}

function list(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value)) return Array.from(value);
  throw invalid(place, value, 'an array', REMEDY);
}

function whole(value: unknown, place: string, expected: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(place, value, `${expected}, a whole number`, REMEDY);
}
