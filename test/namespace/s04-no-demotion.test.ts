// S4: a module that a namespace has as its own never becomes a proxy, and an attempt at it changes nothing.

import { beforeAll, expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, onePackage, writeTree } from '../support/namespace-trees.js';

const UNIQUE = { coexist: { unique: true } };

let dir: string;

beforeAll(() => {
  dir = writeTree({
    'package.json': { name: 'program', version: '1.0.0' },
    ...onePackage('plain'),
    ...onePackage('plain-cjs', { type: 'commonjs' }),
    ...onePackage('single', UNIQUE),
    ...onePackage('single-cjs', { type: 'commonjs', ...UNIQUE }),
    ...onePackage('user', { body: `export * as plain from 'plain';` }),
    ...onePackage('user-cjs', { type: 'commonjs', body: `exports.plain = require('plain-cjs');` }),
    ...onePackage('user-of-single', { body: `export * as single from 'single';` }),
    ...onePackage('user-of-single-cjs', { type: 'commonjs', body: `exports.single = require('single-cjs');` }),
  });
});

test.each([
  { kind: 'permanent', suffix: '' },
  { kind: 'permanent', suffix: '-cjs' },
  { kind: 'closable', suffix: '-cjs' },
] as const)('in a $kind namespace, of modules *$suffix', async ({ kind, suffix }) => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, kind, suffix }) => {
      const { BASE, iterate, observe, openNamespace } = await load<Library>(library);
      const from = `${dir}/program.js`;
      const events: unknown[] = [];
      observe(({ type }) => events.push(type));
      const attempts: unknown[] = [];
      const same: boolean[] = [];

      async function attempt(open: (ns: ReturnType<typeof openNamespace>) => Promise<unknown>, specifier: string) {
        const ns = openNamespace({ kind, from });
        await open(ns);
        const all = () => JSON.stringify([iterate(ns.id), iterate(BASE), ns.info(), Reflect.get(globalThis, 'runs')]);
        const before = all();
        events.length = 0;
        for (const shared of [true, false]) {
          // Without `shared` only a unique package would be a proxy.
          if (!shared && specifier.startsWith('plain')) continue;
          try {
            await ns.open(specifier, { shared });
            attempts.push('opened');
          } catch (error) {
            attempts.push((error as { code: string }).code);
          }
          same.push(all() === before && events.length === 0);
        }
        const again = await ns.open(specifier, { isolate: true });
        attempts.push(again.kind, again.realNs === ns.id);
      }

      await attempt((ns) => ns.open(`plain${suffix}`), `plain${suffix}`);
      await attempt((ns) => ns.open(`user${suffix}`), `plain${suffix}`);
      await attempt((ns) => ns.open(`single${suffix}`, { isolate: true }), `single${suffix}`);
      await attempt((ns) => ns.open(`user-of-single${suffix}`, { isolate: true }), `single${suffix}`);
      return { attempts, same };
    },
    { library, dir, kind, suffix },
  );
  const plain = ['COEXIST_EEXIST', 'own', true];
  const unique = ['COEXIST_EEXIST', ...plain];
  expect(result, stderr).toEqual({
    attempts: [...plain, ...plain, ...unique, ...unique],
    same: [true, true, true, true, true, true],
  });
});
