// Types of instances (docs/ABI.md, clause 69): what an instance of a key is, as an entry of the directory. The range of a memory
// instance is that of its type's entry.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { KEY_AND_TYPE_BYTES_MAX, KEY_BYTES_MAX, TYPE_PREFIX } from '../abi/singleton.js';
import type { AreaCore } from '../area/core.js';
import { type Entry, entriesOf, entryAt, lookup } from '../area/directory.js';
import { host } from '../host/host.js';

const MOST_VERSION = 0xffff;
const SEPARATOR = '\0';

export interface InstanceType {
  /** What the singleton's type field holds while an instance of this type is there. */
  readonly number: number;
  readonly name: string;
  readonly version: number;
  /** Bytes of a memory instance; 0: hosted. */
  readonly bytes: number;
  /** Byte offset of a memory instance. */
  readonly at: number;
}

export interface TypeOptions {
  readonly version?: number | undefined;
  readonly type?: string | undefined;
}

/**
 * The type's entry, made if there is none.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT
 */
export function typeOf(
  core: AreaCore,
  key: string,
  { version = 1, type = key }: TypeOptions,
  bytes: number,
): InstanceType {
  if (!Number.isInteger(version) || version < 0 || version > MOST_VERSION) {
    throw invalid('version', version, `an integer from 0 to ${MOST_VERSION}`);
  }
  const more = type === key ? 0 : utf8Length(type) + utf8Length(key) - KEY_AND_TYPE_BYTES_MAX;
  if (typeof type !== 'string' || type === '' || type.includes(SEPARATOR) || more > 0) {
    throw invalid(
      'type',
      type,
      `a string without NUL, of ${KEY_AND_TYPE_BYTES_MAX} bytes at most together with the key`,
    );
  }
  const name = TYPE_PREFIX + key + (type === key ? '' : SEPARATOR + type);
  try {
    return read(lookup(core, { name, kind: 'type', version, size: bytes, flags: 0 }));
  } catch (error) {
    if ((error as CoexistError).code !== 'COEXIST_EKIND') throw error;
    const found = (error as CoexistError).found as Entry;
    throw otherDeclaration(key, type, { version: found.version, bytes: found.size }, { version, bytes });
  }
}

/** The type of this number; undefined for 0. */
export const typeNumbered = (core: AreaCore, number: number): InstanceType | undefined =>
  number === 0 || number > core.geometry.directoryCapacity ? undefined : read(entryAt(core, number - 1));

/** Everything that was declared under a key. */
export function typesOf(core: AreaCore, key: string): InstanceType[] {
  const own = TYPE_PREFIX + key;
  return entriesOf(core, 'type')
    .filter(({ name }) => name === own || name.startsWith(own + SEPARATOR))
    .map(read);
}

/** @throws COEXIST_EINVAL */
export function requireKey(key: unknown): asserts key is string {
  if (typeof key === 'string' && key !== '' && !key.includes(SEPARATOR) && utf8Length(key) <= KEY_BYTES_MAX) return;
  throw invalid(
    'key',
    key,
    `a string of 1 to ${KEY_BYTES_MAX} bytes of UTF-8, without NUL`,
    'Choose "my-library/thing".',
  );
}

const utf8Length = (text: unknown): number => (typeof text === 'string' ? host.encodeUtf8(text).length : 0);

function read({ name, index, version, size, offset }: Entry): InstanceType {
  const names = name.slice(TYPE_PREFIX.length).split(SEPARATOR);
  return { number: index + 1, name: names.at(-1) as string, version, bytes: size, at: offset };
}

type Declared = { readonly version: number; readonly bytes: number };

const say = ({ version, bytes }: Declared): string =>
  `version ${version}, ${bytes === 0 ? 'hosted' : `${bytes} bytes`}`;

function otherDeclaration(key: string, type: string, found: Declared, expected: Declared): CoexistError {
  return new CoexistError(
    'COEXIST_EKIND',
    `type ${show(type)} of singleton ${show(key)} was declared with ${say(found)}, not with ${say(expected)}`,
    {
      found,
      expected,
      remedy: 'Declare it alike in every thread and copy, or give the other one a type, or a key, of its own.',
    },
  );
}
