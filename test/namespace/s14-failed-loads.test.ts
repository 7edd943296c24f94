// S14: a load that fails leaves listing, openings and number as they were; once the file is mended it works; observers see that it failed.

import { expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, writeTree } from '../support/namespace-trees.js';

/** What is wrong with the file that the entry's dependency imports. */
const FAULTS = ['syntax', 'missing', 'throws'] as const;

function program(esm: boolean) {
  const use = (name: string, as: string) =>
    esm ? `export * as ${as} from '${name}';` : `exports.${as} = require('${name}');`;
  const count = (name: string) =>
    `globalThis.runs ??= {}; globalThis.runs.${name} = (globalThis.runs.${name} ?? 0) + 1;`;
  const bad = {
    syntax: 'const = 1;',
    missing: use('./nowhere.js', 'nowhere'),
    throws: `throw new Error('on purpose');`,
  };
  const tree: Record<string, string | object> = {
    'package.json': { name: 'program', version: '1.0.0', type: esm ? 'module' : 'commonjs' },
    'good.js': count('good'),
    'early.js': count('early'),
    'alone.js': `${use('./shared.js', 'shared')} ${count('alone')}`,
    'shared.js': count('shared'),
  };
  for (const fault of FAULTS) {
    tree[`${fault}.js`] =
      `${use('./early.js', 'early')} ${use('./shared.js', 'shared')} ${use(`./${fault}-dependency.js`, 'dependency')}`;
    tree[`${fault}-dependency.js`] = bad[fault];
  }
  return tree;
}

test.each([
  { esm: true, kind: 'permanent' },
  { esm: false, kind: 'permanent' },
  { esm: false, kind: 'closable' },
] as const)('esm: $esm, in a $kind namespace', async ({ esm, kind }) => {
  const dir = writeTree(program(esm));
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, kind, faults }) => {
      const { iterate, observe, openNamespace } = await load<Library>(library);
      const { writeFileSync } = process.getBuiltinModule('node:fs');
      const from = `${dir}/program.js`;
      const failed: unknown[] = [];
      observe((event) => {
        if (event.type === 'failed')
          failed.push([event.ns, event.path.slice(dir.length), event.error instanceof Error]);
      });
      const ns = openNamespace({ kind, from });
      const good = await ns.open('./good.js');
      const all = () => JSON.stringify([iterate(ns.id), ns.info(), good.opens]);
      const rounds: unknown[] = [];
      for (const fault of faults) {
        const before = all();
        const errors: string[] = [];
        for (let attempt = 0; attempt < 2; attempt++) {
          await ns.open(`./${fault}.js`).then(
            () => errors.push('opened'),
            (error) => errors.push(error.code ?? (error.message === 'on purpose' ? 'on purpose' : error.name)),
          );
        }
        const same = all() === before;
        writeFileSync(`${dir}/${fault}-dependency.js`, '');
        const handle = await ns.open(`./${fault}.js`);
        const listed = iterate(ns.id).map(({ path, opens }) => `${path.slice(dir.length + 1)} ${opens}`);
        rounds.push({ errors, same, opens: handle.opens, listed: listed.sort() });
      }
      // A number that a failed load had is free as any.
      const other = openNamespace({ kind, from });
      writeFileSync(`${dir}/throws-dependency.js`, `throw new Error('on purpose');`);
      await other.open('./throws.js').catch(() => {});
      const closed = other.close();
      const next = openNamespace({ kind, from });
      return { rounds, failed, closed, again: next.id === other.id };
    },
    { library, dir, kind, faults: FAULTS },
  );
  const errors = {
    syntax: 'SyntaxError',
    missing: esm ? 'ERR_MODULE_NOT_FOUND' : 'MODULE_NOT_FOUND',
    throws: 'on purpose',
  };
  const listed = (known: readonly string[]) =>
    [
      ...known.flatMap((fault) => [`${fault}-dependency.js 0`, `${fault}.js 1`]),
      'early.js 0',
      'good.js 1',
      'shared.js 0',
    ].sort();
  expect(result, stderr).toEqual({
    rounds: FAULTS.map((fault, k) => ({
      errors: [errors[fault], errors[fault]],
      same: true,
      opens: 1,
      listed: listed(FAULTS.slice(0, k + 1)),
    })),
    failed: [
      ...FAULTS.flatMap((fault) => [
        [1, `/${fault}.js`, true],
        [1, `/${fault}.js`, true],
      ]),
      [2, '/throws.js', true],
    ],
    closed: { released: true, retainedModules: 0 },
    again: true,
  });
});

test.each([
  { esm: true, kind: 'permanent' },
  { esm: false, kind: 'permanent' },
  { esm: false, kind: 'closable' },
] as const)('of two opens at once with a dependency in common, one fails; esm: $esm, $kind', async ({ esm, kind }) => {
  const dir = writeTree(program(esm));
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, kind, faults }) => {
      const { iterate, openNamespace } = await load<Library>(library);
      const rounds: unknown[] = [];
      for (const fault of faults) {
        for (const order of [
          ['alone', fault],
          [fault, 'alone'],
        ]) {
          const ns = openNamespace({ kind, from: `${dir}/program.js` });
          const settled = await Promise.allSettled(order.map((name) => ns.open(`./${name}.js`)));
          const alone = await ns.open('./alone.js');
          const listed = iterate(ns.id).map(({ path, opens }) => `${path.slice(dir.length + 1)} ${opens}`);
          const shared = await ns.open('./shared.js');
          const { shared: used } = alone.module as { shared: unknown };
          const same = [shared.module, (shared.module as { default?: unknown }).default].includes(used);
          rounds.push({
            ended: settled.map(({ status }, k) => `${order[k]} ${status}`).sort(),
            listed: listed.sort(),
            same,
          });
        }
      }
      return { rounds };
    },
    { library, dir, kind, faults: FAULTS },
  );
  const round = (fault: string) => ({
    ended: ['alone fulfilled', `${fault} rejected`].sort(),
    listed: ['alone.js 2', 'shared.js 0'],
    same: true,
  });
  expect(result, stderr).toEqual({ rounds: FAULTS.flatMap((fault) => [round(fault), round(fault)]) });
});
