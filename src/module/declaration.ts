// What a file says of itself: the comment `/*! coexist-module {...} */` in its text, found without parsing the program around it, and
// checked before anything else of the file is believed (docs/ABI.md, clause 71).

import { CoexistError, invalid, show } from '../abi/errors.js';
import { FINGERPRINT, INTERFACE_NAME, INTERFACE_VERSION_MAX, MODULE_NAME } from '../abi/module.js';
import { host } from '../host/host.js';
import type { ModuleDeclaration } from './manifest.js';
import { repeatedName } from './repeated-name.js';

/** A declaration with its defaults; only the type depends on the file. */
export type FullDeclaration = Required<Omit<ModuleDeclaration, 'type'>> & Pick<ModuleDeclaration, 'type'>;

/** The properties that a declaration can have. */
export const DECLARED = [
  'name',
  'fingerprint',
  'type',
  'objects',
  'options',
  'depends',
  'targets',
  'interfaces',
] as const satisfies readonly (keyof ModuleDeclaration)[];

const STRING_BYTES_MAX = 128;
const REMEDY = 'Correct the declaration, and build the module again.';
const OPENING = /\/\*! coexist-module(?=[ \t\r\n])/g;

/**
 * The text of a file: UTF-8 without a byte order mark. The places of `references` count its UTF-16 units. Undefined where the bytes
 * are no UTF-8.
 */
export function sourceText(bytes: Uint8Array): string | undefined {
  const text = host.modules.decode(bytes);
  return text?.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/**
 * The declaration in the text of a file, undefined if there is none. `place` names it in messages.
 * @throws COEXIST_EINVAL where there are two, or it is malformed
 */
export function readDeclaration(text: string, place = 'declaration'): FullDeclaration | undefined {
  const value = commentIn(text, place);
  return value === undefined ? undefined : checkDeclaration(value, place);
}

/** The build that a declaration names which is malformed to this version: one of a later format says more. */
export function declaredBuild(text: string): string | undefined {
  try {
    const { fingerprint } = requireObject(commentIn(text, 'declaration'), 'declaration');
    return typeof fingerprint === 'string' && FINGERPRINT.test(fingerprint) ? fingerprint : undefined;
  } catch {
    return undefined;
  }
}

function commentIn(text: string, place: string): unknown {
  const [first, second] = text.matchAll(OPENING);
  if (first === undefined) return undefined;
  if (second !== undefined) {
    const found = `one at ${first.index} and one at ${second.index}`;
    throw invalid(
      place,
      found,
      'one block comment in the file that begins with /*! and coexist-module, and holds JSON',
      REMEDY,
    );
  }
  const start = first.index + first[0].length;
  const end = text.indexOf('*/', start);
  if (end < 0) throw invalid(place, text.slice(first.index), 'a comment that ends', REMEDY);
  return parsed(text.slice(start, end), place);
}

function parsed(json: string, place: string): unknown {
  const value = parsedJson(json, place);
  const repeated = repeatedName(json);
  if (repeated === undefined) return value;
  const found = `an object with ${show(repeated)} twice`;
  throw new CoexistError('COEXIST_EINVAL', `${place} is ${found}, expected one JSON object, each name in it once`, {
    found,
    expected: 'one JSON object, each name in it once',
    remedy: REMEDY,
  });
}

function parsedJson(json: string, place: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const expected = `one JSON object (${error instanceof Error ? error.message : String(error)})`;
    throw invalid(place, json.trim(), expected, REMEDY);
  }
}

/**
 * A copy with defaults. Its lists are frozen: they are handed out, in listings and refusals.
 * @throws COEXIST_EINVAL naming the property and its value
 */
export function checkDeclaration(value: unknown, place = 'declaration'): FullDeclaration {
  const declaration = requireObject(value, place);
  requireKnown(declaration, DECLARED, place, REMEDY);
  const type = declaration['type'];
  return {
    name: matching(
      declaration['name'],
      MODULE_NAME,
      `${place}.name`,
      "the name of a module: letters, digits and '._@+-'",
    ),
    fingerprint: matching(declaration['fingerprint'], FINGERPRINT, `${place}.fingerprint`, '64 digits 0-9 a-f'),
    ...(type === undefined ? {} : { type: moduleType(type, `${place}.type`) }),
    objects: strings(declaration['objects'], `${place}.objects`),
    options: strings(declaration['options'], `${place}.options`),
    depends: strings(declaration['depends'], `${place}.depends`, MODULE_NAME),
    targets: strings(declaration['targets'], `${place}.targets`),
    interfaces: versions(declaration['interfaces'], `${place}.interfaces`),
  };
}

/** @throws COEXIST_EINVAL */
export function requireObject(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(place, value, 'an object', REMEDY);
}

/** @throws COEXIST_EINVAL */
export function requireKnown(
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
  place: string,
  remedy: string,
): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw invalid(`${place}.${unknown}`, value[unknown], `none of that name, but ${known.join(', ')}`, remedy);
}

/** @throws COEXIST_EINVAL */
export function matching(value: unknown, pattern: RegExp, place: string, expected: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw invalid(place, value, expected, REMEDY);
}

/** @throws COEXIST_EINVAL */
export function moduleType(value: unknown, place: string): 'module' | 'commonjs' {
  if (value === 'module' || value === 'commonjs') return value;
  throw invalid(place, value, "'module' or 'commonjs'", REMEDY);
}

function strings(value: unknown, place: string, pattern?: RegExp): readonly string[] {
  if (value === undefined) return Object.freeze([]);
  if (!Array.isArray(value)) throw invalid(place, value, 'an array of strings', REMEDY);
  const list = Array.from(value, (item: unknown, k) => {
    const at = `${place}[${k}]`;
    return pattern === undefined ? plainString(item, at) : matching(item, pattern, at, 'the name of a module');
  });
  const first = new Map<string, number>();
  list.forEach((item, k) => {
    const before = first.get(item);
    if (before !== undefined) throw invalid(`${place}[${k}]`, item, `another string than ${place}[${before}]`, REMEDY);
    first.set(item, k);
  });
  return Object.freeze(list);
}

function plainString(value: unknown, place: string): string {
  const expected = `a string of 1 to ${STRING_BYTES_MAX} bytes of UTF-8 without control characters`;
  if (typeof value !== 'string' || value === '' || /[\p{Cc}\p{Cs}]/u.test(value))
    throw invalid(place, value, expected, REMEDY);
  if (host.encodeUtf8(value).length > STRING_BYTES_MAX) throw invalid(place, value, expected, REMEDY);
  return value;
}

function versions(value: unknown, place: string): Readonly<Record<string, number>> {
  if (value === undefined) return Object.freeze({});
  const entries = Object.entries(requireObject(value, place)).map(([name, version]) => {
    matching(name, INTERFACE_NAME, `a name in ${place}`, "the name of an interface: letters, digits and '._@+:/-'");
    const whole = typeof version === 'number' && Number.isInteger(version);
    if (whole && version >= 1 && version <= INTERFACE_VERSION_MAX) return [name, version] as const;
    throw invalid(`${place}.${name}`, version, `a version, an integer from 1 to ${INTERFACE_VERSION_MAX}`, REMEDY);
  });
  return Object.freeze(Object.fromEntries(entries));
}
