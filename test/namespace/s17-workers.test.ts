// S17: a worker has namespaces of its own, with links of its own, which go with it, or with the next one where it was terminated.

import { expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import {
  type Beside,
  type BesideArguments,
  besideArguments,
  besideStep,
  expectAlike,
  outside,
  parityTree,
} from '../support/namespace-parity.js';
import { type Library, library, newDirectory, onePackage, writeTree } from '../support/namespace-trees.js';

const WORKERS = 4;

test.each([1, WORKERS])('every kind of module, in %i workers at once', async (workers) => {
  const dir = writeTree(parityTree, newDirectory('workers'));
  const tmp = newDirectory('links');
  const flags = ['--enable-source-maps'];
  const { reports, stderr } = await inChild<Beside, { text: string; args: BesideArguments; workers: number }>(
    async ({ module }, { text, args, workers }) => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const run = () =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(module(text, args))}`));
          worker.once('error', reject);
          worker.once('exit', () => resolve());
        });
      await Promise.all(Array.from({ length: workers }, run));
      return undefined as never;
    },
    { text: String(besideStep), args: besideArguments(dir, flags), workers },
    { flags, env: { REAL: dir, TMPDIR: tmp } },
  );
  expect(reports.length, stderr).toBe(workers);
  const expected = await outside(dir, flags);
  for (const result of reports) expectAlike(result, expected);
});

test("links are a thread's own, and are swept behind those that were terminated", async () => {
  const dir = writeTree({
    'package.json': { name: 'program', version: '1.0.0' },
    ...onePackage('one'),
    ...onePackage('two', { type: 'commonjs' }),
  });
  const tmp = newDirectory('links');
  const { result, stderr } = await inChild(
    async ({ load }, { library, dir, workers, tmp }) => {
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const { readdirSync } = process.getBuiltinModule('node:fs');
      const links = () => readdirSync(tmp).filter((name) => name.startsWith('coexist-ns-'));
      const text = `
        import { parentPort } from 'node:worker_threads';
        import { openNamespace } from ${JSON.stringify(library)};
        const ns = openNamespace({ from: ${JSON.stringify(`${dir}/program.js`)} });
        const one = await ns.open('one');
        const two = await ns.open('two');
        parentPort.postMessage([ns.id, one.kind, two.kind, globalThis.runs]);
        parentPort.once('message', () => {});
      `;
      const start = async () => {
        const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
        const told = await new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
        return { worker, told };
      };
      const { openNamespace } = await load<Library>(library);
      openNamespace({ from: `${dir}/program.js` });
      const main = links();
      const started = await Promise.all(Array.from({ length: workers }, start));
      const alive = links().length;
      const [first, ...rest] = started as [(typeof started)[0], ...typeof started];
      // This one ends by itself.
      first.worker.postMessage('end');
      await new Promise((resolve) => first.worker.once('exit', resolve));
      const ended = links().length;
      await Promise.all(rest.map(({ worker }) => worker.terminate()));
      const next = await start();
      const swept = links();
      await next.worker.terminate();
      return {
        told: [...started, next].map(({ told }) => told),
        counts: [main.length, alive, ended, swept.length],
        mainStays: swept.includes(main[0] as string),
      };
    },
    { library, dir, workers: WORKERS, tmp },
    { env: { TMPDIR: tmp } },
  );
  const told = [1, 'own', 'own', { 'one@1.0.0': 1, 'two@1.0.0': 1 }];
  expect(result, stderr).toEqual({
    told: Array.from({ length: WORKERS + 1 }, () => told),
    counts: [1, 1 + WORKERS, WORKERS, 2],
    mainStays: true,
  });
});
