// Two versions of one template library, each with a renderer of its own, on the same pages.
// @ts-check

import { openNamespace, unique, uniqueCopies } from 'coexist/namespace';
import { formatTable } from '../table.js';

/** @typedef {import('../../namespaces/sites/renderer.js').Page} Page */
/** @typedef {typeof import('../../namespaces/sites/three.js')} Three */
/** @typedef {typeof import('../../namespaces/sites/four.js')} Four */
/** @typedef {typeof import('../../namespaces/logger.js')} Logger */

const FROM = new URL('../../namespaces/README.md', import.meta.url);

/** @param {Page[]} pages */
export async function renderSites(pages) {
  // zod 3 is out of the range that zod 4 allows: it stays a copy of its own, in the namespace that asks for it.
  unique('zod', { policy: 'private' });
  const four = await openSite('four');
  const three = await openSite('three');
  const { z } = await import('zod');
  const logger = await import('../../namespaces/logger.js');

  const invalid = thrownBy(() => z.string().parse(1));

  const sites = [four, three].map(({ ns, site, log }) => {
    const articles = pages.map((page) => site.render(page));
    const refused = thrownBy(() => site.render({ ...pages[0], bytes: -1 }));
    return {
      ns,
      version: site.version,
      articles,
      sameLogger: log === logger,
      sameZod: site.z === z,
      refused: refused instanceof z.ZodError && refused.constructor === invalid?.constructor,
    };
  });
  console.log(
    `\n${formatTable(
      ['Handlebars', 'namespace', 'pages', 'characters', '= as'],
      sites.map(({ ns, version, articles }) => [
        version,
        ns,
        articles.length,
        articles.join('').length,
        equals(articles),
      ]),
    )}\n`,
  );

  const copies = uniqueCopies();
  const head = ['copy', 'became', 'of', 'asked for by', 'range'];
  const rows = copies.map(({ name, version, outcome, into, importer, range }) => [
    `${name} ${version}`,
    outcome,
    into?.version ?? '',
    importer,
    range,
  ]);
  console.log(formatTable(head, rows));

  const old = /** @type {Three} */ (three.site);
  return {
    pages: pages.length,
    sites,
    // One version says the equals sign in another way, and that is all.
    alike: sites.every(({ articles }) => articles.join('').replaceAll('&#x3D;', '=') === sites[1]?.articles.join('')),
    escapes: sites.map(({ articles }) => equals(articles)),
    ownRenderers: four.site.render !== three.site.render,
    schemas: z.array(four.site.Page).safeParse(pages).success && z.array(three.site.Page).safeParse(pages).success,
    oldZod: {
      own: /** @type {unknown} */ (old.old) !== z,
      refuses: thrownBy(() => old.checkSettings({ title: 1 })) instanceof old.old.ZodError,
      base: thrownBy(() => old.checkSettings({ title: 1 })) instanceof z.ZodError,
    },
    copies: copies.map(({ version, outcome }) => `${version} ${outcome}`),
    lines: logger.counts(),
  };
}

/** @param {'four' | 'three'} name */
async function openSite(name) {
  const namespace = openNamespace({ from: FROM });
  const log = await namespace.open('./logger.js', { shared: true });
  const { module } = await namespace.open(`./sites/${name}.js`);
  return { ns: namespace.id, site: /** @type {Three | Four} */ (module), log: /** @type {Logger} */ (log.module) };
}

/**
 * How articles have their equals signs.
 * @param {string[]} articles
 */
const equals = (articles) => (articles.some((article) => article.includes('&#x3D;')) ? '&#x3D;' : '=');

/** @param {() => unknown} run @returns {object | undefined} */
function thrownBy(run) {
  try {
    run();
  } catch (error) {
    return /** @type {object} */ (error);
  }
  return undefined;
}
