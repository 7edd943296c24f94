// S18: a closable namespace gives back all that it has loaded; a permanent one says what it keeps, and counts against the limit.

import { expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, newDirectory, type Tree, writeTree } from '../support/namespace-trees.js';

const MB = 2 ** 20;
const GROWTH = 0.3 * MB;
// What the engine's compilers make of hot code is no namespace's, and comes in the middle of the cycles.
const flags = ['--expose-gc', '--no-opt', '--no-sparkplug', '--no-maglev'];

/** A graph of some size: every file requires two more, and has functions and data of its own. */
function graph(files: number, esm: boolean): Tree {
  const tree: Record<string, string | object> = {
    'package.json': { name: 'graph', version: '1.0.0', type: esm ? 'module' : 'commonjs' },
    'data.json': { list: Array.from({ length: 500 }, (_, k) => ({ k, text: `entry ${k}` })) },
  };
  for (let k = 0; k < files; k++) {
    const uses = [2 * k + 1, 2 * k + 2].filter((n) => n < files);
    const functions = Array.from(
      { length: 20 },
      (_, n) =>
        `function f${k}_${n}(a, b) { const list = [a, b, ${n}]; return list.map((x) => x * ${k + n}).join('${k}'); }`,
    ).join('\n');
    const table = `const table = Array.from({ length: 500 }, (_, n) => ({ n, text: 'row ' + n }));`;
    const names = Array.from({ length: 20 }, (_, n) => `f${k}_${n}`).join(', ');
    tree[`file${k}.js`] = esm
      ? `${uses.map((n) => `import * as file${n} from './file${n}.js';`).join('\n')}
         ${functions}\n${table}
         export { ${names}, table };
         export const used = [${uses.map((n) => `file${n}`).join(', ')}];
         export const sum = f${k}_0(1, 2).length + used.reduce((sum, each) => sum + each.sum, 0);
         export const later = () => import('./file${files - 1}.js');`
      : `${functions}\n${table}
         const used = [${uses.map((n) => `require('./file${n}.js')`).join(', ')}];
         const data = ${k === 0 ? `require('./data.json')` : 'undefined'};
         module.exports = { ${names}, table, used, data, sum: f${k}_0(1, 2).length + used.reduce((sum, each) => sum + each.sum, 0) };`;
  }
  return tree;
}

test.each([
  { name: 'of CommonJS', files: 50, esm: false },
  { name: 'of ES modules, transformed', files: 16, esm: true },
])('thirty closable namespaces one after the other, $name', async ({ files, esm }) => {
  const dir = writeTree(graph(files, esm), newDirectory('memory'));
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, esm, esbuild }) => {
      const { openNamespace } = await load<Library>(library);
      const { transformSync } = await load<typeof import('esbuild')>(esbuild);
      const transform = (source: string) =>
        transformSync(source, { format: 'cjs', loader: 'js', supported: { 'dynamic-import': false } }).code;
      const tick = () => new Promise((resolve) => setTimeout(resolve, 5));
      const heap = async () => {
        for (let round = 0; round < 5; round++) {
          globalThis.gc?.();
          await tick();
        }
        return process.memoryUsage().heapUsed;
      };
      const refs: WeakRef<object>[] = [];
      let collected = 0;
      const registry = new FinalizationRegistry(() => collected++);
      const released: boolean[] = [];
      const ids = new Set<number>();
      let closings = 0;
      async function cycle() {
        const ns = openNamespace({ kind: 'closable', from: `${dir}/program.js`, ...(esm ? { transform } : {}) });
        ns.onClose(() => closings++);
        ids.add(ns.id);
        const handle = await ns.open('./file0.js');
        const module = handle.module as { sum: number; used: object[]; later?(): Promise<{ sum: number }> };
        if (!(module.sum > 0)) throw new Error(`sum is ${module.sum}`);
        if (esm && !(((await module.later?.())?.sum ?? 0) > 0)) throw new Error('nothing came later');
        for (const each of [module, module.used[0] as object]) {
          refs.push(new WeakRef(each));
          registry.register(each, undefined);
        }
        released.push(handle.close().released);
        if (handle.module !== undefined) throw new Error('the handle keeps the module');
      }
      for (let warm = 0; warm < 8; warm++) await cycle();
      const before = await heap();
      for (let n = 0; n < 30; n++) await cycle();
      const after = await heap();
      return {
        growth: after - before,
        alive: refs.filter((ref) => ref.deref() !== undefined).length,
        collected: collected === refs.length,
        released: released.every(Boolean),
        ids: [...ids],
        closings,
      };
    },
    { library, dir, esm, esbuild: import.meta.resolve('esbuild') },
    { flags },
  );
  expect(result, stderr).toMatchObject({ alive: 0, collected: true, released: true, ids: [1], closings: 38 });
  expect(result.growth).toBeLessThan(GROWTH);
});

const FILES = 3;

test('a permanent one says what it keeps, and its number stays taken', async () => {
  const dir = writeTree(graph(FILES, true), newDirectory('memory'));
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { openNamespace } = await load<Library>(library);
      const open = () => openNamespace({ from: `${dir}/program.js`, limit: 2 });
      const told: unknown[] = [];
      for (let n = 0; n < 2; n++) {
        const ns = open();
        const handle = await ns.open('./file0.js');
        told.push(handle.close(), ns.close(), ns.info().modules, handle.module !== undefined);
      }
      try {
        open();
      } catch (error) {
        const { code, found } = error as { code: string; found: unknown };
        told.push(code, found);
      }
      // What has loaded nothing of its own leaves nothing.
      const empty = openNamespace({ limit: 3 });
      told.push(empty.close(), openNamespace({ limit: 3 }).id === empty.id);
      return told;
    },
    { library, dir },
  );
  const kept = { released: false, retainedModules: FILES };
  const one = [kept, kept, FILES, true];
  expect(result, stderr).toEqual([
    ...one,
    ...one,
    'COEXIST_EINVAL',
    [1, 2],
    { released: true, retainedModules: 0 },
    true,
  ]);
});
