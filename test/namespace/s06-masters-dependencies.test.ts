// S6: what a shared master imports is the base's, at once and later, whatever the namespace has under the same name.

import { expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, onePackage, writeTree } from '../support/namespace-trees.js';

const master = (type: 'module' | 'commonjs') =>
  type === 'module'
    ? onePackage('master', {
        body: `export * as dependency from 'dependency'; export const later = () => import('late');`,
      })
    : onePackage('master', {
        type,
        body: `exports.dependency = require('dependency'); exports.later = async () => require('late');`,
      });

test.each([
  { type: 'module', kind: 'permanent', first: 'master' },
  { type: 'module', kind: 'permanent', first: 'dependency' },
  { type: 'commonjs', kind: 'permanent', first: 'master' },
  { type: 'commonjs', kind: 'permanent', first: 'dependency' },
  { type: 'commonjs', kind: 'closable', first: 'master' },
  { type: 'commonjs', kind: 'closable', first: 'dependency' },
] as const)('of $type, in a $kind namespace that opens the $first first', async ({ type, kind, first }) => {
  const dir = writeTree({
    'package.json': { name: 'program', version: '1.0.0' },
    ...master(type),
    ...onePackage('dependency', { type, body: type === 'module' ? `import 'deeper';` : `require('deeper');` }),
    ...onePackage('deeper', { type }),
    ...onePackage('late', { type }),
  });
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, kind, first }) => {
      const { BASE, iterate, openNamespace } = await load<Library>(library);
      const from = `${dir}/program.js`;
      const ns = openNamespace({ kind, from });
      const base = openNamespace({ id: BASE, from });
      const open = (name: string) => ns.open(name, { shared: name === 'master' });
      const a = await open(first);
      const b = await open(first === 'master' ? 'dependency' : 'master');
      const [shared, own] = (first === 'master' ? [a, b] : [b, a]) as [typeof a, typeof a];
      type Module = { dependency: { Mark: unknown }; later(): Promise<{ Mark: unknown }>; Mark: unknown };
      const master = shared.module as Module;
      const inBase = async (name: string) => (await base.open(name)).module as Module;
      const late = await master.later();
      const ownLate = (await ns.open('late')).module as Module;
      const listed = (id: number) =>
        iterate(id)
          .filter(({ path }) => path.startsWith(dir))
          .map(({ package: name, kind, realNs }) => `${name} ${kind} ${realNs}`)
          .sort();
      return {
        handles: [shared.kind, shared.realNs, own.kind, own.realNs === ns.id],
        ofBase: [
          master.dependency.Mark === (await inBase('dependency')).Mark,
          late.Mark === (await inBase('late')).Mark,
        ],
        own: [(own.module as Module).Mark !== master.dependency.Mark, ownLate.Mark !== late.Mark],
        listed: [listed(ns.id), listed(BASE)],
        runs: Reflect.get(globalThis, 'runs'),
      };
    },
    { library, dir, kind, first },
  );
  const names = ['deeper', 'dependency', 'late'];
  expect(result, stderr).toEqual({
    handles: ['proxy', 0, 'own', true],
    ofBase: [true, true],
    own: [true, true],
    listed: [
      [...names.map((name) => `${name} own 1`), 'master proxy 0'],
      [...names, 'master'].map((name) => `${name} own 0`),
    ],
    runs: { 'master@1.0.0': 1, 'dependency@1.0.0': 2, 'deeper@1.0.0': 2, 'late@1.0.0': 2 },
  });
});
