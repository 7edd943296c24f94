// The name of a build: a hash of everything that makes its modules fit (docs/ABI.md, clause 70), and of nothing else, so that the same
// inputs built again, elsewhere or later, agree, and any that changed does not.

import { CoexistError, invalid } from '../abi/errors.js';
import { ABI_MAJOR } from '../abi/header.js';
import { INTERFACE_NAME, INTERFACE_VERSION_MAX } from '../abi/module.js';
import { FEATURE_SIZE } from '../abi/slot.js';
import { files } from '../host/files.js';
import { host } from '../host/host.js';
import { canonical, isPlain, type Json, type JsonObject } from './canonical.js';

export interface FingerprintInputs {
  /** Versions of the interfaces between the host and its modules, by name. */
  readonly interfaces?: Readonly<Record<string, number>> | undefined;
  /** What the build was made with. */
  readonly options?: JsonObject | undefined;
  /** Files whose content matters: paths or file URLs, or by name, also as bytes. A path's name is its last part. */
  readonly files?: readonly (string | URL)[] | Readonly<Record<string, string | URL | Uint8Array>> | undefined;
}

export interface FingerprintOptions {
  /** What the build expects of memory. By default the version and the feature size of docs/ABI.md, and the byte order. */
  readonly abi?: Json | undefined;
  readonly inputs: FingerprintInputs;
}

const REMEDY = 'Correct the inputs; a build whose inputs are not known has no fingerprint.';

/**
 * The fingerprint of a build: SHA-256 over what its compatibility depends on, 64 hexadecimal digits. Time, paths and the order of
 * properties do not change it; everything else does. Give the same one to `createLoader()` and to the declarations of the modules.
 * The source of the idea: the build stamp that QEMU gives its modules, which is over the inputs here, not over the moment.
 * @throws COEXIST_EINVAL for what is not JSON, for two files of one name, and for a file that cannot be read
 * @since 0.1.0
 */
export function fingerprint(options: FingerprintOptions): string {
  requireRecord(options, 'options', ['abi', 'inputs']);
  const { abi = { version: ABI_MAJOR, feature_size: FEATURE_SIZE, byte_order: 'little' }, inputs } = options;
  requireRecord(inputs, 'inputs', ['interfaces', 'options', 'files']);
  const { interfaces = {}, options: built = {}, files: listed = {} } = inputs;
  requireRecord(built, 'inputs.options');
  // In canonical order by hand: each part names itself in messages.
  const text =
    `{"abi":${canonical(abi, 'abi')},"files":${canonical(hashes(listed))},"format":1,` +
    `"interfaces":${versionsText(interfaces)},"options":${canonical(built, 'inputs.options')}}`;
  return files.sha256(host.encodeUtf8(text));
}

function versionsText(interfaces: unknown): string {
  const versions = requireRecord(interfaces, 'inputs.interfaces');
  for (const [name, version] of Object.entries(versions)) {
    if (!INTERFACE_NAME.test(name))
      throw invalid('a name in inputs.interfaces', name, `one of ${INTERFACE_NAME}`, REMEDY);
    if (typeof version === 'number' && Number.isInteger(version) && version >= 1 && version <= INTERFACE_VERSION_MAX)
      continue;
    throw invalid(`inputs.interfaces.${name}`, version, `an integer from 1 to ${INTERFACE_VERSION_MAX}`, REMEDY);
  }
  return canonical(versions, 'inputs.interfaces');
}

/** Name → hash of the content. */
function hashes(listed: NonNullable<FingerprintInputs['files']>): Readonly<Record<string, string>> {
  const named = Array.isArray(listed) ? namesOf(listed) : Object.entries(requireRecord(listed, 'inputs.files'));
  return Object.fromEntries(
    named.map(([name, file]) => [name, files.sha256(contentOf(file, `inputs.files: ${name}`))]),
  );
}

function namesOf(listed: readonly unknown[]): (readonly [string, unknown])[] {
  const seen = new Map<string, string>();
  return Array.from(listed, (file, k) => {
    const place = `inputs.files[${k}]`;
    if (!isFile(file)) throw invalid(place, file, 'a path or a file URL', REMEDY);
    const name = attempt(() => files.nameOf(file), place, file);
    const other = seen.get(name);
    if (other !== undefined) {
      const found = [other, String(file)];
      const problem = `inputs.files has two files named ${name}: ${found.join(' and ')}`;
      const remedy = 'Give them as an object, each with a name of its own.';
      throw new CoexistError('COEXIST_EINVAL', problem, { found, expected: 'files of different names', remedy });
    }
    seen.set(name, String(file));
    return [name, file] as const;
  });
}

function contentOf(file: unknown, place: string): Uint8Array {
  if (ArrayBuffer.isView(file) && Object.prototype.toString.call(file) === '[object Uint8Array]')
    return file as Uint8Array;
  if (!isFile(file)) {
    throw invalid(place, file, 'a path, a file URL or bytes (Uint8Array)', REMEDY);
  }
  return attempt(() => files.read(file), place, file);
}

/** A vm context has no global URL, and its caller may be of another realm. */
function isFile(value: unknown): value is string | URL {
  return typeof value === 'string' || Object.prototype.toString.call(value) === '[object URL]';
}

function attempt<T>(read: () => T, place: string, file: string | URL): T {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const expected = 'a file that can be read';
    const problem = `${place} is ${String(file)}, expected ${expected} (${why})`;
    throw new CoexistError('COEXIST_EINVAL', problem, { found: String(file), expected, remedy: REMEDY, cause });
  }
}

function requireRecord(value: unknown, place: string, known?: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || !isPlain(value))
    throw invalid(place, value, 'a plain object', REMEDY);
  const unknown = known && Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`${place}.${unknown}`, (value as JsonObject)[unknown], `only ${known?.join(', ')}`, REMEDY);
  return value as Readonly<Record<string, unknown>>;
}
