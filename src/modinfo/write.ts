// Puts a manifest in its place in one step: a process that starts meanwhile reads the old one or the new one, whole.

import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MANIFEST_FILE, type Manifest } from '../core.js';
import { collect, pathOf } from './collect.js';

/**
 * Writes the manifest of a directory into it, as `modinfo.json`, or into another file. Modules that running processes still load are
 * better left in a directory with the name of their build's fingerprint.
 * @throws as `collect()`, with nothing written; and what the file system throws
 * @since 0.1.0
 */
export function writeManifest(dir: string | URL, file: string | URL = manifestIn(dir)): Manifest {
  const manifest = collect(dir);
  saveManifest(manifest, file);
  return manifest;
}

/**
 * Writes a manifest into a file, in one step.
 * @throws what the file system throws, with the file as it was
 * @since 0.1.0
 */
export function saveManifest(manifest: Manifest, file: string | URL): void {
  replaceFile(pathOf(file), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** Where a loader looks for it. */
export function manifestIn(dir: string | URL): string {
  return join(pathOf(dir), MANIFEST_FILE);
}

/** Beside the file, so that it is of the same file system, where a rename replaces. */
function replaceFile(path: string, text: string): void {
  const beside = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    const descriptor = openSync(beside, 'wx');
    try {
      writeFileSync(descriptor, text);
      // Renamed before its content is on disk, it could be found empty after a crash.
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
