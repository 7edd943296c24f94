// What modules of a namespace do as the process ends.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-at-exit-'));
  mkdirSync(join(dir, 'tmp'));
  writeFileSync(join(dir, 'late.cjs'), 'module.exports = __filename;');
  writeFileSync(join(dir, 'main.cjs'), "process.on('exit', () => globalThis.tell(require('./late.cjs')));");
});
afterAll(() => rmSync(dir, { recursive: true }));

test('they can load more, and untag() needs no directory; nothing is left', async () => {
  const { result } = await inChild(
    async ({ load, report }, { url, dir }) => {
      const { openNamespace, untag } = await load<typeof namespaces>(url);
      await openNamespace({ from: `${dir}/app.js` }).open('./main.cjs');
      Object.assign(globalThis, {
        tell(at: string) {
          process.env['TMPDIR'] = `${dir}/missing`;
          report([at === `${dir}/late.cjs`, untag(at), untag('/x/coexist-ns-mine/3/y.js')]);
        },
      });
    },
    { url: copyUrl('a', 'namespace.js'), dir },
    { env: { TMPDIR: join(dir, 'tmp') } },
  );
  expect(result).toEqual([false, join(dir, 'late.cjs'), '/x/coexist-ns-mine/3/y.js']);
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
});
