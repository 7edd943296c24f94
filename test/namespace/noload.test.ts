// An open with noload runs nothing, and leaves no trace: what it has not found loads as ever, now and later.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as namespaces from '../../src/namespace.js';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'coexist-noload-'));
  for (const name of ['a', 'b', 'c0', 'c1', 'c2', 'c3'])
    writeFileSync(join(dir, `${name}.mjs`), `export default '${name}';`);
});
afterAll(() => rmSync(dir, { recursive: true }));

test('several at once, before a load, and in the middle of one', async () => {
  const { result } = await inChild(
    async ({ load }, { url, dir }) => {
      const { openNamespace, iterate, BASE } = await load<typeof namespaces>(url);
      const base = openNamespace({ id: BASE });
      const absent = await Promise.all(['a', 'b'].map((name) => base.open(`${dir}/${name}.mjs`, { noload: true })));
      const handle = await base.open(`${dir}/a.mjs`);
      const middle: unknown[] = [];
      for (const name of ['c0', 'c1', 'c2', 'c3']) {
        const loading = load<{ default: string }>(`file://${dir}/${name}.mjs`);
        await base.open(`${dir}/${name}.mjs`, { noload: true });
        middle.push((await loading).default);
      }
      const listed = iterate(BASE).some(({ path }) => path.endsWith('/b.mjs'));
      return {
        absent,
        module: handle.module,
        again: (await base.open(`${dir}/a.mjs`, { noload: true }))?.opens,
        middle,
        listed,
      };
    },
    { url: copyUrl('a', 'namespace.js'), dir },
  );
  expect(result).toEqual({
    absent: [null, null],
    module: { default: 'a' },
    again: 2,
    middle: ['c0', 'c1', 'c2', 'c3'],
    listed: false,
  });
});
