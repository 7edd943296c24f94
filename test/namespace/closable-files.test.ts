// What is compiled in a closable namespace: CommonJS as Node and its extensions do, no ES module that has not said that it is one.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-compiled-'));
  const files = {
    'package.json': '{ "type": "commonjs" }',
    'plain.js': 'exports.extended = globalThis.extended;',
    'untyped/package.json': '{}',
    'untyped/plain.js': 'exports.extended = globalThis.extended;',
    'untyped/esm.js': "// A module.\nexport const name = 'esm';",
    'untyped/broken.js': 'const = 1;',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

test('extensions see CommonJS; ES modules are refused; an error in the syntax is one', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace } = await load<typeof namespaces>(url);
      const { Module } = process.getBuiltinModule('node:module') as unknown as {
        Module: { _extensions: Record<string, (module: object, filename: string) => void> };
      };
      const usual = Module._extensions['.js'];
      Module._extensions['.js'] = (module, filename) => {
        Object.assign(globalThis, { extended: filename.split('/').slice(-2).join('/') });
        usual?.(module, filename);
      };
      const ns = openNamespace({ kind: 'closable', from: `${dir}/app.js` });
      const extended: unknown[] = [];
      for (const file of ['./plain.js', './untyped/plain.js']) {
        extended.push(((await ns.open(file)).module as { extended: string }).extended.endsWith('/plain.js'));
      }
      const refused: unknown[] = [];
      for (const file of ['./untyped/esm.js', './untyped/broken.js']) {
        refused.push(await ns.open(file).catch((error: NodeJS.ErrnoException) => error.code ?? error.name));
      }
      return { extended, refused };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
  );
  expect(result).toEqual({ extended: [true, true], refused: ['COEXIST_EUNSUPPORTED', 'SyntaxError'] });
});
