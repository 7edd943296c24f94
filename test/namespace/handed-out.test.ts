// Namespaces as several parts of a program have them: each with its own place, and never another one's number.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-handed-'));
  mkdirSync(join(dir, 'deep'));
  writeFileSync(join(dir, 'here.cjs'), 'exports.place = 1;');
  writeFileSync(join(dir, 'deep/here.cjs'), 'exports.place = 2;');
});
afterAll(() => rmSync(dir, { recursive: true }));

test('by number, with a place of its own; what is refused changes nothing; an old one stays gone', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace, iterate, BASE } = await load<typeof namespaces>(url);
      const code = (run: () => unknown): unknown => {
        try {
          return run();
        } catch (error) {
          return (error as NodeJS.ErrnoException).code;
        }
      };
      const place = async (ns: namespaces.Namespace): Promise<unknown> =>
        ((await ns.open('./here.cjs')).module as { place: number }).place;
      const refused = [
        code(() => openNamespace({ id: 99, reserve: 12 })),
        code(() => openNamespace({ reserve: 12, limit: 12 })),
      ];
      const old = openNamespace({ kind: 'closable', from: `${dir}/app.js` });
      const places = [
        await place(old),
        await place(openNamespace({ id: old.id, from: `${dir}/deep/app.js` })),
        await place(openNamespace({ id: BASE, from: `${dir}/deep/app.js` })),
      ];
      const transform = code(() => openNamespace({ id: old.id, kind: 'closable', transform: (text) => text }));
      old.close();
      const next = openNamespace({ kind: 'closable', from: `${dir}/app.js` });
      const gone = [code(() => old.info()), code(() => iterate(old)), code(() => old.close())];
      return { refused, id: old.id, places, transform, again: next.id, gone };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
  );
  expect(result).toEqual({
    refused: ['COEXIST_EINVAL', 'COEXIST_EINVAL'],
    id: 1,
    places: [1, 2, 2],
    transform: 'COEXIST_EINVAL',
    again: 1,
    gone: ['COEXIST_EGONE', 'COEXIST_EGONE', { released: true, retainedModules: 0 }],
  });
});
