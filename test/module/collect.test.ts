// collect(): what it refuses, with every problem at once and every file named; what it skips; how the manifest gets into its place.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { banner, collect, type ModuleDeclaration, saveManifest, survey, writeManifest } from 'coexist/modinfo';
import { describe, expect, test } from 'vitest';
import { readDeclaration } from '../../src/module/declaration.js';
import { MODULE_BYTES_MAX } from '../../src/module/manifest.js';
import { failure } from '../support/failures.js';
import {
  aBuild,
  aDirectory,
  type Declared,
  declarationText,
  type ModuleSource,
  writeModule,
  writeText,
} from '../support/modules.js';

/** What is wrong with modules in a new directory. */
function problemsOf(modules: readonly ModuleSource[]): readonly string[] {
  const dir = aDirectory();
  for (const [declaration, body, file] of modules)
    writeModule(dir, declaration, body, file === undefined ? {} : { file });
  const { manifest, problems } = survey(dir);
  expect(manifest === undefined, 'a manifest or problems').toBe(problems.length > 0);
  return problems;
}

describe('modules that do not fit', () => {
  const a: Declared = { name: 'a' };
  const b: Declared = { name: 'b' };
  const c: Declared = { name: 'c' };

  test.each<[string, readonly Declared[], readonly string[]]>([
    [
      'a missing dependency, and who needs it',
      [{ ...a, depends: ['b', 'x'] }, b],
      ['a.mjs: a depends on "x", and no module here has that name'],
    ],
    [
      'a dependency that has not the host of its dependent',
      [
        { ...a, depends: ['b'], targets: ['main', 'img'] },
        { ...b, targets: ['img', 'ui'] },
      ],
      ['a.mjs: a is for host "main" and depends on "b", which is only for "img", "ui" (b.mjs)'],
    ],
    [
      'a dependency with targets of a dependent for all hosts',
      [
        { ...a, depends: ['b'] },
        { ...b, targets: ['img'] },
      ],
      ['a.mjs: a is for every host and depends on "b", which is only for "img" (b.mjs)'],
    ],
    ['a circle of one', [{ ...a, depends: ['a'] }], ['modules depend on each other in a circle: a -> a (a.mjs)']],
    [
      'a circle of two',
      [
        { ...a, depends: ['b'] },
        { ...b, depends: ['a'] },
      ],
      ['modules depend on each other in a circle: a -> b -> a (a.mjs, b.mjs)'],
    ],
    [
      'a circle that one leads into',
      [
        { ...a, depends: ['b'] },
        { ...b, depends: ['c'] },
        { ...c, depends: ['b'] },
      ],
      ['modules depend on each other in a circle: b -> c -> b (b.mjs, c.mjs)'],
    ],
    [
      'two circles through one',
      [
        { ...a, depends: ['b', 'c'] },
        { ...b, depends: ['a'] },
        { ...c, depends: ['a'] },
      ],
      [
        'modules depend on each other in a circle: a -> b -> a (a.mjs, b.mjs)',
        'modules depend on each other in a circle: a -> c -> a (a.mjs, c.mjs)',
      ],
    ],
    [
      'one object of two',
      [
        { ...a, objects: ['x'] },
        { ...b, objects: ['y', 'x'] },
      ],
      ['a.mjs and b.mjs both provide the object "x", and every host may load both'],
    ],
    [
      'one object of two, where one host can load both',
      [
        { ...a, objects: ['x'], targets: ['img', 'ui'] },
        { ...b, objects: ['x'], targets: ['ui'] },
      ],
      ['a.mjs and b.mjs both provide the object "x", and host "ui" may load both'],
    ],
    [
      'one option of three',
      [
        { ...a, options: ['o'], targets: ['img'] },
        { ...b, options: ['o'] },
        { ...c, options: ['o'], targets: ['ui'] },
      ],
      [
        'a.mjs and b.mjs both are for the option "o", and host "img" may load both',
        'b.mjs and c.mjs both are for the option "o", and host "ui" may load both',
      ],
    ],
  ])('%s', (_, modules, problems) => {
    expect(problemsOf(modules.map((module) => [module]))).toEqual(problems);
  });

  test('one name of two files, whatever their hosts', () => {
    const modules: ModuleSource[] = [
      [{ name: 'a', targets: ['img'] }, '', 'one.mjs'],
      [{ name: 'a', targets: ['ui'] }, '', 'two.mjs'],
    ];
    expect(problemsOf(modules)).toEqual(['one.mjs and two.mjs are both named "a"']);
  });

  test('a name of a module may be an object or an option of another, and hosts apart may share objects', () => {
    const here: Declared = { name: 'a', objects: ['b', 'x'], options: ['x'], targets: ['img'] };
    expect(problemsOf([[here], [{ ...here, name: 'b', targets: ['ui'] }]])).toEqual([]);
  });

  test('a dependency for all hosts, or for more hosts than its dependent, is one', () => {
    const depends = ['b', 'c'];
    const modules: Declared[] = [{ ...a, depends, targets: ['img'] }, b, { ...c, targets: ['ui', 'img'] }];
    expect(problemsOf(modules.map((module) => [module]))).toEqual([]);
  });

  test('a chain of a thousand is no circle', () => {
    const names = Array.from({ length: 1000 }, (_, k) => `m${k}`);
    const modules = names.map((name, k): ModuleSource => [{ name, depends: names.slice(k + 1, k + 3) }]);
    expect(problemsOf(modules)).toEqual([]);
  });
});

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

describe('writing', () => {
  test('the manifest is replaced in one step, and nothing is left beside it', () => {
    const dir = aDirectory();
    writeModule(dir, { name: 'a' });
    const first = writeManifest(dir);
    const path = join(dir, 'modinfo.json');
    const reader = openSync(path, 'r');
    writeModule(dir, { name: 'b' });
    const second = writeManifest(dir);
    // Whoever had it open reads the old one, whole.
    expect(JSON.parse(readFileSync(reader, 'utf8'))).toEqual(first);
    expect(statSync(path).ino).not.toBe(statSync(`/proc/self/fd/${reader}`).ino);
    closeSync(reader);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(second);
    expect(readdirSync(dir).sort()).toEqual(['a.mjs', 'b.mjs', 'modinfo.json']);
  });

  test('into another file, by path or URL', () => {
    const [dir, other] = [aDirectory(), aDirectory()];
    writeModule(dir, { name: 'a' });
    const manifest = writeManifest(dir, pathToFileURL(join(other, 'list.json')));
    expect(JSON.parse(readFileSync(join(other, 'list.json'), 'utf8'))).toEqual(manifest);
    expect(readdirSync(dir)).toEqual(['a.mjs']);
  });

  test('where modules are refused, the old one stays', () => {
    const dir = aDirectory();
    writeModule(dir, { name: 'a' });
    writeManifest(dir);
    const before = readFileSync(join(dir, 'modinfo.json'), 'utf8');
    writeModule(dir, { name: 'b', depends: ['x'] });
    failure('COEXIST_EREFUSED', () => writeManifest(dir));
    expect(readFileSync(join(dir, 'modinfo.json'), 'utf8')).toBe(before);
  });

  test('where it cannot be written, nothing is left behind', () => {
    const dir = aDirectory();
    writeModule(join(dir, 'list.json'), { name: 'a' });
    expect(() => saveManifest({ format: 1, modules: [] }, join(dir, 'list.json'))).toThrow(/EISDIR|ENOTEMPTY/);
    expect(() => saveManifest({ format: 1, modules: [] }, join(dir, 'none/list.json'))).toThrow(/ENOENT/);
    expect(readdirSync(dir)).toEqual(['list.json']);
  });
});

describe('banner()', () => {
  const declaration: ModuleDeclaration = {
    name: 'a',
    fingerprint: aBuild(),
    objects: ['x */ y', '*/*/'],
    interfaces: { i: 1 },
  };

  test('is the comment that readDeclaration() reads', () => {
    const text = banner(declaration);
    expect(text.indexOf('*/')).toBe(text.length - 2);
    expect(readDeclaration(`${text}\ncode()`)).toMatchObject(declaration);
  });

  test('of what is no declaration is refused', () => {
    const wrong = { ...declaration, objects: [''] };
    expect(failure('COEXIST_EINVAL', () => banner(wrong)).message).toContain('declaration.objects[0] is ""');
  });
});
