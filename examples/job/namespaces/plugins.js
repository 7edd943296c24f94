// Plugins that come and go: what they find, what is left of them, and of one that cannot be loaded.
// @ts-check

import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { namespaceOf, openNamespace } from 'coexist/namespace';
import { PLUGINS, runPlugin } from '../../namespaces/host.js';
import { formatTable, megabytes } from '../table.js';

/** @typedef {import('../../namespaces/sites/renderer.js').Page} Page */

const WARMUP = 4;
const TIMES = 5;
const HOST = new URL('../../namespaces/host.js', import.meta.url);
const require = createRequire(HOST);

setFlagsFromString('--expose-gc');
/** @type {() => void} */
const gc = runInNewContext('gc');

/**
 * @param {Page[]} pages
 * @param {AbortSignal} signal
 */
export async function runPlugins(pages, signal) {
  // What is compiled for the first of them is there for all.
  for (let time = 0; time < WARMUP; time++) for (const name of PLUGINS) await runPlugin(name, pages);
  const start = await heap();
  /** @type {import('../../namespaces/host.js').Run[]} */
  const runs = [];
  for (let time = 0; time < TIMES; time++) {
    for (const name of PLUGINS) {
      if (signal.aborted) return undefined;
      runs.push(await runPlugin(name, pages));
    }
  }
  const growth = (await heap()) - start;
  const alive = runs.filter(({ exports }) => exports.deref() !== undefined).length;
  const broken = await openBroken(pages);

  // The same in one place, for good.
  const before = await heap();
  const inBase = PLUGINS.map((name) => {
    /** @type {import('../../namespaces/host.js').Plugin} */
    const plugin = require(`./plugins/${name}/index.js`);
    return { plugin: name, before: plugin.read(), result: plugin.run(pages) };
  });
  const kept = (await heap()) - before;

  const head = ['plugin', 'modules', 'times', 'result'];
  const rows = runs
    .slice(0, PLUGINS.length)
    .map(({ plugin, modules, result }) => [
      plugin,
      modules,
      runs.filter((run) => run.plugin === plugin).length,
      result,
    ]);
  console.log(`\n${formatTable(head, rows)}`);
  console.log(
    `\n${runs.length} plugins, each in a namespace that was closed: ${signed(growth)} on the heap; ` +
      `${PLUGINS.length} in the base keep ${megabytes(kept)}`,
  );
  return { runs: runs.map(({ exports: _, ...run }) => run), growth, alive, broken, inBase };
}

/** @param {Page[]} pages */
async function openBroken(pages) {
  const namespace = openNamespace({ kind: 'closable', from: HOST });
  const error = await namespace.open('./plugins/broken/index.js').then(
    () => undefined,
    (/** @type {Error} */ thrown) => thrown,
  );
  const left = {
    modules: namespace.info().modules,
    cached: Object.keys(require.cache).filter((path) => namespaceOf(path) === namespace.id).length,
  };
  const { module } = await namespace.open('./plugins/words/index.js');
  const plugin = /** @type {import('../../namespaces/host.js').Plugin} */ (module);
  const next = { before: plugin.read(), result: plugin.run(pages) };
  const { id } = namespace;
  namespace.close();
  const reused = openNamespace({ kind: 'closable' });
  const again = reused.id;
  reused.close();
  return { message: error?.message ?? '', left, next, number: [id, again] };
}

/** Bytes of the heap, when what finalizers, and the compiler in its own threads, hold has gone, too. */
async function heap() {
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < 6; k++) {
    await setTimeout(20);
    gc();
    least = Math.min(least, process.memoryUsage().heapUsed);
  }
  return least;
}

/** @param {number} bytes */
const signed = (bytes) => `${bytes < 0 ? '-' : '+'}${(Math.abs(bytes) / 1e6).toFixed(2)} MB`;
