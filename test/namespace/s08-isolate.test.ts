// S8: what is opened isolated has everything of its own, unique packages too, at once and later; it is stronger than `shared`, and weaker than a
// proxy that is there.

import { beforeAll, expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, onePackage, writeTree } from '../support/namespace-trees.js';

const UNIQUE = { coexist: { unique: true } };

let dir: string;

beforeAll(() => {
  dir = writeTree({
    'package.json': { name: 'program', version: '1.0.0' },
    ...onePackage('top', { body: `export * as middle from 'middle'; export const later = () => import('lazy');` }),
    ...onePackage('middle', {
      type: 'commonjs',
      body: `exports.libc = require('libc'); exports.later = () => require('lazy-cjs'); exports.imports = () => import('lazy-of-cjs');`,
    }),
    ...onePackage('lazy', { body: `export * as libc from 'libc'; export * as single from 'single';` }),
    ...onePackage('lazy-cjs', { type: 'commonjs', body: `exports.libc = require('libc');` }),
    ...onePackage('lazy-of-cjs', { body: `export * as libc from 'libc';` }),
    ...onePackage('libc', { type: 'commonjs', ...UNIQUE }),
    ...onePackage('single', UNIQUE),
    ...onePackage('user', { body: `export * as libc from 'libc';` }),
  });
});

test('in a permanent namespace', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { BASE, iterate, openNamespace } = await load<Library>(library);
      const from = `${dir}/program.js`;
      const base = openNamespace({ id: BASE, from });
      const baseLibc = ((await base.open('libc')).module as { default: object }).default;
      const ns = openNamespace({ from });
      const listed = () =>
        iterate(ns.id)
          .map(({ package: name, kind, isolated }) => `${name} ${kind}${isolated ? ' isolated' : ''}`)
          .sort();
      const top = await ns.open('top', { isolate: true, shared: true });
      type Top = {
        middle: {
          default: { libc: object; later(): { libc: object }; imports(): Promise<{ libc: { default: object } }> };
        };
        later(): Promise<{ libc: { default: object } }>;
      };
      const { middle, later } = top.module as Top;
      const libc = middle.default.libc;
      const lazy = [
        (await later()).libc.default,
        middle.default.later().libc,
        (await middle.default.imports()).libc.default,
      ];
      const isolated = listed();

      // Whoever has a proxy already keeps it.
      const other = openNamespace({ from });
      const proxy = await other.open('libc');
      const again = await other.open('libc', { isolate: true });
      const user = (await other.open('user', { isolate: true })).module as { libc: { default: object } };
      return {
        handle: [top.kind, top.realNs === ns.id],
        own: libc !== baseLibc,
        same: lazy.map((found) => found === libc),
        isolated,
        proxies: [proxy === again, again.kind, user.libc.default === baseLibc],
        runs: Reflect.get(globalThis, 'runs'),
      };
    },
    { library, dir },
  );
  expect(result, stderr).toEqual({
    handle: ['own', true],
    own: true,
    same: [true, true, true],
    isolated: ['lazy', 'lazy-cjs', 'lazy-of-cjs', 'libc', 'middle', 'single', 'top'].map(
      (name) => `${name} own isolated`,
    ),
    proxies: [true, 'proxy', true],
    runs: {
      ...Object.fromEntries(
        ['lazy', 'lazy-cjs', 'lazy-of-cjs', 'middle', 'single', 'top', 'user'].map((name) => [`${name}@1.0.0`, 1]),
      ),
      'libc@1.0.0': 2,
    },
  });
});

test('in a closable one', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { iterate, openNamespace } = await load<Library>(library);
      const ns = openNamespace({ kind: 'closable', from: `${dir}/program.js` });
      const { module, kind } = await ns.open('middle', { isolate: true, shared: true });
      const middle = module as { libc: object; later(): { libc: object }; imports(): Promise<unknown> };
      const refused = await middle.imports().then(
        () => 'imported',
        ({ code }) => code,
      );
      return {
        kind,
        same: middle.later().libc === middle.libc,
        refused,
        listed: iterate(ns.id).map(({ package: name, kind, isolated }) => `${name} ${kind} ${isolated}`),
        runs: Reflect.get(globalThis, 'runs'),
      };
    },
    { library, dir },
  );
  expect(result, stderr).toEqual({
    kind: 'own',
    same: true,
    refused: 'COEXIST_EUNSUPPORTED',
    listed: ['middle own true', 'libc own true', 'lazy-cjs own true'],
    runs: { 'middle@1.0.0': 1, 'libc@1.0.0': 1, 'lazy-cjs@1.0.0': 1 },
  });
});
