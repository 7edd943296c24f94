// Runs plugins, each in a namespace of its own that ends with it.
// @ts-check

import { openNamespace } from 'coexist/namespace';

/** @typedef {import('./sites/renderer.js').Page} Page */
/** @typedef {{ run: (pages: Page[]) => string, read: () => number }} Plugin */

export const PLUGINS = ['words', 'letters', 'links', 'headings', 'lines', 'versions'];

/**
 * @typedef {object} Run
 * @property {string} plugin
 * @property {number} ns
 * @property {number} modules Of its own.
 * @property {number} before Pages that its library had read before it ran.
 * @property {string} result
 * @property {boolean} released
 * @property {WeakRef<object>} exports What it has exported, should anybody still hold it.
 */

/**
 * @param {string} name
 * @param {Page[]} pages
 * @returns {Promise<Run>}
 */
export async function runPlugin(name, pages) {
  const namespace = openNamespace({ kind: 'closable', from: import.meta.url });
  try {
    const handle = await namespace.open(`./plugins/${name}/index.js`);
    const plugin = /** @type {Plugin} */ (handle.module);
    const before = plugin.read();
    const result = plugin.run(pages);
    const { id: ns } = namespace;
    const { modules } = namespace.info();
    const { released } = namespace.close();
    return { plugin: name, ns, modules, before, result, released, exports: new WeakRef(plugin) };
  } finally {
    namespace.close();
  }
}
