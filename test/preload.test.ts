// node --import coexist/preload: the main thread attaches before the program runs, workers do nothing on their own, and a
// main thread that cannot attach is warned of, not stopped.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ChildContext, inChild, root, runNode } from './support/child.js';
import { copyUrl } from './support/copies.js';

const preload = new URL('../dist/preload.js', import.meta.url).href;
const flags = ['--import', preload];
const url = copyUrl('a');

test('the program finds the area there, and registers in it with any copy', async () => {
  const { result, stderr } = await inChild(
    async ({ load }, { url, urlB }) => {
      const { probe } = await load(url);
      const before = probe();
      const { attach, register } = await load(urlB);
      register();
      const workerThreads = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, unknown>;
      const value = workerThreads[Symbol.for('coexist.area.v1')] as { buffer?: unknown };
      return { via: before.via, attached: before.attached, same: (value.buffer ?? value) === attach().buffer };
    },
    { url, urlB: copyUrl('b') },
    { flags },
  );
  expect(result, stderr).toEqual({ via: 'anchor', attached: false, same: true });
  expect(stderr).toBe('');
});

test('a worker that starts before the program knows the library inherits the area, without the inspector', async () => {
  const { result, stderr } = await inChild(
    async ({ load, module }, url) => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const step = async ({ load }: ChildContext, url: string) => {
        const workerThreads = process.getBuiltinModule('node:worker_threads');
        // The flag is inherited, but a worker does not attach by itself.
        const symbols = Object.getOwnPropertySymbols(workerThreads).map(String);
        const { attach, probe } = await load(url);
        const { via } = probe();
        workerThreads.parentPort?.postMessage({ symbols, via, id: attach().id });
      };
      const source = new URL(`data:text/javascript,${encodeURIComponent(module(String(step), url))}`);
      const worker = new Worker(source, { env: { COEXIST_NO_INSPECTOR: '1' } });
      const seen = (await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      })) as { symbols: string[]; via: string; id: number };
      const { attach } = await load(url);
      return { ...seen, id: seen.id === attach().id };
    },
    url,
    { flags },
  );
  expect(result, stderr).toEqual({ symbols: [], via: 'environment', id: true });
});

test('frozen built-in modules: a warning with the code, and the program runs', async () => {
  const freeze = join(root, 'build', 'freeze.mjs');
  writeFileSync(freeze, "Object.freeze(process.getBuiltinModule('node:worker_threads'));");
  const { result, stderr, code } = await inChild(
    async ({ load }, url) => {
      const { attach, probe } = await load(url);
      try {
        attach();
        return 'attached';
      } catch (error) {
        return [(error as { code?: string }).code, probe().attached];
      }
    },
    url,
    { flags: ['--import', freeze, ...flags] },
  );
  expect(result).toEqual(['COEXIST_EANCHOR', false]);
  expect(stderr).toMatch(/\[COEXIST_EANCHOR\] CoexistWarning: coexist\/preload could not attach: .*takes no property/);
  expect(code).toBe(0);
});

test('a bad COEXIST_SLOTS: a warning that names it, and the program runs', async () => {
  const { stdout, stderr, code } = await runNode([...flags, '--eval', 'console.log("ran")'], { COEXIST_SLOTS: 'many' });
  expect(stdout).toBe('ran\n');
  expect(stderr).toMatch(/\[COEXIST_EINVAL\] CoexistWarning: .*slots is NaN, expected an integer from 1 to 16384/);
  expect(code).toBe(0);
});

test('it keeps no process alive and prints nothing', async () => {
  const { stdout, stderr, code } = await runNode([...flags, '--eval', '0']);
  expect([stdout, stderr, code]).toEqual(['', '', 0]);
});

test('by its package name, and twice', async () => {
  const { stdout, stderr } = await runNode([
    '--import',
    'coexist/preload',
    ...flags,
    '--input-type=module',
    '--eval',
    "import { probe } from 'coexist'; console.log(probe().via)",
  ]);
  expect([stdout, stderr]).toEqual(['anchor\n', '']);
});
