// A graph of every kind of module that tells facts about itself, outside of namespaces and in them. The facts of a namespace, with its tags taken
// out, are to be those of a process without the library.

import { expect } from 'vitest';
import { type ChildContext, inChild } from './child.js';
import { type Library, library, symlink, type Tree } from './namespace-trees.js';

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
/** Whether Node takes the types out by itself. */
const STRIPS = major > 22 || (major === 22 && minor >= 18);

const ODD = 'node_modules/odd päckage/with space';

/** What the graph tells. `probe` is of the tests: it notes an evaluation. */
export const parityTree: Tree = {
  'package.json': {
    name: 'program',
    version: '1.0.0',
    type: 'module',
    imports: { '#inner': './inner.js', '#inner-cjs': './inner.cjs' },
    exports: { '.': './facts.js', './inner': './inner.js' },
  },
  'data.json': { data: [1] },
  'text.txt': 'text beside it',
  'inner.js': `export const at = import.meta.url; export let count = 0; export const up = () => ++count;`,
  'inner.cjs': `exports.at = __filename; exports.count = 0; exports.up = () => ++exports.count; if (exports.never) exports['quoted name'] = 1;`,
  'linked.js': symlink('inner.js'),
  'linked.cjs': symlink('inner.cjs'),
  'reexport.cjs': `module.exports = require('./inner.cjs');`,
  // Of CommonJS: import(), lazy require(), JSON, an ES module.
  'uses.cjs': `
    exports.inner = require('./inner.cjs');
    exports.data = require('./data.json');
    exports.esm = require('./leaf.mjs');
    exports.imported = () => import('./inner.js');
    exports.lazy = () => require('./lazy.cjs');
    exports.evaluated = () => eval("import('./inner.js')");
    exports.dir = __dirname;
    exports.resolve = [require.resolve('./inner.cjs'), require.resolve('./inner', { paths: [__dirname] }), require.resolve('dual'), require.resolve('fs')];
    exports.cached = () => Object.keys(require.cache).filter((at) => at.startsWith(__dirname)).sort();
    exports.parent = () => [module.children.length > 0, module.id === __filename, require.main === module];
    exports.tla = () => { try { require('./tla.mjs'); return 'required'; } catch (error) { return error.code; } };
    exports.missing = () => { try { require('./none.cjs'); } catch (error) { return [error.code, error.message]; } };
  `,
  'lazy.cjs': `module.exports = { at: __filename, inner: require('./inner.cjs') };`,
  'leaf.mjs': `export const at = import.meta.url; export class Leaf {}`,
  'with-default.mjs': `export default class {}`,
  'tla.mjs': `export const value = await Promise.resolve('awaited');`,
  'circle-a.mjs': `import { b } from './circle-b.mjs'; export const a = () => 'a'; export const both = () => a() + b(); export { early } from './circle-b.mjs';`,
  'circle-b.mjs': `import { a } from './circle-a.mjs'; export const b = () => 'b' + a(); export let early; try { early = typeof a; } catch (error) { early = error.name; }`,
  'circle-a.cjs': `exports.done = false; exports.saw = require('./circle-b.cjs').saw; exports.done = true;`,
  'circle-b.cjs': `exports.saw = require('./circle-a.cjs').done;`,
  'throws.mjs': `export function fail() {\n  throw new Error('failed here');\n}`,
  // The map says that this is line 7 of original.ts.
  'mapped.cjs': `exports.fail = () => { throw new Error('mapped'); };\n//# sourceMappingURL=mapped.cjs.map\n`,
  'mapped.cjs.map': {
    version: 3,
    file: 'mapped.cjs',
    sources: ['original.ts'],
    names: [],
    mappings: 'AAMA',
  },
  'typed.ts': `const n: number = 7; export const typed: number = n; export { at } from './inner.js';`,
  'typed-cjs.cts': `const n: number = 8; exports.typed = n as number;`,
  'node_modules/dual/package.json': {
    name: 'dual',
    version: '1.0.0',
    exports: { import: './dual.mjs', require: './dual.cjs' },
  },
  'node_modules/dual/dual.mjs': `export const how = 'import'; export const at = import.meta.url;`,
  'node_modules/dual/dual.cjs': `exports.how = 'require'; exports.at = __filename;`,
  [`${ODD}/package.json`]: { name: 'odd', version: '1.0.0', type: 'module' },
  [`${ODD}/index.js`]: `export const at = import.meta.url; export { inner } from './inner.cjs'; export const part = () => import('./p%C3%A4rt%20%231%3F.js');`,
  [`${ODD}/inner.cjs`]: `exports.inner = __filename;`,
  [`${ODD}/pärt #1?.js`]: `export const at = import.meta.filename;`,
  // As pnpm lays packages out.
  'node_modules/.pnpm/one@1.0.0/node_modules/one/package.json': { name: 'one', version: '1.0.0', main: 'index.js' },
  'node_modules/.pnpm/one@1.0.0/node_modules/one/index.js': `exports.at = __filename; exports.two = require('two');`,
  'node_modules/.pnpm/two@1.0.0/node_modules/two/package.json': { name: 'two', version: '1.0.0', main: 'index.js' },
  'node_modules/.pnpm/two@1.0.0/node_modules/two/index.js': `exports.at = __filename;`,
  'node_modules/.pnpm/one@1.0.0/node_modules/two': symlink('../../two@1.0.0/node_modules/two'),
  'node_modules/one': symlink('.pnpm/one@1.0.0/node_modules/one'),
  'facts.js': `
    import { createRequire, isBuiltin } from 'node:module';
    import { readFileSync } from 'node:fs';
    import { fileURLToPath, pathToFileURL } from 'node:url';
    import data from './data.json' with { type: 'json' };
    import * as inner from './inner.js';
    import cjs, { at as cjsAt, up } from './inner.cjs';
    import * as reexport from './reexport.cjs';
    import uses from './uses.cjs';
    import * as leaf from './leaf.mjs';
    import * as hashInner from '#inner';
    import hashCjs from '#inner-cjs';
    import * as self from 'program/inner';
    import * as dual from 'dual';
    import { both, early } from './circle-a.mjs';
    import circle from './circle-a.cjs';
    import { fail } from './throws.mjs';
    import mapped from './mapped.cjs';
    import * as odd from './${encodeURI(ODD)}/index.js';

    const require = createRequire(import.meta.url);
    const tla = await import('./tla.mjs');
    const stackOf = (run) => { try { run(); return ''; } catch (error) { return error.stack.split('\\n')[1]; } };
    const errorOf = (run) => run().then(() => 'nothing', (error) => [error.code, error.message]);

    export const ids = { inner, cjs, leaf, dual, data, tla };
    export async function facts({ strips, pnpm }) {
      // The layout wants links to be followed.
      const { default: one, two } = pnpm ? await import('one') : { default: {}, two: {} };
      const linked = await import('./linked.js');
      inner.up();
      up();
      const queried = await import('./inner.js?v=1');
      const queriedAgain = await import('./inner.js?v=1');
      const hashed = await import('./inner.js?v=1#x');
      const imported = await import('./inner.js');
      return {
        meta: [import.meta.url, import.meta.dirname, import.meta.filename, import.meta.resolve('./inner.js'), import.meta.resolve('dual'), import.meta.resolve('node:fs')],
        read: [readFileSync(new URL('./text.txt', import.meta.url), 'utf8'), JSON.parse(readFileSync(new URL('data.json', import.meta.url), 'utf8'))],
        esm: [inner.at, inner.count, hashInner === inner, self === inner, imported === inner],
        cjs: [cjsAt, cjs.count, Object.keys(cjs), Object.keys(reexport).sort(), reexport.default === cjs, hashCjs === cjs, uses.inner === cjs, require('./inner.cjs') === cjs],
        json: [data, uses.data, data === require('./data.json'), uses.data === require('./data.json')],
        requireEsm: [uses.esm === leaf, require('./leaf.mjs') === leaf, leaf.at, require('./with-default.mjs').default === (await import('./with-default.mjs')).default],
        importInCjs: [(await uses.imported()) === inner, (await uses.evaluated()) === inner],
        lazy: [uses.lazy().at, uses.lazy().inner === cjs, uses.lazy() === uses.lazy()],
        resolve: uses.resolve,
        cached: uses.cached(),
        parent: uses.parent(),
        requireTla: uses.tla(),
        missing: [uses.missing(), await errorOf(() => import('./none.js')), await errorOf(() => import('no-such-package'))],
        tla: tla.value,
        circles: [both(), early, circle],
        dual: [dual.how, require('dual').how, dual.at, require('dual').at, require('dual') === require('dual')],
        // The engine takes functions of one text for the same, with the place of the one before.
        function: [await new Function('at', 'return import(at); // ' + import.meta.url)(new URL('./inner.js', import.meta.url).href) === inner, (await eval("import('./inner.js')")) === inner],
        byRealUrl: (await import(pathToFileURL(process.env.REAL + '/inner.js').href)) === inner,
        byRealPath: [(await import(process.env.REAL + '/inner.js')) === inner, require(process.env.REAL + '/inner.cjs') === cjs],
        requireOfRealPath: createRequire(process.env.REAL + '/somewhere.js').resolve('./inner.cjs'),
        stacks: [stackOf(fail), stackOf(mapped.fail)],
        pnpm: pnpm ? [one.at, two.at, two === require('one').two] : [],
        linked: [linked.at, linked === inner, require('./linked.cjs') === cjs],
        odd: [odd.at, odd.inner, (await odd.part()).at],
        query: [queried.at, queried === queriedAgain, queried === inner, hashed === queried, hashed.at],
        builtin: [isBuiltin('fs'), require('fs') === process.getBuiltinModule('fs')],
        typed: strips ? [(await import('./typed.ts')).typed, require('./typed-cjs.cts').typed, (await import('./typed.ts')).at] : [],
        dirs: [uses.dir, fileURLToPath(import.meta.url)],
      };
    }
  `,
};

interface Given {
  readonly strips: boolean;
  readonly pnpm: boolean;
}

interface Facts {
  facts(given: Given): Promise<Record<string, unknown>>;
  ids: Record<string, object>;
}

const givenWith = (flags: readonly string[]): Given => ({
  strips: STRIPS,
  pnpm: !flags.includes('--preserve-symlinks'),
});

/** What the graph tells in a process that knows nothing of namespaces. */
export async function outside(dir: string, flags: readonly string[]) {
  const { result, stderr } = await inChild(
    async ({ load }, { dir, given }) => {
      const program = await load<Facts>(`file://${dir}/facts.js`);
      return program.facts(given);
    },
    { dir, given: givenWith(flags) },
    { flags, env: { REAL: dir } },
  );
  expect(result, stderr).toBeDefined();
  return result;
}

/** What it tells in two namespaces and in the base beside them, without tags, and what there is to say of that. A step of a child. */
export const besideStep = async ({ load }: ChildContext, { library, dir, given }: BesideArguments) => {
  const { BASE, iterate, namespaceOf, openNamespace, untag } = await load<Library>(library);
  const from = `${dir}/program.js`;
  const [a, b] = [openNamespace({ from }), openNamespace({ from })];
  const told: unknown[] = [];
  const ids: Record<string, object>[] = [];
  const tagged: unknown[] = [];
  for (const ns of [a, b]) {
    const handle = await ns.open('./facts.js');
    const program = handle.module as Facts;
    const facts = await program.facts(given);
    const text = JSON.stringify(facts);
    told.push(JSON.parse(untag(text)));
    ids.push(program.ids);
    const [url, dirname] = facts['meta'] as string[];
    tagged.push([
      namespaceOf(url as string) === ns.id,
      namespaceOf(dirname as string) === ns.id,
      (facts['cached'] as string[]).every((at) => namespaceOf(at) === ns.id),
      (facts['stacks'] as string[]).every((line) => untag(line) !== line),
    ]);
  }
  const base = await load<Facts>(`file://${dir}/facts.js`);
  ids.push(base.ids);
  const alike = Object.keys(base.ids).filter((name) => new Set(ids.map((each) => each[name])).size < 3);
  const paths = (id: number) =>
    iterate(id)
      .map(({ path }) => path)
      .filter((path) => path.startsWith(dir))
      .sort();
  return {
    told,
    tagged,
    alike,
    base: JSON.parse(untag(JSON.stringify(await base.facts(given)))),
    listed: [paths(a.id).length, paths(a.id).join() === paths(b.id).join(), paths(BASE).join() === paths(a.id).join()],
  };
};

export interface BesideArguments {
  readonly library: string;
  readonly dir: string;
  readonly given: Given;
}

export type Beside = Awaited<ReturnType<typeof besideStep>>;

export const besideArguments = (dir: string, flags: readonly string[]): BesideArguments => ({
  library,
  dir,
  given: givenWith(flags),
});

export async function beside(dir: string, flags: readonly string[]): Promise<Beside> {
  const { result, stderr } = await inChild(besideStep, besideArguments(dir, flags), { flags, env: { REAL: dir } });
  expect(result, stderr).toBeDefined();
  return result;
}

/** Both namespaces, and the base, tell what the graph tells outside; nothing is the same in any two of them. */
export function expectAlike(result: Beside, expected: unknown, ofBase = expected): void {
  expect(result.told[0]).toEqual(expected);
  expect(result.told[1]).toEqual(expected);
  expect(result.base).toEqual(ofBase);
  expect(result.tagged).toEqual([
    [true, true, true, true],
    [true, true, true, true],
  ]);
  expect(result.alike).toEqual([]);
  expect(result.listed.slice(1)).toEqual([true, true]);
  expect(result.listed[0]).toBeGreaterThan(20);
}
