// collect(): the files of a directory that it refuses, each with its reason, and those that it leaves alone.

import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync } from 'node:fs';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { collect, survey } from 'coexist/modinfo';
import { describe, expect, test } from 'vitest';
import { MODULE_BYTES_MAX } from '../../src/module/manifest.js';
import { failure } from '../support/failures.js';
import {
  aBuild,
  aDirectory,
  type Declared,
  declarationText,
  problemsOf,
  writeModule,
  writeText,
} from '../support/modules.js';

describe('files that are no modules to load', () => {
  const MODULE = 'declare it there, or bundle it into the module';
  test.each<[string, string, string, string]>([
    [
      'a relative import',
      'a.mjs',
      '\nimport "./x.js"',
      'a.mjs: line 3: it imports "./x.js", a path: bundle that file into the module',
    ],
    [
      'a relative import()',
      'a.mjs',
      'import("../x.js")',
      'a.mjs: line 2: it imports "../x.js", a path: bundle that file into the module',
    ],
    [
      'an absolute path',
      'a.mjs',
      'export * from "/x.js"',
      'a.mjs: line 2: it imports "/x.js", a path: bundle that file into the module',
    ],
    [
      'a URL',
      'a.mjs',
      'import "data:text/javascript,"',
      'a.mjs: line 2: it imports "data:text/javascript,", a URL, whose content nobody verifies: bundle it into the module',
    ],
    [
      'an undeclared import',
      'a.mjs',
      'import x from "zip"',
      `a.mjs: line 2: it imports "zip", which its depends do not name: ${MODULE}`,
    ],
    [
      'an undeclared export from',
      'a.mjs',
      'export { x } from "zip"',
      `a.mjs: line 2: it imports "zip", which its depends do not name: ${MODULE}`,
    ],
    [
      'an undeclared import()',
      'a.mjs',
      'import("zip")',
      `a.mjs: line 2: it imports "zip", which its depends do not name: ${MODULE}`,
    ],
    [
      'an undeclared import() in CommonJS',
      'a.cjs',
      'import("zip")',
      `a.cjs: line 2: it imports "zip", which its depends do not name: ${MODULE}`,
    ],
    [
      'a name like the library’s',
      'a.mjs',
      'import "coexistence"',
      `a.mjs: line 2: it imports "coexistence", which its depends do not name: ${MODULE}`,
    ],
    [
      'a module the runtime has not',
      'a.mjs',
      'import "node:zip"',
      'a.mjs: line 2: it imports "node:zip", which this runtime does not have',
    ],
    [
      'what the lexer cannot read',
      'a.mjs',
      'let x = "',
      'a.mjs: line 2: a syntax error, or a comment with quotes in an import statement',
    ],
    [
      'a specifier that only a comment has',
      'a.mjs',
      'import x /* "fs" */ from "zip"; /x/',
      'a.mjs: line 2: a comment with quotes in an import statement: move it out of it',
    ],
    ['a syntax error in CommonJS', 'a.cjs', '\nlet x = ;', "a.cjs: line 3: a syntax error: Unexpected token ';'"],
    [
      'an export in CommonJS',
      'a.cjs',
      'export const x = 1',
      "a.cjs: line 2: a syntax error: Unexpected token 'export'",
    ],
  ])('%s', (_, file, body, problem) => {
    expect(problemsOf([[{ name: 'a' }, body, file]])).toEqual(problem === '' ? [] : [problem]);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    [
      'an unknown property',
      declarationText({ name: 'a', needs: [] } as Declared),
      /^a\.mjs: .*declaration\.needs .*depends/,
    ],
    ['two declarations', declarationText({ name: 'a' }).repeat(2), /^a\.mjs: .*one at 0/],
    ['JSON that is none', '/*! coexist-module {name: "a"} */', /^a\.mjs: .*one JSON object/],
    [
      'a property that is there twice',
      `/*! coexist-module { "name": "a", "depends": ["x"], "n\\u0061me": "b", "fingerprint": "${aBuild()}" } */`,
      /^a\.mjs: .*declaration is an object with "name" twice, expected one JSON object, each name in it once/,
    ],
    [
      'an interface that is there twice',
      `/*! coexist-module { "name": "a:{\\"\\\\", "interfaces": { "i": 1, "name": 2, "i": 2 } } */`,
      /^a\.mjs: .*declaration is an object with "i" twice/,
    ],
    ['a declaration cut off', declarationText({ name: 'a' }).slice(0, -2), /^a\.mjs: .*a comment that ends/],
    ['no UTF-8', Buffer.from(`${declarationText({ name: 'a' })} "é"`, 'latin1'), /^a\.mjs: its text is no UTF-8$/],
  ])('%s', (_, content, problem) => {
    const dir = aDirectory();
    writeText(dir, 'a.mjs', content);
    const { problems } = survey(dir);
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  test('links that lead out, nowhere, or inside', () => {
    const [dir, elsewhere] = [join(aDirectory(), 'modules'), aDirectory()];
    mkdirSync(dir);
    symlinkSync('loop.mjs', join(dir, 'loop.mjs'));
    symlinkSync(writeModule(elsewhere, { name: 'out' }), join(dir, 'out.mjs'));
    symlinkSync(join(dir, 'none.mjs'), join(dir, 'lost.mjs'));
    // Beside it, under a name that the directory's own begins.
    symlinkSync(writeModule(`${dir}x`, { name: 'near' }), join(dir, 'near.mjs'));
    symlinkSync(writeModule(join(dir, 'sub'), { name: 'in' }), join(dir, 'in.mjs'));
    const { problems } = survey(dir);
    expect(problems).toEqual([
      expect.stringMatching(/^loop\.mjs: it cannot be read \(ELOOP/),
      expect.stringMatching(/^lost\.mjs: it cannot be read \(ENOENT/),
      `near.mjs: it leads out of the directory, to ${dir}x/near.mjs`,
      `out.mjs: it leads out of the directory, to ${elsewhere}/out.mjs`,
    ]);
  });

  test('a pipe, and a file that is too large', () => {
    const dir = aDirectory();
    execFileSync('mkfifo', [join(dir, 'pipe.mjs')]);
    truncateSync(writeText(dir, 'zeros.mjs', ''), MODULE_BYTES_MAX + 1);
    expect(survey(dir).problems).toEqual([
      'pipe.mjs: it is no regular file',
      `zeros.mjs: it has ${MODULE_BYTES_MAX + 1} bytes, and a module has at most ${MODULE_BYTES_MAX}`,
    ]);
  });
});

// Windows has no such names.
test.runIf(sep === '/')('a name that no manifest can say is a problem, of modules alone', () => {
  const dir = aDirectory();
  writeModule(dir, { name: 'a' }, '', { file: 'sub\\a.mjs' });
  writeText(dir, 'sub\\b.mjs', '');
  expect(survey(dir)).toEqual({
    manifest: undefined,
    problems: ['sub\\a.mjs: its name has a separator of other systems: call it otherwise'],
    skipped: [{ file: 'sub\\b.mjs', reason: 'it declares no module' }],
  });
});

test('a declaration may be long', () => {
  const objects = Array.from({ length: 100_000 }, (_, k) => `object ${k}`);
  const dir = aDirectory();
  writeModule(dir, { name: 'a', objects });
  const begun = performance.now();
  expect(collect(dir).modules[0]?.objects).toHaveLength(objects.length);
  expect(performance.now() - begun).toBeLessThan(4000);
  writeModule(dir, { name: 'a', objects: [...objects, 'object 7'] });
  expect(survey(dir).problems.join()).toContain(
    'declaration.objects[100000] is "object 7", expected another string than declaration.objects[7]',
  );
});

describe('a directory', () => {
  test('all problems of all files are told at once, in one error', () => {
    const dir = aDirectory();
    writeModule(dir, { name: 'a', depends: ['x'] }, 'import "y"; import "./z"');
    writeModule(dir, { name: 'b', depends: ['b'] });
    writeText(dir, 'c.mjs', '/*! coexist-module 1 */');
    const { problems } = survey(dir);
    expect(problems.map((problem) => problem.split(/[ :]/)[0])).toEqual([
      'a.mjs',
      'a.mjs',
      'c.mjs',
      'a.mjs',
      'modules',
    ]);
    const { message, found } = failure('COEXIST_EREFUSED', () => collect(dir));
    expect(found).toEqual(problems);
    for (const problem of [dir, '5 problems', ...problems]) expect(message).toContain(problem);
  });

  test('files without a declaration are skipped and named; directories and other files are left alone', () => {
    const dir = aDirectory();
    writeModule(dir, { name: 'a' });
    writeText(dir, 'helper.js', '(');
    writeText(dir, 'latin.cjs', Buffer.from('"é"', 'latin1'));
    writeText(dir, 'a.mjs.map', declarationText({ name: 'b' }));
    writeText(dir, 'a.ts', declarationText({ name: 'b' }));
    writeModule(join(dir, aBuild('old')), { name: 'a' });
    writeModule(join(dir, 'dir.mjs'), { name: 'a' });
    const { manifest, skipped } = survey(dir);
    expect(manifest?.modules.map(({ file }) => file)).toEqual(['a.mjs']);
    expect(skipped).toEqual([
      { file: 'helper.js', reason: 'it declares no module' },
      { file: 'latin.cjs', reason: 'its text is no UTF-8' },
    ]);
  });

  test('is given by path or URL; an empty one has an empty manifest', () => {
    const dir = aDirectory();
    expect(collect(dir)).toEqual({ format: 1, modules: [] });
    writeModule(dir, { name: 'a' });
    expect(collect(pathToFileURL(dir))).toEqual(collect(dir));
    expect(collect(`${dir}/`)).toEqual(collect(dir));
  });

  test('the manifest does not depend on where it lies or on the order of its files', () => {
    const modules = ['c', 'a', 'b'].map((name): Declared => ({ name }));
    const [one, other] = [aDirectory(), aDirectory()];
    for (const module of modules) writeModule(one, module);
    for (const module of modules.reverse()) writeModule(other, module);
    expect(JSON.stringify(collect(other))).toBe(JSON.stringify(collect(one)));
  });

  test('one that is not there, or is a file', () => {
    const file = writeModule(aDirectory(), { name: 'a' });
    expect(failure('COEXIST_EINVAL', () => collect(`${file}/none`)).message).toContain(file);
    expect(failure('COEXIST_EINVAL', () => collect(file)).message).toMatch(/ENOTDIR/);
  });
});
