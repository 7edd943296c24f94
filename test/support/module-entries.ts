// Files of modules and what a manifest says of them, both by hand: finding, verifying and evaluating are tested one by one, without a
// loader and without what collects manifests.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type * as core from '../../src/core.js';
import type { ManifestModule, SourceReference } from '../../src/module/manifest.js';

/** Everything in the built library, internals too. */
export const lib = (await import(new URL('../../dist/core.js', import.meta.url).href)) as typeof core;

/** The host's build, and another one. */
export const OURS = 'a'.repeat(64);
export const THEIRS = 'b'.repeat(64);
export const ORIGIN = '/host/modinfo.json';

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** Its real path; removed after the file's tests. */
export function aFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coexist-entries-')));
  made.push(folder);
  return folder;
}

export interface Placed {
  readonly name?: string;
  readonly file?: string;
  readonly fingerprint?: string;
  readonly depends?: readonly string[];
  /** What stands before the declaration. */
  readonly before?: string | Uint8Array;
  /** Places in the source: the text that is there, the first of its kind, and what it is. */
  readonly references?: readonly Place[];
}

export type Place = readonly [held: string, is: SourceReference['is'], specifier?: string];

export const declared = (name: string, fingerprint = OURS): string =>
  `/*! coexist-module ${JSON.stringify({ name, fingerprint })} */\n`;

/** Writes a module; returns what a manifest says of it. */
export function place(folder: string, source: string, placed: Placed = {}): ManifestModule {
  const { name = 'zip', file = `${name}.mjs`, fingerprint = OURS, depends = [], before = '' } = placed;
  const bytes = Buffer.concat([Buffer.from(before), Buffer.from(declared(name, fingerprint) + source)]);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, file), bytes);
  const text = new TextDecoder().decode(bytes);
  const references = (placed.references ?? []).map(([held, is, specifier]) => {
    const start = text.indexOf(held);
    const at = { start, end: start + held.length };
    return is === 'import' ? { ...at, is, specifier: specifier ?? held.slice(1, -1) } : { ...at, is };
  });
  return {
    name,
    file,
    fingerprint,
    type: file.endsWith('.cjs') ? 'commonjs' : 'module',
    depends,
    objects: [],
    options: [],
    targets: [],
    interfaces: {},
    bytes: bytes.length,
    sha256: sha256(bytes),
    references,
  };
}

/** findAndVerify() for the host's build. */
export const find = (entry: ManifestModule, dirs: readonly string[], maxBytes = 2 ** 20): core.Found =>
  lib.findAndVerify(entry, { dirs, fingerprint: OURS, origin: ORIGIN, maxBytes });

/** What a refusal says, and how; fails where there is none. */
export function refused(found: core.Found): { reason: string; message: string; found: unknown; expected: unknown } {
  if (found.ok || found.outcome !== 'refused') throw new Error(`not refused: ${JSON.stringify(found)}`);
  const { error, reason } = found;
  return { reason, message: error.message, found: error.found, expected: error.expected };
}
