// S7: a unique package is the same one under another name of its files and as another installed copy, if the range allows. What becomes of a copy
// out of range is the policy's to say.

import { beforeAll, expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { hardlink, inside, type Library, library, onePackage, symlink, writeTree } from '../support/namespace-trees.js';

/** A package that depends on `single` as it says, and brings a copy of its own. */
function user(name: string, range: string, version: string, type = 'module', as = 'single') {
  const body =
    type === 'module'
      ? `export * as single from '${as}';`
      : `exports.single = require('${as}'); exports.later = () => import('${as}');`;
  return {
    ...onePackage(name, { type, body, dependencies: { [as]: range } }),
    ...inside(`node_modules/${name}`, single(version, as)),
  };
}

const single = (version: string, as = 'single') =>
  Object.fromEntries(
    Object.entries(onePackage('single', { version, body: `export const version = '${version}';` })).map(
      ([path, content]) => [path.replace('/single/', `/${as}/`), content],
    ),
  );

let dir: string;

beforeAll(() => {
  dir = writeTree({
    'package.json': { name: 'program', version: '1.0.0', dependencies: { single: '^1.0.0' } },
    ...single('1.2.0'),
    'linked.js': symlink('node_modules/single/index.js'),
    'hard.mjs': hardlink('node_modules/single/index.js'),
    'linked-directory': symlink('node_modules/single'),
    ...user('newer', '^1.0.0', '1.3.5'),
    ...user('newer-cjs', '^1.0.0', '1.3.6', 'commonjs'),
    ...user('alias', 'npm:single@^1.1.0', '1.4.0', 'module', 'single1'),
    ...user('alias-cjs', 'npm:single@^1.1.0', '1.4.1', 'commonjs', 'single1'),
    ...user('other', '^2.0.0', '2.0.0'),
    ...user('other-cjs', '^2.0.0', '2.0.1', 'commonjs'),
    ...user('other-alias', 'npm:single@~2.1.0', '2.1.0', 'module', 'single2'),
  });
});

test('under other names of its file, and as other copies in the range', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { iterate, openNamespace, unique, uniqueCopies } = await load<Library>(library);
      unique('single');
      const from = `${dir}/program.js`;
      const ns = openNamespace({ from });
      const closable = openNamespace({ kind: 'closable', from });
      const master = await ns.open('single');
      type User = { single: unknown; later?(): Promise<unknown> };
      const same: Record<string, boolean> = {};
      for (const at of ['./linked.js', './hard.mjs', './linked-directory/index.js', './node_modules/single/index.js']) {
        const handle = await ns.open(at);
        same[at] = handle.module === master.module && handle.kind === 'proxy' && handle.path === master.path;
      }
      for (const name of ['newer', 'newer-cjs', 'alias', 'alias-cjs']) {
        const { module } = (await ns.open(name)) as { module: User };
        same[name] = module.single === master.module;
        if (module.later !== undefined) same[`${name} later`] = (await module.later()) === master.module;
      }
      for (const name of ['newer-cjs', 'alias-cjs']) {
        const { module } = (await closable.open(name)) as { module: User };
        same[`${name} closable`] = module.single === master.module && (await module.later?.()) === master.module;
      }
      for (const name of ['newer', 'alias-cjs']) {
        same[`${name} in the base`] =
          (await load<User>(`${dir}/node_modules/${name}/index.js`)).single === master.module;
      }
      return {
        same,
        listed: iterate(ns.id)
          .map(({ package: name, version, kind }) => `${name} ${version} ${kind}`)
          .sort(),
        copies: uniqueCopies().map(({ version, outcome, into, importer, range }) => ({
          version,
          outcome,
          into: into?.version,
          importer,
          range,
        })),
        runs: Object.keys(Reflect.get(globalThis, 'runs')).filter((name) => name.startsWith('single')),
      };
    },
    { library, dir },
  );
  const merged = (version: string, importer: string, range = '^1.0.0') => ({
    version,
    outcome: 'merged',
    into: '1.2.0',
    importer,
    range,
  });
  expect(Object.entries(result?.same ?? {}).filter(([, same]) => !same)).toEqual([]);
  expect(result, stderr).toMatchObject({
    listed: ['alias 1.0.0 own', 'alias-cjs 1.0.0 own', 'newer 1.0.0 own', 'newer-cjs 1.0.0 own', 'single 1.2.0 proxy'],
    copies: [
      { version: '1.2.0', outcome: 'master', importer: '', range: '' },
      merged('1.3.5', 'newer'),
      merged('1.3.6', 'newer-cjs'),
      merged('1.4.0', 'alias', '^1.1.0'),
      merged('1.4.1', 'alias-cjs', '^1.1.0'),
    ],
    runs: ['single@1.2.0'],
  });
});

test.each(['throw', 'warn', 'private'] as const)('out of range, by the policy %s', async (policy) => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, policy }) => {
      const { BASE, iterate, openNamespace, unique, uniqueCopies } = await load<Library>(library);
      unique(['single'], { policy });
      const warnings: string[] = [];
      process.on('warning', ({ name, message }) => {
        if (name === 'CoexistWarning') warnings.push(message);
      });
      const from = `${dir}/program.js`;
      const ns = openNamespace({ from });
      const base = openNamespace({ id: BASE, from });
      await ns.open('single');
      const outcomes: Record<string, string> = {};
      for (const [place, where] of [
        ['ns', ns],
        ['base', base],
      ] as const) {
        for (const name of ['other', 'other-cjs', 'other-alias']) {
          try {
            const { module } = (await where.open(name)) as { module: { single: { version: string } } };
            outcomes[`${name} ${place}`] = module.single.version;
          } catch (error) {
            const { code, message } = error as { code: string; message: string };
            outcomes[`${name} ${place}`] = `${code} ${/wants single ([^\s,]+)/.exec(message)?.[1]}`;
          }
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      return {
        outcomes,
        warnings: warnings
          .map((message) => /^\S+ wants single \S+, and gets [^\s,]+/.exec(message)?.[0] ?? message)
          .sort(),
        listed: iterate(ns.id)
          .map(({ package: name, version, kind }) => `${name} ${version} ${kind}`)
          .sort(),
        copies: uniqueCopies()
          .map(({ version, outcome, importer }) => `${version} ${outcome} ${importer}`.trim())
          .sort(),
        runs: Object.entries(Reflect.get(globalThis, 'runs'))
          .filter(([name]) => name.startsWith('single'))
          .map(([name, count]) => `${name} ${count}`)
          .sort(),
      };
    },
    { library, dir, policy },
  );
  const names = ['other', 'other-cjs', 'other-alias'];
  const ranges = ['^2.0.0', '^2.0.0', '~2.1.0'];
  const outcomes = (ns: (k: number) => string, base: (k: number) => string) =>
    Object.fromEntries(
      names.flatMap((name, k) => [[`${name} ns`, ns(k)] as const, [`${name} base`, base(k)] as const]),
    );
  const users = names.map((name) => `${name} 1.0.0 own`).sort();
  const expected = {
    throw: {
      outcomes: outcomes(
        (k) => `COEXIST_EREFUSED ${ranges[k]}`,
        (k) => `COEXIST_EREFUSED ${ranges[k]}`,
      ),
      warnings: [],
      listed: ['single 1.2.0 proxy'],
      copies: ['1.2.0 master'],
      runs: ['single@1.2.0 1'],
    },
    warn: {
      outcomes: outcomes(
        () => '1.2.0',
        () => '1.2.0',
      ),
      warnings: names.map((name, k) => `${name} wants single ${ranges[k]}, and gets 1.2.0`).sort(),
      listed: [...users, 'single 1.2.0 proxy'],
      copies: ['1.2.0 master', '2.0.0 warned other', '2.0.1 warned other-cjs', '2.1.0 warned other-alias'],
      runs: ['single@1.2.0 1'],
    },
    private: {
      // In the base the first copy of the other range stands for the rest of it, unless that wants a later one.
      outcomes: outcomes(
        (k) => ['2.0.0', '2.0.1', '2.1.0'][k] as string,
        (k) => ['2.0.0', '2.0.0', '2.1.0'][k] as string,
      ),
      warnings: [],
      listed: [...users, 'single 1.2.0 proxy', 'single 2.0.0 own', 'single 2.0.1 own', 'single 2.1.0 own'],
      copies: [
        '1.2.0 master',
        '2.0.0 kept other',
        '2.0.0 master',
        '2.0.1 kept other-cjs',
        '2.0.1 merged other-cjs',
        '2.1.0 kept other-alias',
        '2.1.0 master',
      ],
      runs: ['single@1.2.0 1', 'single@2.0.0 2', 'single@2.0.1 1', 'single@2.1.0 2'],
    },
  }[policy];
  expect(result, stderr).toEqual(expected);
});
