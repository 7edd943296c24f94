// Closing while something is going on: a load, a finalizer, a module that a master remembers.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-closing-'));
  const files = {
    'first.cjs': '',
    'closes.cjs': 'globalThis.during = globalThis.first.close(); exports.works = true;',
    'fails.cjs': "globalThis.first.close(); throw new Error('fails');",
    'plugin.cjs': "exports.master = require('master');",
    'node_modules/master/package.json': '{ "name": "master", "version": "1.0.0", "coexist": { "unique": true } }',
    'node_modules/master/index.js': 'exports.parent = () => module.parent;',
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

test('the last opening closed by a module that is being opened, which works or fails', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace } = await load<typeof namespaces>(url);
      const globals = globalThis as { first?: namespaces.Handle; during?: namespaces.Closed };
      const one = openNamespace({ kind: 'closable', from: `${dir}/app.js` });
      globals.first = await one.open('./first.cjs');
      const handle = await one.open('./closes.cjs');
      const { works } = handle.module as { works: boolean };
      const closed = handle.close();
      const two = openNamespace({ kind: 'closable', from: `${dir}/app.js` });
      globals.first = await two.open('./first.cjs');
      const message = await two.open('./fails.cjs').catch((error: Error) => error.message);
      const { id } = openNamespace({ kind: 'closable' });
      return { during: globals.during?.released, works, closed: closed.released, message, free: id === two.id };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
  );
  expect(result).toEqual({ during: false, works: true, closed: true, message: 'fails', free: true });
});

test('a finalizer that adds one, and a master whose first user is released', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace } = await load<typeof namespaces>(url);
      const ns = openNamespace({ kind: 'closable', from: `${dir}/app.js` });
      const ran: string[] = [];
      ns.onClose(() => ran.push('first'));
      ns.onClose(() => {
        ran.push('last');
        ns.onClose(() => ran.push('added'));
      });
      const plugin = await ns.open('./plugin.cjs');
      const { master } = plugin.module as { master: { parent(): object | undefined } };
      const before = typeof master.parent();
      plugin.close();
      return { ran, before, after: typeof master.parent() };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
  );
  expect(result).toEqual({ ran: ['last', 'added', 'first'], before: 'object', after: 'undefined' });
});
