// What a loader is made of, checked as a whole before anything changes, and read once: what a caller changes later changes nothing.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { FINGERPRINT } from '../abi/module.js';
import type { AreaLike } from '../area/current.js';
import { host } from '../host/host.js';
import { checkManifest } from './check-manifest.js';
import { MANIFEST_FILE, type Manifest, MODULE_BYTES_MAX } from './manifest.js';
import type { Permission } from './plan.js';

export interface LoaderOptions {
  /** Of the build that runs: only modules of the same build are loaded. See `fingerprint()`. */
  readonly fingerprint: string;
  /** Where modules lie, in the order of the search: the first file of a module's name decides. */
  readonly dirs: readonly (string | URL)[];
  /** What there is, as data or as a file; by default modinfo.json of the first directory that has one; of DIR/FINGERPRINT where that is of other builds. */
  readonly manifest?: Manifest | string | URL | undefined;
  /** What this host is, for modules that name their targets. */
  readonly host?: string | undefined;
  /** Modules that this loader may load, as dependencies too; all if left out. One for which it throws is refused, with what it threw. */
  readonly allow?: readonly string[] | ((name: string) => boolean) | undefined;
  /** Whose build the fingerprint is, in messages; by default the path of its manifest, else the program's. */
  readonly origin?: string | undefined;
  /** What to do where the process has another build of a module: by default it is refused. */
  readonly otherBuilds?: 'refuse' | 'allow' | undefined;
  /** Longest time for one load, in ms; 30000 by default. */
  readonly timeout?: number | undefined;
  /** Largest file that is read, in bytes; 64 MiB by default. */
  readonly maxBytes?: number | undefined;
  /** A private area; the process's own if left out. */
  readonly area?: AreaLike | undefined;
}

export interface LoadOptions {
  /** Longest time for it, in ms; the loader's if left out. */
  readonly timeout?: number | undefined;
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
}

export interface Settings {
  readonly fingerprint: string;
  /** Absolute. */
  readonly dirs: readonly string[];
  readonly manifest: Manifest;
  /** Where it was read from, if it was. */
  readonly manifestPath: string | undefined;
  readonly host: string | undefined;
  readonly origin: string;
  readonly otherBuilds: 'refuse' | 'allow';
  readonly timeout: number;
  readonly maxBytes: number;
  readonly area: AreaLike | undefined;
  readonly allowed: (name: string) => Permission;
  /** The names that it permits, undefined where a function decides. */
  readonly allow: readonly string[] | undefined;
}

const KNOWN = 'fingerprint dirs manifest host allow origin otherBuilds timeout maxBytes area'.split(' ');
const TIMEOUT_MS = 30_000;
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** @throws COEXIST_EINVAL */
export function checkLoaderOptions(options: LoaderOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalid('options', options, 'an object');
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) throw invalid('an option', name, `one of ${KNOWN.join(', ')}`);
  }
  const {
    fingerprint,
    host: role,
    otherBuilds = 'refuse',
    timeout = TIMEOUT_MS,
    maxBytes = MODULE_BYTES_MAX,
  } = options;
  if (typeof fingerprint !== 'string' || !FINGERPRINT.test(fingerprint)) {
    throw invalid('fingerprint', fingerprint, '64 digits 0-9 a-f', 'Use what fingerprint() returned.');
  }
  requireText('host', role);
  requireText('origin', options.origin);
  if (otherBuilds !== 'refuse' && otherBuilds !== 'allow') {
    throw invalid('otherBuilds', otherBuilds, "'refuse' or 'allow'");
  }
  requireTimeout(timeout);
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1)
    throw invalid('maxBytes', maxBytes, 'a number of bytes, 1 or more');
  const dirs = directories(options.dirs);
  const { manifest, path } = manifestIn(options.manifest, dirs, fingerprint);
  return {
    fingerprint,
    dirs,
    manifest,
    manifestPath: path,
    host: role,
    // A list of another build does not say whose this one is.
    origin:
      options.origin ?? (lists(manifest, fingerprint) ? path : undefined) ?? host.modules.program() ?? 'this program',
    otherBuilds,
    timeout,
    maxBytes,
    area: options.area,
    ...permission(options.allow),
  };
}

/** @throws COEXIST_EINVAL */
export function checkLoadOptions(options: LoadOptions | undefined): LoadOptions {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null) {
    throw invalid('options', options, 'an object', 'Write a time as { timeout: 50 }.');
  }
  const { timeout, signal } = options;
  if (timeout !== undefined) requireTimeout(timeout);
  const isSignal = typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function';
  if (signal !== undefined && !isSignal) throw invalid('signal', signal, 'an AbortSignal');
  return { timeout, signal };
}

function requireTimeout(timeout: unknown): void {
  if (typeof timeout === 'number' && timeout >= 0 && timeout <= TIMEOUT_MAX_MS) return;
  throw invalid(
    'timeout',
    timeout,
    `a number of ms, 0 to ${TIMEOUT_MAX_MS}`,
    'Every load has an end: pass a longer time.',
  );
}

function requireText(option: string, value: unknown): void {
  if (value === undefined || (typeof value === 'string' && value !== '')) return;
  throw invalid(option, value, 'a string that is not empty');
}

function directories(dirs: unknown): string[] {
  if (!Array.isArray(dirs) || dirs.length === 0) throw invalid('dirs', dirs, 'an array of directories, at least one');
  return Array.from(dirs as unknown[], (dir, k) => pathOf(`dirs[${k}]`, dir));
}

function pathOf(option: string, value: unknown): string {
  const expected = 'a path, or a file: URL';
  const isPath = (typeof value === 'string' && value !== '' && !value.includes('\0')) || value instanceof URL;
  if (!isPath) throw invalid(option, value, expected);
  try {
    return host.modules.absolute(value as string | URL);
  } catch {
    throw invalid(option, String(value), expected);
  }
}

function permission(allow: unknown): Pick<Settings, 'allow' | 'allowed'> {
  if (allow === undefined) return { allow: undefined, allowed: () => true };
  // What it returns is a decision: nothing but true is one for it.
  if (typeof allow === 'function') {
    const allowed = (name: string): Permission => {
      try {
        return allow(name) === true;
      } catch (thrown) {
        return { thrown };
      }
    };
    return { allow: undefined, allowed };
  }
  if (!Array.isArray(allow) || !allow.every((name) => typeof name === 'string')) {
    throw invalid('allow', allow, 'an array of names, or a function of a name');
  }
  const names: readonly string[] = Object.freeze([...allow]);
  return { allow: names, allowed: (name) => names.includes(name) };
}

interface Placed {
  readonly manifest: Manifest;
  readonly path: string | undefined;
}

function manifestIn(given: unknown, dirs: readonly string[], fingerprint: string): Placed {
  if (given !== undefined && typeof given !== 'string' && !(given instanceof URL)) {
    return { manifest: checkManifest(given), path: undefined };
  }
  if (given !== undefined) {
    const path = pathOf('manifest', given);
    return { manifest: parsed(path, textAt(path)), path };
  }
  const first = attempt(() => firstIn(dirs, []));
  const placed = 'value' in first ? first.value : undefined;
  if (placed !== undefined && lists(placed.manifest, fingerprint)) return placed;
  // The files of another build have taken the place of this one's, which are where they go then, their manifest with them. What has
  // come there may be of a later format, which only matters where there is nothing else.
  const found = firstIn(dirs, [fingerprint]) ?? placed;
  if (found !== undefined) return found;
  if ('error' in first) throw first.error;
  throw invalid(
    'manifest',
    undefined,
    `a manifest, or ${MANIFEST_FILE} in one of ${dirs.join(', ')}`,
    'Write one with coexist modinfo collect.',
  );
}

function attempt<T>(read: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}

const lists = ({ modules }: Manifest, fingerprint: string): boolean =>
  modules.some((module) => module.fingerprint === fingerprint);

function firstIn(dirs: readonly string[], below: readonly string[]): Placed | undefined {
  for (const dir of dirs) {
    const path = host.modules.join(dir, ...below, MANIFEST_FILE);
    const real = host.modules.realPath(path);
    if (!('is' in real && real.is === 'missing')) return { manifest: parsed(path, textAt(path)), path };
  }
  return undefined;
}

/** A manifest is small beside what it lists. */
const MANIFEST_BYTES_MAX = 64 * 2 ** 20;

function textAt(path: string): string {
  const file = host.modules.read(path, MANIFEST_BYTES_MAX);
  if ('bytes' in file) return host.decodeUtf8(file.bytes);
  const found =
    file.is === 'unreadable' ? String(file.cause) : file.is === 'too-large' ? `${file.size} bytes` : file.kind;
  throw new CoexistError('COEXIST_EINVAL', `the manifest ${show(path)} cannot be read: ${found}`, {
    found,
    expected: 'a file that can be read',
    remedy: 'Pass the path of a manifest; nothing has changed.',
    cause: file.is === 'unreadable' ? file.cause : undefined,
  });
}

function parsed(path: string, text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CoexistError('COEXIST_EINVAL', `the manifest ${show(path)} is no JSON: ${(error as Error).message}`, {
      found: text.slice(0, 60),
      expected: 'JSON',
      remedy: 'Write it again with coexist modinfo collect.',
      cause: error,
    });
  }
  return checkManifest(value, path);
}
