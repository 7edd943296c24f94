// The job's checks of itself, each one line: what must hold, and the values that say whether it does.
// @ts-check

/** @typedef {import('../print.js').Check} Check */

/**
 * @typedef {object} Evidence
 * @property {Awaited<ReturnType<typeof import('./sites.js').renderSites>>} rendered
 * @property {NonNullable<Awaited<ReturnType<typeof import('./plugins.js').runPlugins>>>} plugged
 * @property {{ infos: import('coexist/namespace').NamespaceInfo[], entries: import('coexist/namespace').NamespaceEntry[] }} listed
 */

/** Bytes of the heap that 30 plugins may leave. */
const GROWTH = 0.3e6;

/**
 * @param {Evidence} evidence
 * @returns {Check[]}
 */
export function checksOf({ rendered, plugged, listed }) {
  const { sites, pages, lines, oldZod, copies } = rendered;
  const versions = sites.map(({ version }) => version);
  const logged = sites.map(({ version }) => lines[`Handlebars ${version}`] ?? 0);
  const { runs, growth, alive, broken, inBase } = plugged;
  const expected = new Map(inBase.map(({ plugin, result }) => [plugin, result]));
  const wrong = runs.filter(({ plugin, result }) => expected.get(plugin) !== result);
  const fresh = runs.filter(({ before }) => before === 0);
  const released = runs.filter((run) => run.released);
  const numbers = new Set(runs.map(({ ns }) => ns));
  const [, ...named] = listed.infos;
  const missing = named.filter(({ id, modules, proxies }) => {
    const mine = listed.entries.filter(({ ns }) => ns === id);
    const own = mine.filter(({ kind, realNs }) => kind === 'own' && realNs === id).length;
    return own !== modules || mine.filter(({ realNs }) => realNs === 0).length !== proxies;
  });

  return [
    {
      ok: same(versions.map(major), ['4', '3']) && rendered.ownRenderers,
      text: `two versions of one library in one thread, each with a renderer of its own: Handlebars ${versions.join(' and ')}`,
    },
    {
      ok: sites.every(({ articles }) => articles.length === pages) && rendered.alike,
      text: `both rendered ${pages} pages, alike but for the equals sign: ${rendered.escapes.join(' and ')}`,
    },
    {
      ok: sites.every(({ sameLogger }) => sameLogger) && logged.every((count) => count === pages),
      text: `one log counted the lines of both: ${logged.join(' and ')}`,
    },
    {
      ok: sites.every(({ sameZod, refused }) => sameZod && refused) && rendered.schemas,
      text: 'zod is one for both and the base: its errors are instances of one class, its schemas go into each other',
    },
    {
      ok:
        oldZod.own &&
        oldZod.refuses &&
        !oldZod.base &&
        copies.length === 2 &&
        same(copies.map(outcome), ['master', 'kept']),
      text: `a version out of range stays beside it: ${copies.join(', ')}`,
    },
    {
      ok: runs.length === 30 && wrong.length === 0,
      text: `plugins find in a namespace what they find in the base: ${runs.length - wrong.length} of ${runs.length}`,
      details: wrong.map(({ plugin, result }) => `${plugin}: ${result}, not ${expected.get(plugin)}`),
    },
    {
      ok: fresh.length === runs.length && inBase.some(({ before }) => before > 0),
      text: `each had a library of its own, which nobody had used: ${fresh.length} of ${runs.length}`,
    },
    {
      ok: released.length === runs.length && numbers.size === 1,
      text: `each was released, and its number given out again: ${released.length} of ${runs.length}, all of them number ${[...numbers].join(', ')}`,
    },
    {
      ok: growth <= GROWTH,
      text: `they leave the heap as it was: ${(growth / 1e6).toFixed(2)} MB more, at most ${GROWTH / 1e6}`,
    },
    { ok: alive === 0, text: `nothing holds what they have exported: ${alive} of ${runs.length} are left` },
    {
      ok:
        broken.message === 'this plugin needs another host' &&
        same(broken.left, { modules: 0, cached: 0 }) &&
        same(broken.next, { before: 0, result: expected.get('words') }) &&
        broken.number[0] === broken.number[1],
      text: `a plugin that throws leaves nothing: ${broken.left.modules} modules; another one in its place works`,
      details: [broken.message],
    },
    {
      ok: named.length === 3 && missing.length === 0 && named.every(({ modules }) => modules > 0),
      text: `what the namespaces list is what they count: ${named.map(({ modules, proxies }) => `${modules} + ${proxies}`).join(', ')}`,
      details: missing.map(({ id }) => `namespace ${id}`),
    },
  ];
}

/** @param {string} version */
const major = (version) => version.split('.')[0];

/** @param {string} copy */
const outcome = (copy) => copy.split(' ')[1];

/**
 * @param {unknown} a
 * @param {unknown} b
 */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
