// The manifest of a directory: every file is read once, its declaration taken, its text lexed, its bytes hashed; then the modules are
// compared with each other. Nothing of a file is run.

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  CoexistError,
  type FullDeclaration,
  type Manifest,
  type ManifestModule,
  readDeclaration,
  sourceText,
} from '../core.js';
import { type Candidate, candidates, wordsOf } from './files.js';
import { scan } from './references.js';
import { relationProblems } from './relations.js';

export interface Skipped {
  readonly file: string;
  /** In words. */
  readonly reason: string;
}

export interface Survey {
  /** Undefined where there are problems. */
  readonly manifest: Manifest | undefined;
  /** In words, each with the files it is about. */
  readonly problems: readonly string[];
  /** JavaScript files that declare no module. */
  readonly skipped: readonly Skipped[];
}

const MARK = /\/\*! coexist-module[ \t\r\n]/;

/**
 * Reads all modules of a directory (not of those in it), and finds every problem they have.
 * @throws COEXIST_EINVAL where there is no such directory, or it cannot be read
 * @since 0.1.0
 */
export function survey(dir: string | URL): Survey {
  const problems: string[] = [];
  const skipped: Skipped[] = [];
  const modules: ManifestModule[] = [];
  for (const candidate of candidates(pathOf(dir))) {
    const { file } = candidate;
    const read = declared(candidate);
    if ('skip' in read) skipped.push({ file, reason: read.skip });
    else if ('problem' in read) problems.push(`${file}: ${read.problem}`);
    else {
      const { bytes, declaration } = read;
      const { type, references, problems: found } = scan(read.text, file, declaration);
      // The loader would take it for a path, on whatever system.
      if (file.includes('\\')) problems.push(`${file}: its name has a separator of other systems: call it otherwise`);
      problems.push(...found.map((problem) => `${file}: ${problem}`));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      modules.push({ ...declaration, type, file, sha256, bytes: bytes.length, references });
    }
  }
  problems.push(...relationProblems(modules));
  modules.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { manifest: problems.length === 0 ? { format: 1, modules } : undefined, problems, skipped };
}

/**
 * The manifest of a directory of modules: what `createLoader()` decides by before it reads any of them. Written again whenever a file
 * has changed; files without a declaration are left out.
 * @throws COEXIST_EREFUSED with all problems in its message and in `found`; COEXIST_EINVAL as `survey()`
 * @since 0.1.0
 */
export function collect(dir: string | URL): Manifest {
  const { manifest, problems } = survey(dir);
  if (manifest === undefined) throw refusal(dir, problems);
  return manifest;
}

export function refusal(dir: string | URL, problems: readonly string[]): CoexistError {
  const list = problems.map((problem) => `\n  ${problem}`).join('');
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new CoexistError('COEXIST_EREFUSED', `the modules in ${pathOf(dir)} have ${count}:${list}\n`, {
    found: problems,
    expected: 'modules that can be loaded together',
    remedy: 'Correct them and collect again; nothing was written.',
  });
}

type Read =
  | { readonly declaration: FullDeclaration; readonly text: string; readonly bytes: Buffer }
  | { readonly problem: string }
  | { readonly skip: string };

function declared(candidate: Candidate): Read {
  if ('problem' in candidate) return candidate;
  const { bytes } = candidate;
  const text = sourceText(bytes);
  if (text === undefined) {
    // As bytes: whether such a file means to be a module can still be seen.
    return MARK.test(bytes.toString('latin1')) ? { problem: 'its text is no UTF-8' } : { skip: 'its text is no UTF-8' };
  }
  try {
    const declaration = readDeclaration(text);
    return declaration === undefined ? { skip: 'it declares no module' } : { declaration, text, bytes };
  } catch (error) {
    return { problem: wordsOf(error) };
  }
}

export function pathOf(place: string | URL): string {
  return typeof place === 'string' ? place : fileURLToPath(place);
}
