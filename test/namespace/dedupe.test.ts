// coexist/dedupe on trees as package managers leave them: what of a package becomes one, what does not, what is reported, and that a program
// runs as it would have otherwise.

import { spawn } from 'node:child_process';
import { cpSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { root, runNode } from '../support/child.js';
import { aDirectory } from '../support/modules.js';

const preload = new URL('../../dist/dedupe.js', import.meta.url).href;
const cli = join(root, 'dist/cli.js');

/** Files by their paths; an object is JSON. */
type Files = Readonly<Record<string, string | object>>;

function write(dir: string, files: Files): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return dir;
}

const tree = (files: Files): string => write(aDirectory(), files);

/** A package at a place, whose CommonJS has a class and its version; what it imports of `one` if it declares a range of that. */
function copy(at: string, version: string, more: object = {}): Files {
  const name = at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return {
    [`${at}/package.json`]: { name, version, ...more },
    [`${at}/index.js`]: `exports.version = '${version}'; exports.Thing = class Thing {};`,
  };
}

function user(name: string, range: string | undefined, specifier = 'one'): Files {
  const dependencies = range === undefined ? {} : { [specifier]: range };
  return {
    [`node_modules/${name}/package.json`]: { name, version: '1.0.0', dependencies },
    [`node_modules/${name}/index.js`]: `module.exports = require('${specifier}');`,
  };
}

interface Line {
  readonly name: string;
  readonly version: string;
  readonly root: string;
  readonly outcome: string;
  readonly into?: { readonly version: string; readonly root: string };
  readonly importer: string;
  readonly range: string;
}

interface Ran<Printed> {
  readonly code: number;
  readonly printed: Printed;
  readonly stdout: string;
  readonly stderr: string;
  /** Without the directory of the tree in it. */
  readonly report: readonly Line[];
}

interface Settings {
  readonly unique?: string;
  readonly policy?: string;
  readonly flags?: readonly string[];
}

let reports = 0;

/** Runs a program of a tree, whose last line on standard output is JSON, with the preload and a report as JSON. */
async function run<Printed>(
  dir: string,
  entry: string,
  { unique = 'one', policy = '', flags = [] }: Settings = {},
): Promise<Ran<Printed>> {
  const to = join(dir, `report-${++reports}.json`);
  const env = { COEXIST_UNIQUE: unique, COEXIST_UNIQUE_POLICY: policy, COEXIST_UNIQUE_REPORT: to };
  const { code, stdout, stderr } = await runNode([...flags, '--import', preload, join(dir, entry)], env);
  const report = readFileSync(to, 'utf8').replaceAll(dir, '');
  return { code, stdout, stderr, printed: printedIn(stdout) as Printed, report: JSON.parse(report) };
}

const printedIn = (stdout: string): unknown => (stdout === '' ? undefined : JSON.parse(stdout.trim()));

/** Prints which versions of `one` these have, and whether all is one. */
const versionsOf = (...names: readonly string[]): string => `
  const all = ${JSON.stringify(names)}.map((name) => require(name));
  console.log(JSON.stringify([all.map(({ version }) => version), new Set(all.map(({ Thing }) => Thing)).size]));
`;

type Versions = readonly [versions: readonly string[], instances: number];

describe('graphql and zod', () => {
  let dir: string;

  function install(name: string, at: string, version: string): void {
    const to = join(dir, at, 'node_modules', name);
    cpSync(join(root, 'node_modules', name), to, {
      recursive: true,
      filter: (file) => !/\.(?:[cm]?ts|map|md)$|\/src$/.test(file),
    });
    const json = JSON.parse(readFileSync(join(to, 'package.json'), 'utf8'));
    writeFileSync(join(to, 'package.json'), JSON.stringify({ ...json, version }));
  }

  beforeAll(() => {
    dir = tree({
      'package.json': { name: 'app', type: 'module' },
      // What a has made, b runs, c prints, and both tell by classes.
      'app.js': `
        import a from 'a'; import * as b from 'b'; import c from 'c'; import old from 'old';
        let error = null, result = null;
        try {
          result = [b.run(a.schema), c.print(a.schema)];
        } catch (caught) {
          error = caught.message.split('\\n')[0];
        }
        const classes = [a, b, c, old].map(({ graphql }) => graphql.GraphQLSchema);
        const zods = [a, b, c].map(({ zod }) => zod);
        console.log(JSON.stringify({
          error, result,
          same: classes.map((one) => one === classes[0]),
          instances: classes.map((one) => a.schema instanceof one),
          zods: zods.map((zod) => zod.z.ZodType === zods[0].z.ZodType && zod.registry === zods[0].registry),
        }));`,
      'node_modules/a/package.json': { name: 'a', dependencies: { graphql: '^16.8.0', zod: '^4.0.0' } },
      'node_modules/a/index.js': `
        const graphql = require('graphql'), zod = require('zod');
        module.exports = { graphql, zod, schema: graphql.buildSchema('type Query { n: Int }') };`,
      'node_modules/b/package.json': {
        name: 'b',
        type: 'module',
        exports: './index.js',
        peerDependencies: { graphql: '^16.9.0' },
        dependencies: { zod: '^4.3.0' },
      },
      'node_modules/b/index.js': `
        import * as graphql from 'graphql'; import * as zod from 'zod'; import { graphqlSync } from 'graphql';
        export { graphql, zod };
        export const run = (schema) => graphqlSync({ schema, rootValue: { n: 7 }, source: '{ n }' }).data.n;`,
      'node_modules/c/package.json': { name: 'c', dependencies: { graphql: '16.x', zod: '^4.0.0' } },
      'node_modules/c/index.js': `
        const graphql = require('graphql'), zod = require('zod');
        module.exports = { graphql, zod, print: graphql.printSchema };`,
      'node_modules/old/package.json': { name: 'old', dependencies: { graphql: '^15.0.0' } },
      'node_modules/old/index.js': `exports.graphql = require('graphql');`,
    });
    install('graphql', '.', '15.10.0');
    for (const [at, graphql, zod] of [
      ['node_modules/a', '16.8.0', '4.1.0'],
      ['node_modules/b', '16.15.0', '4.6.7'],
      ['node_modules/c', '16.9.0', '4.3.0'],
    ] as const) {
      install('graphql', at, graphql);
      install('zod', at, zod);
    }
  });

  const one = {
    error: null,
    result: [7, 'type Query {\n  n: Int\n}'],
    same: [true, true, true, false],
    instances: [true, true, true, false],
    zods: [true, true, true],
  };

  test('without it: graphql says that there are two', async () => {
    const { stdout } = await runNode([join(dir, 'app.js')]);
    expect(printedIn(stdout)).toEqual({
      error: expect.stringMatching(/^Cannot use GraphQLSchema .* from another module or realm/),
      result: null,
      same: [true, false, false, false],
      instances: [true, false, false, false],
      zods: [true, false, false],
    });
  });

  test('with the preload: one instance of all that are in range, and the report says which', async () => {
    const { code, printed, stderr, report } = await run(dir, 'app.js', { unique: 'graphql, zod' });
    expect({ code, stderr, printed }).toEqual({ code: 0, stderr: '', printed: one });
    const graphql = { version: '16.15.0', root: '/node_modules/b/node_modules/graphql' };
    const zod = { version: '4.6.7', root: '/node_modules/b/node_modules/zod' };
    const at = (place: string, name: string, version: string) => ({
      name,
      version,
      root: `/${place === '' ? '' : `node_modules/${place}/`}node_modules/${name}`,
    });
    const merged = (importer: string, range: string) => ({ outcome: 'merged', importer, range });
    const byText = (a: object, b: object) => JSON.stringify(a).localeCompare(JSON.stringify(b));
    expect([...report].sort(byText)).toEqual(
      [
        { ...at('b', 'graphql', '16.15.0'), outcome: 'master', importer: '', range: '' },
        { ...at('b', 'zod', '4.6.7'), outcome: 'master', importer: '', range: '' },
        { ...at('', 'graphql', '15.10.0'), outcome: 'master', importer: '', range: '' },
        { ...at('', 'graphql', '15.10.0'), outcome: 'kept', importer: 'old', range: '^15.0.0', into: graphql },
        { ...at('a', 'graphql', '16.8.0'), ...merged('a', '^16.8.0'), into: graphql },
        { ...at('c', 'graphql', '16.9.0'), ...merged('c', '16.x'), into: graphql },
        { ...at('a', 'zod', '4.1.0'), ...merged('a', '^4.0.0'), into: zod },
        { ...at('c', 'zod', '4.3.0'), ...merged('c', '^4.0.0'), into: zod },
      ]
        .map((line) => expect.objectContaining(line))
        .sort((a, b) => byText(a.sample, b.sample)),
    );
    expect(report).toHaveLength(8);
  });

  test('by the command: the same, and the report on standard error', async () => {
    const { code, stdout, stderr } = await runNode([cli, 'dedupe', '--unique', 'graphql,zod', join(dir, 'app.js')]);
    expect({ code, printed: printedIn(stdout) }).toEqual({ code: 0, printed: one });
    const at = (place: string) => join(dir, 'node_modules', place);
    const into = `merged into 16.15.0 in ${at('b/node_modules/graphql')}`;
    expect(stderr.trim().split('\n').sort()).toEqual(
      [
        `coexist/dedupe: graphql 16.8.0 in ${at('a/node_modules/graphql')}: ${into} (a wants ^16.8.0)`,
        `coexist/dedupe: graphql 16.9.0 in ${at('c/node_modules/graphql')}: ${into} (c wants 16.x)`,
        `coexist/dedupe: graphql 15.10.0 in ${at('graphql')}: kept, since old wants ^15.0.0, and the other copy is 16.15.0`,
        `coexist/dedupe: zod 4.1.0 in ${at('a/node_modules/zod')}: merged into 4.6.7 in ${at('b/node_modules/zod')} (a wants ^4.0.0)`,
        `coexist/dedupe: zod 4.3.0 in ${at('c/node_modules/zod')}: merged into 4.6.7 in ${at('b/node_modules/zod')} (c wants ^4.0.0)`,
      ].sort(),
    );
  });
});

describe.concurrent('a copy out of range', () => {
  let dir: string;
  beforeAll(() => {
    dir = tree({
      'app.js': versionsOf('a', 'b'),
      ...user('a', '^1.0.0'),
      ...user('b', '^2.0.0'),
      ...copy('node_modules/one', '1.0.0'),
      ...copy('node_modules/b/node_modules/one', '2.0.0'),
    });
  });

  test.each(['', 'private'])('policy %j: it stays its own', async (policy) => {
    const { code, printed, stderr, report } = await run<Versions>(dir, 'app.js', { policy });
    expect({ code, stderr, printed }).toEqual({ code: 0, stderr: '', printed: [['1.0.0', '2.0.0'], 2] });
    expect(report.map(({ version, outcome }) => `${version} ${outcome}`).sort()).toEqual([
      '1.0.0 master',
      '2.0.0 kept',
      '2.0.0 master',
    ]);
  });

  test('policy warn: it gives way, with a warning', async () => {
    const { code, printed, stderr, report } = await run<Versions>(dir, 'app.js', { policy: 'warn' });
    expect({ code, printed }).toEqual({ code: 0, printed: [['1.0.0', '1.0.0'], 1] });
    expect(stderr).toContain('[COEXIST_ENAMESPACE] CoexistWarning: b wants one ^2.0.0, and gets 1.0.0');
    expect(report).toContainEqual(expect.objectContaining({ version: '2.0.0', outcome: 'warned', importer: 'b' }));
  });

  test.each(['app.js', 'app.mjs'])('policy throw, %s: who asks for it fails', async (entry) => {
    write(dir, { 'app.mjs': `await import('a'); await import('one-of-b');`, ...user('one-of-b', '^2.0.0') });
    mkdirSync(join(dir, 'node_modules/one-of-b/node_modules'), { recursive: true });
    cpSync(join(dir, 'node_modules/b/node_modules/one'), join(dir, 'node_modules/one-of-b/node_modules/one'), {
      recursive: true,
    });
    const { code, stdout, stderr } = await run(dir, entry, { policy: 'throw' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('COEXIST_EREFUSED');
    expect(stderr).toMatch(/wants one \^2\.0\.0, and the copy that stands for all is 1\.0\.0 in/);
  });
});

describe.concurrent('which copy', () => {
  test('the highest that is in range, so that the order does not matter', async () => {
    const files = {
      ...user('a', '^1.1.0'),
      ...user('b', '^1.4.0'),
      ...user('c', '>=1'),
      ...copy('node_modules/one', '2.0.0'),
      ...copy('node_modules/a/node_modules/one', '1.1.0'),
      ...copy('node_modules/b/node_modules/one', '1.9.0'),
      ...copy('node_modules/c/node_modules/one', '1.5.0'),
      ...copy('node_modules/d/node_modules/one', '1.10.0-rc.1'),
    };
    for (const order of [
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'a', 'b'],
    ]) {
      // c would accept 2.0.0, and has 1.5.0: nobody gets another major version, nor a prerelease, by that.
      const { printed } = await run<Versions>(tree({ ...files, 'app.js': versionsOf(...order) }), 'app.js');
      expect(printed).toEqual([['1.9.0', '1.9.0', '1.9.0'], 1]);
    }
  });

  test('what is loaded stays, and nobody gets an older one than all accept', async () => {
    const dir = tree({
      'app.js': versionsOf('exact', 'b', 'c'),
      ...user('exact', '1.1.0'),
      ...user('b', '^1.4.0'),
      ...user('c', '^1.0.0'),
      ...copy('node_modules/exact/node_modules/one', '1.1.0'),
      ...copy('node_modules/b/node_modules/one', '1.9.0'),
      ...copy('node_modules/c/node_modules/one', '1.5.0'),
    });
    const { printed, report } = await run<Versions>(dir, 'app.js');
    expect(printed).toEqual([['1.1.0', '1.9.0', '1.1.0'], 2]);
    expect(report).toContainEqual(expect.objectContaining({ version: '1.9.0', outcome: 'kept', range: '^1.4.0' }));
  });

  test.each(['1.2', 'next'])('a version that is none: %s', async (version) => {
    const dir = tree({
      'app.js': versionsOf('a'),
      ...user('a', '*'),
      ...copy('node_modules/a/node_modules/one', version),
      ...copy('node_modules/one', '1.9.0'),
    });
    const { code, printed } = await run<Versions>(dir, 'app.js');
    expect({ code, printed }).toEqual({ code: 0, printed: [[version], 1] });
  });
});

describe('ranges, as they are declared', () => {
  const cases = [
    ['workspace:^1.0.0', '1.0.0', true],
    ['workspace:*', '1.0.0', true],
    ['workspace:^', '1.0.0', true],
    ['*', '3.0.0', true],
    ['', '3.0.0', true],
    ['^1.0.0 || ^2.0.0', '2.0.0', true],
    ['git+https://example.test/one.git#v1', '1.0.0', true],
    ['^2.0.0-beta.1', '2.0.0-beta.2', false],
    ['git+https://example.test/one.git#v2', '2.0.0', false],
    ['catalog:', '2.0.0', false],
    ['latest', '2.0.0', false],
    [undefined, '1.0.0', true],
    [undefined, '2.0.0', false],
    ['^1.8.0-beta.1', '1.8.0-beta.1', true],
    ['~1.8.0', '1.8.0', false],
    ['npm:one@^1.0.0', '1.0.0', true],
    ['npm:one', '1.0.0', true],
    ['npm:one@~1.8.0', '1.8.0', false],
  ] as const;
  const isAlias = (range: string | undefined) => range?.startsWith('npm:') === true;
  let same: readonly boolean[];

  beforeAll(async () => {
    let files: Files = { ...user('first', '1.9.0'), ...copy('node_modules/one', '1.9.0') };
    for (const [k, [range, version]] of cases.entries()) {
      const name = isAlias(range) ? 'uno' : 'one';
      files = {
        ...files,
        ...user(`user-${k}`, range, name),
        ...copy(`node_modules/user-${k}/node_modules/${name}`, version, { name: 'one' }),
      };
    }
    const dir = tree({
      ...files,
      'app.js': `
        const { Thing } = require('first');
        console.log(JSON.stringify(Array.from({ length: ${cases.length} }, (_, k) => require('user-' + k).Thing === Thing)));`,
    });
    const { code, stderr, printed } = await run<readonly boolean[]>(dir, 'app.js');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    same = printed;
  });

  test.each(cases.map((row, k) => [...row, k] as const))(
    '%s, with a copy of %s: merged into 1.9.0 %s',
    (_, __, merged, k) => {
      expect(same[k]).toBe(merged);
    },
  );
});

describe.concurrent('how it is asked for', () => {
  const dual = (at: string, version: string): Files => ({
    [`${at}/package.json`]: {
      name: '@scope/dual',
      version,
      exports: {
        '.': { import: './index.mjs', require: './index.cjs' },
        './sub': { import: './sub.mjs', require: './sub.cjs' },
        './package.json': './package.json',
      },
    },
    [`${at}/index.mjs`]: `export class Thing {} export const version = '${version}';`,
    [`${at}/index.cjs`]: `exports.Thing = class Thing {}; exports.version = '${version}';`,
    [`${at}/sub.mjs`]: `export class Part {}`,
    [`${at}/sub.cjs`]: `exports.Part = class Part {};`,
  });
  let dir: string;
  beforeAll(() => {
    dir = tree({
      'package.json': { name: 'app', dependencies: { '@scope/dual': '^1.0.0' } },
      ...dual('node_modules/@scope/dual', '1.2.0'),
      'node_modules/c/package.json': { name: 'c', dependencies: { '@scope/dual': '^1.1.0' } },
      'node_modules/c/index.js': `
        Object.assign(exports, require('@scope/dual'), require('@scope/dual/sub'));
        exports.json = require('@scope/dual/package.json').version;
        exports.at = require.resolve('@scope/dual');
        exports.again = require(exports.at).Thing;
        exports.late = () => import('@scope/dual');`,
      ...dual('node_modules/c/node_modules/@scope/dual', '1.1.0'),
      'm.mjs': `
        import { createRequire } from 'node:module';
        export * from '@scope/dual';
        export * from '@scope/dual/sub';
        export const at = import.meta.resolve('@scope/dual');
        export const required = createRequire(import.meta.url)('@scope/dual').Thing;`,
      'tell.cjs': `
        const { pathToFileURL } = require('node:url');
        module.exports = async (m, c) => console.log(JSON.stringify({
          same: [c.Thing, c.again, (await c.late()).Thing, m.required].map((Thing) => Thing === m.Thing),
          part: c.Part === m.Part,
          instance: new m.Thing() instanceof c.Thing,
          version: [m.version, c.version, c.json],
          at: m.at === pathToFileURL(c.at).href,
        }));`,
      'import-first.mjs': `
        import * as m from './m.mjs'; import c from 'c'; import tell from './tell.cjs';
        await tell(m, c);`,
      'require-first.cjs': `const c = require('c'); import('./m.mjs').then((m) => require('./tell.cjs')(m, c));`,
      'required-only.cjs': `console.log(JSON.stringify([require('c').version, require('@scope/dual').Thing.name]));`,
    });
  });

  test.each(['import-first.mjs', 'require-first.cjs'])(
    'a dual package by import and by require(), a part of it, its package.json, its path: %s',
    async (entry) => {
      const { code, printed } = await run(dir, entry, { unique: '@scope/dual' });
      expect({ code, printed }).toEqual({
        code: 0,
        printed: {
          same: [true, true, true, true],
          part: true,
          instance: true,
          version: ['1.2.0', '1.2.0', '1.2.0'],
          at: true,
        },
      });
    },
  );

  test('without it, the same program has four of them', async () => {
    const { stdout } = await runNode([join(dir, 'import-first.mjs')]);
    expect(printedIn(stdout)).toMatchObject({
      same: [false, false, false, false],
      part: false,
      instance: false,
      version: ['1.2.0', '1.1.0', '1.1.0'],
      at: false,
    });
  });

  test('a package whose exports have something for require() only', async () => {
    const only = { exports: { '.': { require: './index.js' } } };
    const dir = tree({
      'app.js': versionsOf('a', 'b'),
      ...user('a', '^1.0.0'),
      ...user('b', '^1.0.0'),
      ...copy('node_modules/one', '1.2.0', only),
      ...copy('node_modules/b/node_modules/one', '1.1.0', only),
    });
    const { printed } = await run<Versions>(dir, 'app.js');
    expect(printed).toEqual([['1.2.0', '1.2.0'], 1]);
  });

  test('a part of a package that has a package.json with a name of its own', async () => {
    const part = (at: string): Files => ({
      [`${at}/part/package.json`]: { name: 'one-part', main: './part.js' },
      [`${at}/part/part.js`]: `exports.Part = class Part {}; exports.Thing = require('one').Thing;`,
    });
    const dir = tree({
      'app.js': `
        const [a, b] = [require('a'), require('b')];
        console.log(JSON.stringify([a.Part === b.Part, a.Thing === b.Thing]));`,
      ...user('a', '^1.0.0', 'one/part'),
      ...user('b', '^1.0.0', 'one/part'),
      ...copy('node_modules/one', '1.2.0'),
      ...part('node_modules/one'),
      ...copy('node_modules/b/node_modules/one', '1.1.0'),
      ...part('node_modules/b/node_modules/one'),
    });
    expect((await run(dir, 'app.js')).printed).toEqual([true, true]);
  });

  test('a file that the one that stands for all does not have: only that file stays', async () => {
    const dir = tree({
      'app.js': `
        const [a, file, b] = [require('a'), require('b/file'), require('b')];
        console.log(JSON.stringify([a.Thing === b.Thing, file.more]));`,
      ...user('a', '1.2.0'),
      ...user('b', '^1.0.0'),
      'node_modules/b/file.js': `module.exports = require('one/more');`,
      ...copy('node_modules/one', '1.2.0'),
      ...copy('node_modules/b/node_modules/one', '1.1.0'),
      'node_modules/b/node_modules/one/more.js': `exports.more = 'more';`,
    });
    const { code, printed, report } = await run(dir, 'app.js');
    expect({ code, printed }).toEqual({ code: 0, printed: [true, 'more'] });
    expect(report.filter(({ outcome }) => outcome === 'master')).toHaveLength(1);
    expect((await run(dir, 'app.js', { policy: 'throw' })).stderr).toMatch(
      /b asks for one\/more, of which the copy that stands for all, 1\.2\.0 in .*, has no file/,
    );
  });
});

describe.concurrent('layouts', () => {
  test("pnpm's: by links, and with files that many packages share", async () => {
    const store = 'node_modules/.pnpm';
    const dir = tree({
      'app.js': versionsOf('a', 'b'),
      'other.js': `require('a'); console.log(JSON.stringify(require('other').version ?? 'its own'));`,
      ...copy(`${store}/one@1.0.0/node_modules/one`, '1.0.0'),
      ...copy(`${store}/one@1.4.0/node_modules/one`, '1.4.0'),
      [`${store}/other@1.0.0/node_modules/other/package.json`]: { name: 'other', version: '1.0.0' },
      [`${store}/other@1.0.0/node_modules/other/lib.js`]: `exports.own = true;`,
    });
    for (const [name, range, version] of [
      ['a', '^1.0.0', '1.0.0'],
      ['b', '^1.2.0', '1.4.0'],
    ] as const) {
      const at = join(dir, store, `${name}@1.0.0/node_modules`);
      write(dir, {
        [`${store}/${name}@1.0.0/node_modules/${name}/package.json`]: { name, dependencies: { one: range } },
        [`${store}/${name}@1.0.0/node_modules/${name}/index.js`]: `module.exports = require('one');`,
      });
      symlinkSync(`../../one@${version}/node_modules/one`, join(at, 'one'));
      symlinkSync(`.pnpm/${name}@1.0.0/node_modules/${name}`, join(dir, 'node_modules', name));
    }
    symlinkSync('.pnpm/other@1.0.0/node_modules/other', join(dir, 'node_modules/other'));
    const { printed, report } = await run<Versions>(dir, 'app.js');
    expect(printed).toEqual([['1.4.0', '1.4.0'], 1]);
    expect(report.map(({ root }) => root)).toContain(`/${store}/one@1.0.0/node_modules/one`);

    // The same content in two packages is one file of the store; `other` is none of the unique package's all the same.
    const text = `try { module.exports = require('./lib.js'); } catch { exports.version = 'one'; exports.Thing = class {}; }`;
    for (const version of ['1.0.0', '1.4.0'])
      write(dir, { [`${store}/one@${version}/node_modules/one/index.js`]: text });
    const shared = join(dir, store, 'one@1.4.0/node_modules/one/index.js');
    linkSync(shared, join(dir, store, 'other@1.0.0/node_modules/other/index.js'));
    expect((await run(dir, 'other.js')).printed).toBe('its own');
  });

  test('workspaces: packages behind links, with copies of their own', async () => {
    const dir = tree({
      'package.json': { name: 'all', workspaces: ['packages/*'] },
      'packages/w/package.json': { name: 'w', dependencies: { one: '^1.1.0' } },
      'packages/w/index.js': `module.exports = require('one');`,
      'packages/v/package.json': { name: 'v', dependencies: { one: '^1.0.0', w: 'workspace:*' } },
      'packages/v/app.js': `
        const [v, w] = [require('one'), require('w')];
        console.log(JSON.stringify([[v.version, w.version], v.Thing === w.Thing]));`,
      ...copy('node_modules/one', '1.0.0'),
      ...copy('packages/w/node_modules/one', '1.3.0'),
      ...copy('packages/v/node_modules/one', '1.0.5'),
    });
    symlinkSync('../packages/w', join(dir, 'node_modules/w'));
    symlinkSync('../packages/v', join(dir, 'node_modules/v'));
    expect((await run(dir, 'packages/v/app.js')).printed).toEqual([['1.3.0', '1.3.0'], true]);
  });

  test('a unique package that is a workspace itself: its links are one', async () => {
    const dir = tree({
      'app.js': versionsOf('a', 'one'),
      ...user('a', 'workspace:*'),
      'packages/one/package.json': { name: 'one', version: '0.0.0' },
      'packages/one/index.js': `exports.version = '0.0.0'; exports.Thing = class {};`,
    });
    symlinkSync('../packages/one', join(dir, 'node_modules/one'));
    const { printed, report } = await run<Versions>(dir, 'app.js');
    expect({ printed, count: report.length }).toEqual({ printed: [['0.0.0', '0.0.0'], 1], count: 1 });
  });
});

describe.concurrent('settings and endings', () => {
  let dir: string;
  beforeAll(() => {
    dir = tree({
      'app.js': versionsOf('a', 'b'),
      'away.js': `require('a'); require('b'); process.chdir('/'); process.exitCode = 3;`,
      'worker.mjs': `
        import { Worker } from 'node:worker_threads';
        const worker = new Worker(new URL('in-worker.cjs', import.meta.url));
        worker.once('message', (found) => console.log(JSON.stringify(found)));`,
      'in-worker.cjs': `
        const [a, b] = [require('a'), require('b')];
        import('one').then((one) => require('node:worker_threads').parentPort.postMessage(
          [a.version, b.version, a.Thing === b.Thing, one.Thing === a.Thing]));`,
      'ends.js': `
        if (process.argv[2] === 'wait') {
          process.on('SIGHUP', () => process.exit(7));
          setInterval(() => {}, 1e3);
          console.log('ready');
        } else {
          console.log(JSON.stringify([process.argv.slice(2), process.execArgv.slice(2), typeof gc]));
          process.exitCode = 5;
        }`,
      ...user('a', '^1.0.0'),
      ...user('b', '^1.0.0'),
      ...copy('node_modules/one', '1.0.0'),
      ...copy('node_modules/b/node_modules/one', '1.3.0'),
    });
  });

  test.each([
    ['nothing', {}, 'coexist/dedupe has nothing to do: COEXIST_UNIQUE names no package'],
    ['commas only', { COEXIST_UNIQUE: ' ,,' }, 'coexist/dedupe has nothing to do'],
    ['no name', { COEXIST_UNIQUE: 'one,a b' }, 'coexist/dedupe does nothing: COEXIST_EINVAL: names'],
    ['a path', { COEXIST_UNIQUE: 'one/index.js' }, 'coexist/dedupe does nothing: COEXIST_EINVAL: names'],
    [
      'a policy that there is none of',
      { COEXIST_UNIQUE: 'one', COEXIST_UNIQUE_POLICY: 'merge' },
      'coexist/dedupe does nothing: COEXIST_EINVAL: policy',
    ],
  ])('%s: said, and the program runs as without it', async (_, env, said) => {
    const given = { COEXIST_UNIQUE: '', COEXIST_UNIQUE_POLICY: '', COEXIST_UNIQUE_REPORT: '', ...env };
    const { code, stdout, stderr } = await runNode(['--import', preload, join(dir, 'app.js')], given);
    expect({ code, printed: printedIn(stdout) }).toEqual({ code: 0, printed: [['1.0.0', '1.3.0'], 2] });
    expect(stderr).toContain(`[COEXIST_EINVAL] CoexistWarning: ${said}`);
  });

  test('names with spaces around them, and names that nobody imports', async () => {
    const { code, printed, stderr } = await run<Versions>(dir, 'app.js', { unique: ' one ,@never/there,' });
    expect({ code, printed, stderr }).toEqual({ code: 0, printed: [['1.3.0', '1.3.0'], 1], stderr: '' });
  });

  test('a Worker inherits it', async () => {
    const { code, printed } = await run(dir, 'worker.mjs');
    expect({ code, printed }).toEqual({ code: 0, printed: ['1.3.0', '1.3.0', true, true] });
  });

  test('the report: nowhere, and to a path from where the program has started', async () => {
    const nowhere = { COEXIST_UNIQUE: 'one', COEXIST_UNIQUE_REPORT: '0' };
    expect(await runNode(['--import', preload, join(dir, 'away.js')], nowhere)).toMatchObject({ code: 3, stderr: '' });
    const away = { COEXIST_UNIQUE: 'one', COEXIST_UNIQUE_REPORT: 'build/dedupe-report.json' };
    expect(await runNode(['--import', preload, join(dir, 'away.js')], away)).toMatchObject({ code: 3, stderr: '' });
    expect(JSON.parse(readFileSync(join(root, away.COEXIST_UNIQUE_REPORT), 'utf8'))).toHaveLength(2);
    rmSync(join(root, away.COEXIST_UNIQUE_REPORT));
  });

  test('a report that cannot be written: said, and the exit code is the same', async () => {
    const env = { COEXIST_UNIQUE: 'one', COEXIST_UNIQUE_REPORT: join(dir, 'none/report.json') };
    const { code, stderr } = await runNode(['--import', preload, join(dir, 'away.js')], env);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^coexist\/dedupe: the report could not be written: ENOENT.*\n$/);
  });

  test("the command: the program's exit code, its arguments, and flags for node", async () => {
    const { code, stdout } = await runNode([
      ...[cli, 'dedupe', '--unique=one', '--unique', 'zod', '--policy', 'warn', '--report', '0'],
      ...['--expose-gc', join(dir, 'ends.js'), '--help', '--unique', 'x'],
    ]);
    expect({ code, printed: printedIn(stdout) }).toEqual({
      code: 5,
      printed: [['--help', '--unique', 'x'], ['--expose-gc'], 'function'],
    });
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 7],
    ['SIGUSR2', 140],
  ] as const)('the command: %s goes to the program, and its end is the exit code', async (signal, expected) => {
    const child = spawn(process.execPath, [cli, 'dedupe', '--unique', 'one', join(dir, 'ends.js'), 'wait'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill(signal);
    expect(await ended).toBe(expected);
  });

  test('the command: --help, and arguments that make no sense', async () => {
    const help = await runNode([cli, 'dedupe', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toMatch(/^usage: coexist dedupe --unique NAME/);
    for (const args of [[], ['--unique'], ['--unique', 'one'], ['--unique', '', 'app.js'], ['app.js'], ['--unique=']]) {
      expect(await runNode([cli, 'dedupe', ...args])).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/^usage: coexist dedupe/),
      });
    }
  });
});
