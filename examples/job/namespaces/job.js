// The job `namespaces`: two versions of one template library in one thread, with one log and one zod, and plugins that are opened, run and
// closed until nothing is left of them. Every step is checked.
// @ts-check

import { iterate, openNamespace } from 'coexist/namespace';
import { PLUGINS } from '../../namespaces/host.js';
import { printChecks } from '../print.js';
import { counted, formatTable, megabytes } from '../table.js';
import { checksOf } from './checks.js';
import { runPlugins } from './plugins.js';
import { readPages } from './read.js';
import { renderSites } from './sites.js';

/** @type {import('../jobs.js').Run} */
export async function run({ dir }, signal) {
  const pages = readPages(dir);
  const bytes = pages.reduce((sum, page) => sum + page.bytes, 0);
  if (pages.length === 0) console.log(`there is no text under ${dir}, only an empty page`);
  else console.log(`${counted(pages.length, 'page')}, ${megabytes(bytes)}, under ${dir}`);
  const all = pages.length === 0 ? [{ path: 'empty.txt', bytes: 0, text: '' }] : pages;

  const rendered = await renderSites(all);
  if (signal.aborted) return interrupted();
  const plugged = await runPlugins(all, signal);
  if (plugged === undefined) return interrupted();

  // One more, which is open when the tables are made.
  const open = openNamespace({ kind: 'closable', from: new URL('../../namespaces/host.js', import.meta.url) });
  await open.open(`./plugins/${PLUGINS[0]}/index.js`);
  const evidence = { rendered, plugged, listed: list([0, ...rendered.sites.map(({ ns }) => ns), open.id]) };
  open.close();
  return printChecks(checksOf(evidence)) ? 0 : 1;
}

function interrupted() {
  console.log('interrupted');
  return 1;
}

/**
 * Prints the namespaces that are open, and who has how many modules of which package.
 * @param {number[]} ids
 */
function list(ids) {
  const infos = ids.map((id) => openNamespace({ id }).info());
  console.log(`\n${formatTable(['namespace', 'kind', 'open', 'own', 'proxies'], infos.map(rowOf))}\n`);
  const entries = ids.flatMap((id) => iterate(id)).filter((entry) => entry.package !== undefined);
  const packages = [...new Set(entries.map((entry) => `${entry.package} ${entry.version ?? ''}`))].sort();
  const rows = packages.map((name) => {
    const mine = entries.filter((entry) => `${entry.package} ${entry.version ?? ''}` === name);
    return [name, ...ids.map((id) => cell(mine.filter(({ ns }) => ns === id)))];
  });
  console.log(`${formatTable(['package', ...ids.map((id) => (id === 0 ? 'base' : `in ${id}`))], rows)}\n`);
  return { infos, entries };
}

/** @param {import('coexist/namespace').NamespaceInfo} info */
const rowOf = ({ id, kind, opens, modules, proxies }) => [id === 0 ? 'base' : id, kind, opens, modules, proxies];

/** @param {import('coexist/namespace').NamespaceEntry[]} entries */
function cell(entries) {
  const own = entries.filter(({ kind }) => kind === 'own').length;
  const proxies = entries.length - own;
  return [own > 0 ? `${own} own` : '', proxies > 0 ? counted(proxies, 'proxy').replace('proxys', 'proxies') : '']
    .filter((text) => text !== '')
    .join(', ');
}
