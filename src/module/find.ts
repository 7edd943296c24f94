// Where a module's file is, and whether it is what was asked for. The first directory that has the file decides, good or bad; only where
// it is of another build, or there is none, does the build's own directory (DIR/FINGERPRINT/FILE) count: so a process that
// outlives an upgrade still finds the modules of its own build.

import { host } from '../host/host.js';
import type { ManifestModule } from './manifest.js';
import { type Missing, missing, type Refusal, refusedOutside, refusedRead, refusedUnreadable } from './refusals.js';
import { type Verified, verify } from './verify.js';

export interface FindOptions {
  /** Absolute paths. */
  readonly dirs: readonly string[];
  /** The loader's build. */
  readonly fingerprint: string;
  /** What names that build in messages. */
  readonly origin: string;
  readonly maxBytes: number;
}

export type Found = Verified | Refusal | Missing;

/** Never throws. Nothing of the file has run. */
export function findAndVerify(entry: ManifestModule, options: FindOptions): Found {
  const first = firstIn(options.dirs, [], entry, options);
  if (first !== undefined && (first.ok || first.reason !== 'build')) return first;
  // What the manifest says is of another build: a file of this one cannot be what it lists.
  if (first !== undefined && entry.fingerprint !== options.fingerprint) return first;
  return (
    firstIn(options.dirs, [options.fingerprint], entry, options) ??
    first ??
    missing(entry.name, entry.file, options.dirs)
  );
}

/** What the first directory that has the file says. */
function firstIn(
  dirs: readonly string[],
  below: readonly string[],
  entry: ManifestModule,
  options: FindOptions,
): Verified | Refusal | undefined {
  for (const dir of dirs) {
    const found = inspected(dir, below, entry, options);
    if (found !== undefined) return found;
  }
  return undefined;
}

const SEPARATOR = /[/\\]/;

/**
 * Undefined where there is none. The directory's own links are followed first, and once: an upgrade that switches one of them in
 * between does not make what lies inside an outsider.
 */
function inspected(
  dir: string,
  below: readonly string[],
  entry: ManifestModule,
  options: FindOptions,
): Verified | Refusal | undefined {
  const { modules } = host;
  const { name, file } = entry;
  if (SEPARATOR.test(file) || file === '' || file === '.' || file === '..') return refusedOutside(name, file, dir);
  const realDir = modules.realPath(dir);
  if ('is' in realDir) {
    // A link that leads nowhere holds nothing; what may not be read is no absence.
    const path = modules.join(dir, ...below, file);
    const through = modules.realPath(path);
    return 'cause' in through ? refusedUnreadable(name, path, through.cause) : undefined;
  }
  const path = modules.join(realDir.path, ...below, file);
  const real = modules.realPath(path);
  if ('is' in real) return real.is === 'missing' ? undefined : refusedUnreadable(name, path, real.cause);
  if (!modules.inside(real.path, realDir.path)) return refusedOutside(name, real.path, realDir.path);
  const read = modules.read(real.path, options.maxBytes);
  if ('is' in read) return refusedRead(name, real.path, read, options.maxBytes);
  return verify(read.bytes, real.path, entry, { fingerprint: options.fingerprint, path: options.origin });
}
