// The modules of stress topic module: two builds of the same set, as files. Each module implements an interface of its own, and tells the
// program, through one, when its initialisers run. Every second one is CommonJS and depends on the one before it; three can never be loaded.

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Manifest, ManifestModule, ModuleDeclaration, SourceReference } from '../src/module/manifest.js';

/** Names of modules that can be loaded. */
export const MODULES = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'] as const;
/** One whose initialiser throws, one whose file is not what the manifest says, one that implements another version. */
export const BROKEN = ['throws', 'torn', 'other-face'] as const;
export const BUILDS = ['a', 'b'].map((name) => createHash('sha256').update(`stress build ${name}`).digest('hex'));
/** In the environment of the threads: the folder that has a folder for each build. */
export const FOLDER_VARIABLE = 'COEXIST_STRESS_MODULES';

/** The phase of all initialisers. */
export const PHASE = 'start';
/** What the program implements in each thread. */
export const NOTES = 'stress/notes';
/** What a module implements: how many functions, all of which say which instance they are of. */
export const faceOf = (name: string): string => `stress/face-${name}`;
export const FACE_FUNCTIONS = ['first', 'second', 'third'] as const;

export const folderOf = (folder: string, build: number): string => join(folder, `build-${build}`);

/** Writes both builds; gone when the process exits. */
export function writeModules(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coexist-stress-modules-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const [build, fingerprint] of BUILDS.entries()) {
    const into = folderOf(folder, build);
    mkdirSync(into);
    const modules = [...MODULES, ...BROKEN].map((name, k) => write(into, fingerprint, build, name, k)).sort(byName);
    const manifest: Manifest = { format: 1, modules };
    writeFileSync(join(into, 'modinfo.json'), JSON.stringify(manifest));
  }
  return folder;
}

const byName = (a: ManifestModule, b: ManifestModule): number => (a.name < b.name ? -1 : 1);

function write(into: string, fingerprint: string, build: number, name: string, k: number): ManifestModule {
  const type = k % 2 === 0 ? 'module' : 'commonjs';
  const before = MODULES[k - 1];
  const depends = name === 'throws' ? [MODULES[0]] : type === 'commonjs' && before !== undefined ? [before] : [];
  const face = name === 'other-face' ? faceOf(MODULES[0]) : faceOf(name);
  const version = name === 'other-face' ? 2 : 1;
  const declaration: Required<ModuleDeclaration> = {
    name,
    fingerprint,
    type,
    objects: [`object:${name}`],
    options: [],
    depends,
    targets: [],
    interfaces: { [face]: version },
  };
  const text = `/*! coexist-module ${JSON.stringify(declaration)} */\n${importsOf(type, depends)}
const notes = defineInterface('${NOTES}', {
  version: 1,
  functions: { evaluated: stub.value(0), once: stub.noop(), ran: stub.noop() },
});
const instance = notes.evaluated('${name}', ${build});
const say = () => instance;
implement('${face}', { version: ${version}, functions: { ${FACE_FUNCTIONS.map((one) => `${one}: say`).join(', ')} } });
moduleInit('${PHASE}', () => notes.once('${name}'), { scope: 'process' });
moduleInit('${PHASE}', () => notes.ran('${name}', instance));
${name === 'throws' ? `moduleInit('${PHASE}', () => { throw new Error('on purpose'); });` : ''}
${type === 'module' ? 'export { instance };' : 'exports.instance = instance;'}
`;
  const file = `${name}.${type === 'module' ? 'mjs' : 'cjs'}`;
  const sha256 = createHash('sha256').update(text).digest('hex');
  writeFileSync(join(into, file), name === 'torn' ? text.replace('=> instance', '=> 0000000 ') : text);
  return { ...declaration, file, sha256, bytes: Buffer.byteLength(text), references: referencesIn(text, type) };
}

function importsOf(type: string, depends: readonly string[]): string {
  const names = 'defineInterface, implement, moduleInit, stub';
  if (type === 'module') {
    return [...depends.map((name) => `import '${name}';`), `import { ${names} } from 'coexist/module';`].join('\n');
  }
  return [...depends.map((name) => `require('${name}');`), `const { ${names} } = require('coexist/module');`].join(
    '\n',
  );
}

/** The specifiers of static imports. */
function referencesIn(text: string, type: string): SourceReference[] {
  if (type !== 'module') return [];
  return [...text.matchAll(/^import (?:\{.*\} from )?('([^']+)');$/gm)].map((found) => {
    const start = found.index + found[0].indexOf(found[1] as string);
    return { start, end: start + (found[1] as string).length, is: 'import', specifier: found[2] as string };
  });
}
