// S20: what a killed process leaves is swept by the next one, and nothing else is. Where links are not to be had namespaces are refused, with a
// remedy, and loading goes on as before.

import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { type Library, library, newDirectory, onePackage, writeTree } from '../support/namespace-trees.js';

const PREFIX = 'coexist-ns-';
const linksIn = (tmp: string) => readdirSync(tmp).filter((name) => name.startsWith(PREFIX));

const program = () =>
  writeTree({
    'package.json': { name: 'program', version: '1.0.0' },
    ...onePackage('one'),
    ...onePackage('two', { type: 'commonjs' }),
  });

test('links of the dead are swept, those of the living and of other machines stay', async () => {
  const dir = program();
  const tmp = newDirectory('links');
  const args = { library, dir };
  const env = { TMPDIR: tmp };
  const killed = await inChild(
    async ({ load, report }, { library, dir }) => {
      const { openNamespace } = await load<Library>(library);
      const ns = openNamespace({ from: `${dir}/program.js` });
      await ns.open('one');
      openNamespace({ kind: 'closable' });
      report(process.pid);
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
    },
    args,
    { env },
  );
  const left = linksIn(tmp);
  expect(left.length, killed.stderr).toBe(1);
  const [name] = left as [string];
  expect(readdirSync(join(tmp, name)).sort()).toEqual(['1', 'c2']);
  const [scope, pid, , random] = name.slice(PREFIX.length).split('.') as [string, string, string, string];
  expect(pid).toBe(String(killed.result));
  // Nothing is proved by a number of another boot or another namespace of processes, and names of another make are nobody's.
  const identity = name.split('.')[2];
  const others = [
    `${PREFIX}0${scope}.${pid}.${identity}.${random}`,
    `${PREFIX}${scope}.notes`,
    `${PREFIX}notes`,
    'mine',
  ];
  for (const other of others) {
    mkdirSync(join(tmp, other));
    symlinkSync('/', join(tmp, other, '1'));
  }

  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, tmp }) => {
      const { openNamespace } = await load<Library>(library);
      const { readdirSync } = process.getBuiltinModule('node:fs');
      const { execFileSync } = process.getBuiltinModule('node:child_process');
      const links = () => readdirSync(tmp).sort();
      const ns = openNamespace({ from: `${dir}/program.js` });
      await ns.open('one');
      const own = links();
      // Another process, while this one lives.
      const text = `
        import { readdirSync } from 'node:fs';
        import { openNamespace } from ${JSON.stringify(library)};
        await openNamespace({ from: ${JSON.stringify(`${dir}/program.js`)} }).open('one');
        console.log(JSON.stringify(readdirSync(${JSON.stringify(tmp)}).sort()));
      `;
      const beside = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', text]).toString());
      const two = await ns.open('two');
      return { pid: process.pid, own, beside, behind: links(), works: two.kind };
    },
    { ...args, tmp },
    { env },
  );
  const mine = result.own.filter((each) => !others.includes(each));
  expect(mine, stderr).toEqual([expect.stringContaining(`${scope}.${result.pid}.`)]);
  expect(result.beside).toHaveLength(others.length + 2);
  expect(result.beside).toEqual(expect.arrayContaining([...others, ...mine]));
  expect([result.behind, result.works]).toEqual([result.own, 'own']);
  // Who ends by himself leaves nothing.
  expect(readdirSync(tmp).sort()).toEqual([...others].sort());
});

const major = Number(process.versions.node.split('.')[0]);
const PERMISSION = major === 20 ? '--experimental-permission' : '--permission';

/** What happens under some permissions: to namespaces, and to plain loading behind that. */
const under = (dir: string, tmp: string, flags: readonly string[]) =>
  inChild(
    async ({ load }, { library, dir }) => {
      const { openNamespace, unique } = await load<Library>(library);
      const nodeModule = process.getBuiltinModule('node:module') as unknown as {
        Module: { _resolveFilename: unknown; _load: unknown };
        createRequire(at: string): (at: string) => object;
      };
      const patched = () => [nodeModule.Module._resolveFilename, nodeModule.Module._load];
      const before = patched();
      const outcomes: unknown[] = [];
      for (const run of [
        async () => {
          const ns = openNamespace({ from: `${dir}/program.js` });
          const other = openNamespace({ kind: 'closable', from: `${dir}/program.js` });
          return [(await ns.open('one')).kind, (await ns.open('two')).kind, (await other.open('two')).kind];
        },
        async () => unique('one'),
      ]) {
        try {
          outcomes.push(await run());
        } catch (error) {
          const { code, remedy } = error as { code: string; remedy: string };
          outcomes.push([code, remedy]);
        }
      }
      const { Mark } = await load<{ Mark: unknown }>(`file://${dir}/node_modules/one/index.js`);
      const two = nodeModule.createRequire(`${dir}/program.js`)('two');
      return {
        outcomes,
        plain: [typeof Mark, Object.keys(two)],
        untouched: patched().every((each, k) => each === before[k]),
      };
    },
    { library, dir },
    { flags: [...flags, '--disable-warning=ExperimentalWarning'], env: { TMPDIR: tmp } },
  );

test.each([
  { leave: 'to read', flags: [PERMISSION, '--allow-fs-read=*', '--allow-worker'] },
  {
    leave: 'to write for files of its own',
    flags: [PERMISSION, '--allow-fs-read=*', '--allow-fs-write=TMP/*', '--allow-worker'],
  },
  { leave: 'to write in no such directory', flags: [], tmp: '/nonexistent/tmp' },
  ...(major === 20
    ? [{ leave: 'for everything but workers', flags: [PERMISSION, '--allow-fs-read=*', '--allow-fs-write=*'] }]
    : []),
])('with leave $leave they are refused, and nothing is half there', async ({ flags, tmp }) => {
  const links = newDirectory('links');
  const { result, stderr } = await under(
    program(),
    tmp ?? links,
    flags.map((flag) => flag.replace('TMP', links)),
  );
  const refusal = [
    'COEXIST_EUNSUPPORTED',
    expect.stringMatching(/TMPDIR.*--allow-fs-read=\* --allow-fs-write=\*.*--allow-worker/),
  ];
  expect(result, stderr).toEqual({
    outcomes: [refusal, refusal],
    plain: ['function', ['Mark']],
    untouched: true,
  });
  expect(readdirSync(links)).toEqual([]);
});

test('with leave for all of it they work', async () => {
  const tmp = newDirectory('links');
  const flags = [PERMISSION, '--allow-fs-read=*', '--allow-fs-write=*', ...(major === 20 ? ['--allow-worker'] : [])];
  const { result, stderr } = await under(program(), tmp, flags);
  expect(result, stderr).toEqual({
    outcomes: [['own', 'own', 'own'], undefined].map((each) => each ?? null),
    plain: ['function', ['Mark']],
    untouched: false,
  });
  expect(readdirSync(tmp)).toEqual([]);
});
