// Which files are a unique package's: by the package that they are installed with, or, outside of packages, by their identity on disk.

import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-identity-'));
  const json = (name: string, rest: object): string => JSON.stringify({ name, version: '1.0.0', ...rest });
  const unique = { coexist: { unique: true } };
  const files = {
    'node_modules/u/package.json': json('u', unique),
    'node_modules/u/index.js': "module.exports = require('./lib.js');",
    'node_modules/u/lib.js': "exports.name = 'u';",
    'node_modules/other/package.json': json('other', {}),
    'node_modules/other/lib.js': "exports.name = 'other';",
    'node_modules/esm/package.json': json('esm', { exports: './index.mjs', ...unique }),
    'node_modules/esm/index.mjs': 'export const mark = {};',
    'node_modules/parts/package.json': json('parts', unique),
    'node_modules/parts/hooks/package.json': JSON.stringify({ name: 'parts-hooks' }),
    'node_modules/parts/hooks/index.js': 'exports.mark = {};',
    'node_modules/user/package.json': json('user', { dependencies: { parts: '^1.0.0' } }),
    'node_modules/user/index.js': "exports.mark = require('parts/hooks').mark;",
    'node_modules/user/node_modules/parts/package.json': json('parts', { ...unique, version: '1.0.1' }),
    'node_modules/user/node_modules/parts/hooks/package.json': JSON.stringify({ name: 'parts-hooks' }),
    'node_modules/user/node_modules/parts/hooks/index.js': 'exports.mark = {};',
    'uses-esm.mjs': "export { mark } from 'esm';",
    'uses-parts.cjs': "exports.marks = [require('parts/hooks').mark, require('user').mark];",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  // As pnpm does with files of one content.
  linkSync(join(dir, 'node_modules/u/index.js'), join(dir, 'node_modules/other/index.js'));
  linkSync(join(dir, 'node_modules/esm/index.mjs'), join(dir, 'alias.mjs'));
});
afterAll(() => rmSync(dir, { recursive: true }));

test("a file of another package is that one's, a link elsewhere is the master, a directory with a name is a part", async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      type Named = { readonly default: { readonly name: string } };
      type Marked = { readonly mark: unknown };
      const { openNamespace } = await load<typeof namespaces>(url);
      const ns = openNamespace({ from: `${dir}/app.js` });
      const names = [];
      for (const name of ['u', 'other']) names.push(((await ns.open(name)).module as Named).default.name);
      const base = await load<Marked>(`file://${dir}/uses-esm.mjs`);
      const alias = await ns.open('./alias.mjs');
      const { marks } = (await ns.open('./uses-parts.cjs')).module as { readonly marks: readonly unknown[] };
      return {
        names,
        alias: alias.kind,
        same: (alias.module as Marked).mark === base.mark,
        parts: marks[0] === marks[1],
      };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
  );
  expect(result).toEqual({ names: ['u', 'other'], alias: 'proxy', same: true, parts: true });
});
