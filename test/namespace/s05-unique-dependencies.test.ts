// S5: a unique package that something in a namespace depends on is the base's, three levels down, between kinds of modules, and lazily, too. The
// namespace has a proxy of it.

import { beforeAll, expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, onePackage, writeTree } from '../support/namespace-trees.js';

const unique = (name: string, fields = {}) => onePackage(name, { coexist: { unique: true }, ...fields });

let dir: string;

beforeAll(() => {
  dir = writeTree({
    'package.json': { name: 'program', version: '1.0.0' },
    // ESM -> CJS -> ESM -> the unique one.
    ...onePackage('top', { body: `export { default as middle } from 'middle';` }),
    ...onePackage('middle', { type: 'commonjs', body: `exports.low = require('low');` }),
    ...onePackage('low', {
      body: `export * as deep from 'deep'; export const later = () => import('late'); export const { url } = import.meta;`,
    }),
    ...unique('deep'),
    ...unique('late'),
    // CJS -> the unique one, an ES module.
    ...onePackage('other', {
      type: 'commonjs',
      body: `exports.direct = require('direct'); exports.later = () => require('late-required'); exports.imports = () => import('late-imported');`,
    }),
    ...unique('direct', { body: `export * as of from 'of-direct';` }),
    ...onePackage('of-direct'),
    ...unique('late-required', { type: 'commonjs' }),
    ...unique('late-imported'),
  });
});

const major = Number(process.versions.node.split('.')[0]);

test('in a permanent namespace', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, first: before }) => {
      const { BASE, iterate, openNamespace } = await load<Library>(library);
      const ns = openNamespace({ from: `${dir}/program.js` });
      const base = openNamespace({ id: BASE, from: `${dir}/program.js` });
      const listed = (id: number) =>
        Object.fromEntries(
          iterate(id)
            .filter(({ path }) => path.startsWith(dir))
            .map(({ package: name, kind, realNs }) => [name, `${kind} ${realNs}`]),
        );
      const inBase = async (name: string) => (await base.open(name)).module as { Mark: unknown };
      for (const name of before) await ns.open(name);
      const { low } = ((await ns.open('top')).module as { middle: { low: never } }).middle as {
        low: { deep: object; later(): Promise<object>; url: string };
      };
      const other = (await ns.open('other')).module as unknown as {
        direct: object;
        later(): object;
        imports(): Promise<object>;
      };
      const first = listed(ns.id);
      const late = await low.later();
      const lateRequired = other.later();
      const lateImported = await other.imports();
      const markOf = (module: object) => (module as { Mark: unknown }).Mark;
      return {
        first,
        behind: listed(ns.id),
        ofBase: listed(BASE),
        same: [
          low.deep === (await inBase('deep')),
          late === (await inBase('late')),
          other.direct === (await inBase('direct')),
          markOf(lateRequired) === (await inBase('late-required')).Mark,
          lateImported === (await inBase('late-imported')),
        ],
        private: low.url !== new URL(`file://${dir}/node_modules/low/index.js`).href,
        runs: Reflect.get(globalThis, 'runs'),
      };
    },
    // What a required ES module imports has to be there before on Node 20.
    { library, dir, first: major === 20 ? ['low', 'direct'] : [] },
  );
  const first = {
    top: 'own 1',
    middle: 'own 1',
    low: 'own 1',
    other: 'own 1',
    deep: 'proxy 0',
    direct: 'proxy 0',
  };
  const own = 'own 0';
  const late = { late: 'proxy 0', 'late-required': 'proxy 0', 'late-imported': 'proxy 0' };
  expect(result, stderr).toEqual({
    first,
    behind: { ...first, ...late },
    ofBase: { deep: own, direct: own, 'of-direct': own, late: own, 'late-required': own, 'late-imported': own },
    same: [true, true, true, true, true],
    private: true,
    runs: Object.fromEntries(
      'top middle low other deep direct of-direct late late-required late-imported'
        .split(' ')
        .map((name) => [`${name}@1.0.0`, 1]),
    ),
  });
});

test.runIf(major === 20)('what a required module would import from the base is refused on Node 20', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { iterate, openNamespace } = await load<Library>(library);
      const ns = openNamespace({ from: `${dir}/program.js` });
      const errors: unknown[] = [];
      const listed: number[] = [];
      for (let attempt = 0; attempt < 2; attempt++) {
        await ns.open('middle').catch(({ code, found, remedy }) => errors.push([code, found, remedy]));
        listed.push(iterate(ns.id).length);
      }
      await ns.open('low');
      const { kind } = await ns.open('middle');
      return { errors, listed, kind, runs: Reflect.get(globalThis, 'runs') };
    },
    { library, dir },
  );
  const error = [
    'COEXIST_EUNSUPPORTED',
    'import of deep',
    `Open ${dir}/node_modules/low/index.js in the namespace before whatever requires it, or use a later Node.`,
  ];
  expect(result, stderr).toEqual({
    errors: [error, error],
    listed: [0, 0],
    kind: 'own',
    runs: { 'middle@1.0.0': 3, 'low@1.0.0': 1, 'deep@1.0.0': 1 },
  });
});

test('in a closable one', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { iterate, openNamespace } = await load<Library>(library);
      const rounds: unknown[] = [];
      for (let round = 0; round < 2; round++) {
        const ns = openNamespace({ kind: 'closable', from: `${dir}/program.js` });
        const handle = await ns.open('other');
        const other = handle.module as { direct: object; later(): object; imports(): Promise<object> };
        const base = await load(`${dir}/node_modules/direct/index.js`);
        other.later();
        const same = [
          other.direct === base,
          (await other.imports()) === (await load(`${dir}/node_modules/late-imported/index.js`)),
        ];
        const listed = Object.fromEntries(iterate(ns.id).map(({ package: name, kind }) => [name, kind]));
        rounds.push({ same, listed, closed: handle.close() });
      }
      return { rounds, runs: Reflect.get(globalThis, 'runs') };
    },
    { library, dir },
  );
  const listed = { other: 'own', direct: 'proxy', 'late-required': 'proxy', 'late-imported': 'proxy' };
  const round = { same: [true, true], listed, closed: { released: true, retainedModules: 0 } };
  expect(result, stderr).toEqual({
    rounds: [round, round],
    runs: {
      'other@1.0.0': 2,
      'direct@1.0.0': 1,
      'of-direct@1.0.0': 1,
      'late-required@1.0.0': 1,
      'late-imported@1.0.0': 1,
    },
  });
});
