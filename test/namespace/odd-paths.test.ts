// Paths with characters that mean something in a URL, and imports of absolute paths, which are URLs.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let top: string;
let dir: string;
beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'coexist-odd-'));
  dir = join(top, 'a b%20c#d?e\nf/coexist-ns-x/3');
  mkdirSync(dir, { recursive: true });
  mkdirSync(join(top, 'tmp é'));
  writeFileSync(
    join(dir, 'main.cjs'),
    `const at = encodeURI(__dirname).replace(/[?#]/g, encodeURIComponent);
     exports.imports = async () => [await import(at + '/esm.mjs'), await import(at + '/esm.mjs?v=1'), await import('./esm.mjs')];
     exports.required = require(__dirname + '/sub.cjs');`,
  );
  writeFileSync(join(dir, 'sub.cjs'), 'exports.at = __filename;');
  writeFileSync(
    join(dir, 'esm.mjs'),
    "export const mark = {}; export { at } from './sub.cjs'; export const { url } = import.meta;",
  );
});
afterAll(() => rmSync(top, { recursive: true }));

test("are the namespace's all the same, under a directory for temporary files with blanks, and with conditions of the program", async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      interface Main {
        imports(): Promise<{ mark: unknown; at: string; url: string }[]>;
        required: { at: string };
      }
      const { openNamespace, iterate, namespaceOf, untag } = await load<typeof namespaces>(url);
      const ns = openNamespace({ from: `${dir}/app.js` });
      const { default: main } = (await ns.open('./main.cjs')).module as { default: Main };
      const [one, again, relative] = await main.imports();
      return {
        same: one?.mark === relative?.mark,
        apart: one?.mark !== again?.mark,
        spaces: [one?.url, again?.url, one?.at].map((at) => namespaceOf(String(at))),
        file: untag(main.required.at) === `${dir}/sub.cjs`,
        listed: iterate(ns).length,
      };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
    { flags: ['-C', 'require'], env: { TMPDIR: join(top, 'tmp é') } },
  );
  expect(result).toEqual({ same: true, apart: true, spaces: [1, 1, 1], file: true, listed: 3 });
});
