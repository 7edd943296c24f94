// S15: a graph of every kind of module does in a namespace what it does outside, and between two namespaces nothing is the same.

import { beforeAll, expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { beside, expectAlike, outside, parityTree } from '../support/namespace-parity.js';
import { type Library, library, newDirectory, writeTree } from '../support/namespace-trees.js';

let dir: string;

beforeAll(() => {
  dir = writeTree(parityTree, newDirectory('parity'));
});

test.each([
  { name: 'with source maps', flags: ['--enable-source-maps'] },
  { name: 'with --preserve-symlinks', flags: ['--preserve-symlinks'] },
  { name: 'with a condition', flags: ['--conditions=special'] },
])('$name', async ({ flags }) => {
  expectAlike(await beside(dir, flags), await outside(dir, flags));
});

test('the graph tells what it is to tell', async () => {
  const url = new URL(`file://${dir}/`).href;
  expect(await outside(dir, ['--enable-source-maps'])).toMatchObject({
    meta: [`${url}facts.js`, dir, `${dir}/facts.js`, `${url}inner.js`, `${url}node_modules/dual/dual.mjs`, 'node:fs'],
    esm: [`${url}inner.js`, 1, true, true, true],
    requireEsm: [true, true, `${url}leaf.mjs`, true],
    importInCjs: [true, true],
    requireTla: 'ERR_REQUIRE_ASYNC_MODULE',
    tla: 'awaited',
    dual: ['import', 'require', `${url}node_modules/dual/dual.mjs`, `${dir}/node_modules/dual/dual.cjs`, true],
    byRealUrl: true,
    stacks: [expect.stringContaining(`${url}throws.mjs:2:`), expect.stringContaining(`${dir}/original.ts:7:1`)],
    query: [`${url}inner.js?v=1`, true, false, false, `${url}inner.js?v=1#x`],
  });
});

test('closed namespaces take the part of it that is CommonJS', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { openNamespace, untag } = await load<Library>(library);
      const told: unknown[] = [];
      const { createRequire } = process.getBuiltinModule('node:module');
      for (const place of ['base', 'closable'] as const) {
        const open = async (at: string) =>
          place === 'base'
            ? createRequire(`${dir}/program.js`)(at)
            : (await openNamespace({ kind: 'closable', from: `${dir}/program.js` }).open(at)).module;
        const one = await open('one');
        const circle = await open('./circle-a.cjs');
        const lazy = await open('./lazy.cjs');
        const { fail } = await open('./mapped.cjs');
        let stack = '';
        try {
          fail();
        } catch (error) {
          stack = (error as Error).stack?.split('\n')[1] ?? '';
        }
        told.push(JSON.parse(untag(JSON.stringify({ one, circle, lazy, stack }))));
      }
      return told;
    },
    { library, dir },
    { flags: ['--enable-source-maps'] },
  );
  expect(result?.[1], stderr).toEqual(result?.[0]);
  expect(result?.[0]).toMatchObject({
    circle: { done: true, saw: false },
    stack: expect.stringContaining('original.ts:7:1'),
  });
});
