// A failed load takes back what it has brought and nobody else needs: no more, and no less.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

const url = copyUrl('a', 'namespace.js');
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-failed-'));
  const files = {
    'deep/e.mjs': 'export const mark = {};',
    'deep/d.mjs': "export { mark } from './e.mjs';",
    'deep/fails.mjs': "import './d.mjs'; globalThis.ready(); await globalThis.go; throw new Error('fails');",
    'deep/works.mjs': "export { mark } from './d.mjs';",
    'common/d.cjs': 'exports.mark = {};',
    'common/lives.cjs': "exports.get = () => require('./d.cjs').mark;",
    'common/fails.cjs': "require('./d.cjs'); globalThis.got = require('./lives.cjs').get(); throw new Error('fails');",
    'stray/fails.mjs': "import './slow.mjs'; import './missing.mjs';",
    'stray/slow.mjs': "import './a.mjs';",
    'stray/a.mjs': "import './b.mjs';",
    'stray/b.mjs': '',
    'stray/throws.mjs': "globalThis.late = import('./a.mjs').then(() => import('./c.mjs')); throw new Error('throws');",
    'stray/c.mjs': 'export default import.meta.url;',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

test('what another load needs stays, with all that it has imported itself', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace, iterate } = await load<typeof namespaces>(url);
      const ns = openNamespace({ from: `${dir}/deep/app.js` });
      const gates = globalThis as unknown as { ready(): void; go: Promise<void> };
      let go = (): void => {};
      gates.go = new Promise((resolve) => {
        go = resolve;
      });
      const begun = new Promise<void>((resolve) => {
        gates.ready = resolve;
      });
      const fails = ns.open('./fails.mjs').catch((error: Error) => error.message);
      await begun;
      const works = await ns.open('./works.mjs');
      go();
      const message = await fails;
      const e = await ns.open('./e.mjs');
      const same = (works.module as { mark: unknown }).mark === (e.module as { mark: unknown }).mark;
      return { message, same, paths: iterate(ns).map(({ path }) => path.slice(dir.length)) };
    },
    { url, dir },
  );
  expect(result.message).toBe('fails');
  expect(result.same).toBe(true);
  expect(result.paths.sort()).toEqual(['/deep/d.mjs', '/deep/e.mjs', '/deep/works.mjs']);
});

test('what a module that lives has required meanwhile stays', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace } = await load<typeof namespaces>(url);
      const ns = openNamespace({ from: `${dir}/common/app.js` });
      await ns.open('./lives.cjs');
      const message = await ns.open('./fails.cjs').catch((error: Error) => error.message);
      const d = await ns.open('./d.cjs');
      return { message, same: (globalThis as { got?: unknown }).got === (d.module as { mark: unknown }).mark };
    },
    { url, dir },
  );
  expect(result).toEqual({ message: 'fails', same: true });
});

test("what a failed load goes on to load is not the namespace's", async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace, iterate, observe } = await load<typeof namespaces>(url);
      const ns = openNamespace({ from: `${dir}/stray/app.js` });
      let present = 0;
      observe(({ type }) => {
        present += type === 'own' ? 1 : type === 'dropped' ? -1 : 0;
      });
      const messages = [
        await ns.open('./fails.mjs').catch((error: NodeJS.ErrnoException) => error.code),
        await ns.open('./throws.mjs').catch((error: Error) => error.message),
      ];
      const stray = (await (globalThis as unknown as { late: Promise<{ default: string }> }).late).default;
      await new Promise((resolve) => setTimeout(resolve, 100));
      const before = iterate(ns).length;
      const stays = present;
      const again = await ns.open('./c.mjs');
      return {
        messages,
        before,
        present: stays,
        apart: (again.module as { default: string }).default !== stray,
        after: ns.info().modules,
      };
    },
    { url, dir },
  );
  expect(result).toEqual({
    messages: ['ERR_MODULE_NOT_FOUND', 'throws'],
    before: 0,
    present: 0,
    apart: true,
    after: 1,
  });
});
