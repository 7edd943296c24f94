// S16: namespaces beside what else hooks into loading: tsx, import-in-the-middle, source maps.

import { beforeAll, expect, test } from 'vitest';
import { inChild, root } from '../support/child.js';
import { beside, expectAlike, outside, parityTree } from '../support/namespace-parity.js';
import { type Library, library, newDirectory, writeTree } from '../support/namespace-trees.js';

let dir: string;

beforeAll(() => {
  dir = writeTree(parityTree, newDirectory('preloaded'));
  writeTree(
    {
      'middle.mjs': `
        import { register } from 'node:module';
        register('import-in-the-middle/hook.mjs', ${JSON.stringify(new URL(`file://${root}/`).href)});
      `,
      // Kinds of TypeScript that Node does not strip.
      'typescript/package.json': { name: 'typescript-program', version: '1.0.0', type: 'module' },
      'typescript/main.ts': `
        import { Colour, fail } from './other.js';
        import cts from './common.cjs';
        export const answer = [Colour.Green, cts.Shape.Round] as const;
        export const colours = Colour;
        export const at: string = import.meta.url;
        export const later = async () => (await import('./lazy.ts')).colours === Colour;
        export function stack(): string { try { fail(); return ''; } catch (error) { return (error as Error).stack!; } }
      `,
      'typescript/other.ts': `export enum Colour { Red, Green }

export function fail(): never {
  const a: number = 1;
  throw new Error('line five ' + a);
}
`,
      'typescript/lazy.ts': `export { Colour as colours } from './other.ts';`,
      'typescript/common.cts': `enum Shape { Square = 3, Round } export = { Shape };`,
    },
    dir,
  );
});

test('tsx', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir }) => {
      const { namespaceOf, openNamespace, untag } = await load<Library>(library);
      const from = `${dir}/typescript/program.ts`;
      const told: unknown[] = [];
      const colours: unknown[] = [];
      for (let round = 0; round < 2; round++) {
        const ns = openNamespace({ from });
        const { module } = (await ns.open('./main.ts')) as {
          module: { answer: unknown; at: string; colours: unknown; later(): Promise<boolean>; stack(): string };
        };
        const line = /at fail \((?:file:\/\/)?([^)]+)\)/.exec(untag(module.stack()))?.[1] ?? module.stack();
        told.push([module.answer, namespaceOf(module.at) === ns.id, await module.later(), line]);
        colours.push(module.colours);
      }
      const base = await load<{ answer: unknown; colours: unknown }>(`${dir}/typescript/main.ts`);
      colours.push(base.colours);
      return { told, base: base.answer, alone: new Set(colours).size };
    },
    { library, dir },
    { flags: ['--import', 'tsx'] },
  );
  const told = [[1, 4], true, true, expect.stringMatching(/^\/.*\/typescript\/other\.ts:5:\d+$/)];
  expect(result, stderr).toEqual({ told: [told, told], base: [1, 4], alone: 3 });
});

test('every kind of module, with tsx and source maps', async () => {
  const flags = ['--import', 'tsx', '--enable-source-maps'];
  expectAlike(await beside(dir, flags), await outside(dir, flags));
});

test('every kind of module, with import-in-the-middle and source maps', async () => {
  const flags = ['--enable-source-maps'];
  const preloaded = [...flags, '--import', `${dir}/middle.mjs`];
  // It wraps modules of the base, and those of the runtime everywhere.
  const plain = await outside(dir, flags);
  const expected = { ...plain, meta: [...(plain['meta'] as string[]).slice(0, -1), 'node:fs?iitm=true'] };
  expectAlike(await beside(dir, preloaded), expected, await outside(dir, preloaded));
});
