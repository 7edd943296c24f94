// What keeps a process alive: an open server that is referenced, and an asynchronous call in progress. Nothing else does.

import { expect, test } from 'vitest';
import { inChild } from '../support/child.js';
import { copyUrl } from '../support/copies.js';

const urls = { core: copyUrl('a', 'core.js') };

test('a server keeps its process alive until it is closed or unreferenced', async () => {
  const { code, reports } = await inChild<string | undefined, typeof urls>(async ({ load, report }, { core }) => {
    const { serve } = await load(core);
    const server = serve('alive', { any: () => 1 });
    const other = serve('other', { any: () => 1 }).unref();
    setTimeout(() => {
      report('still there');
      other.ref().close();
      server.unref();
    }, 50).unref();
    process.on('exit', () => report('ends'));
  }, urls);
  expect({ code, reports }).toEqual({ code: 0, reports: ['still there', 'ends'] });
});

test('a call in progress keeps it alive, a client does not', async () => {
  const { code, reports } = await inChild<string | undefined, typeof urls>(
    async ({ load, report, module }, { core }) => {
      const { attach, connect } = await load(core);
      attach();
      const { Worker } = process.getBuiltinModule('node:worker_threads');
      const step = `async ({ load }, { core }) => {
        const { serve } = await load(core);
        serve('slow', { slow: () => new Promise((resolve) => setTimeout(() => resolve('done'), 60)) });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }`;
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(module(step, { core }))}`));
      worker.unref();
      const client = connect<{ slow(): Promise<string> }>('slow');
      // Nobody else keeps this process alive.
      report(await client.call('slow'));
      process.on('exit', () => report('ends'));
    },
    urls,
  );
  expect({ code, reports }).toEqual({ code: 0, reports: ['done', 'ends'] });
});
