// Modules on disk for tests: directories that go with the tests of their file, builds by seed, and files whose declarations are written here by
// hand, so that what reads them is tested against the contract and not against what wrote them.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collect, type Manifest, type ModuleDeclaration, survey, writeManifest } from 'coexist/modinfo';
import { afterAll } from 'vitest';

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** A fingerprint: the same for the same seed. */
export const aBuild = (seed: string | number = 'this'): string => sha256(`build ${seed}`);

const made: string[] = [];

afterAll(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/** A new, empty directory, its path without links. It is removed when the tests of the file have ended. */
export function aDirectory(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'coexist-modules-')));
  made.push(dir);
  return dir;
}

export type Declared = Partial<ModuleDeclaration> & Pick<ModuleDeclaration, 'name'>;

/** The comment; of `aBuild()` unless it says otherwise. */
export function declarationText(declaration: Declared): string {
  const json = JSON.stringify({ fingerprint: aBuild(), ...declaration });
  return `/*! coexist-module ${json.replaceAll('*/', '*\\/')} */`;
}

export interface ModuleFile {
  /** Default: the module's name and `.mjs`. */
  readonly file?: string;
}

/** Writes a module, and the directory if need be; returns the file's path. */
export function writeModule(dir: string, declaration: Declared, body = '', { file }: ModuleFile = {}): string {
  return writeText(dir, file ?? `${declaration.name}.mjs`, `${declarationText(declaration)}\n${body}\n`);
}

/** Writes anything; returns the file's path. */
export function writeText(dir: string, file: string, content: string | Uint8Array): string {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, file);
  writeFileSync(path, content);
  return path;
}

/** A module's declaration, its body, and its file's name if that is another. */
export type ModuleSource = readonly [declaration: Declared, body?: string, file?: string];

/** Writes modules into a directory, a new one by default, and their manifest. */
export function writeBuild(
  modules: readonly ModuleSource[],
  dir: string = aDirectory(),
): { readonly dir: string; readonly manifest: Manifest } {
  for (const module of modules) writeSource(dir, module);
  return { dir, manifest: writeManifest(dir) };
}

/** The manifest of modules in a new directory. */
export function manifestOf(modules: readonly ModuleSource[]): Manifest {
  return collect(writeBuild(modules).dir);
}

/** What is wrong with modules in a new directory, in words. */
export function problemsOf(modules: readonly ModuleSource[]): readonly string[] {
  const dir = aDirectory();
  for (const module of modules) writeSource(dir, module);
  const { manifest, problems } = survey(dir);
  if ((manifest === undefined) !== problems.length > 0) throw new Error('neither a manifest nor problems, or both');
  return problems;
}

function writeSource(dir: string, [declaration, body, file]: ModuleSource): void {
  writeModule(dir, declaration, body, file === undefined ? {} : { file });
}
