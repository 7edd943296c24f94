// What a host that has loaded nothing yet is refused, and what that leaves: nothing.
// @ts-check

import { createLoader, inspectModules } from 'coexist/module';
import { ORIGIN } from '../../modules/host.js';
import { archive, blocks, report } from '../../modules/interfaces.js';

/**
 * @typedef {object} Refusal
 * @property {string} what
 * @property {string} expected The outcome, and of a refusal its reason.
 * @property {string} found
 * @property {string} message
 * @property {string[]} names What the message has to name, in this order.
 */

/**
 * @param {{ places: import('./damage.js').Places, host: { fingerprint: string, dirs: string[] }, foreign: string }} options
 */
export async function askRefusals({ places, host: { fingerprint, dirs }, foreign }) {
  /** @type {Refusal[]} */
  const refusals = [];
  const before = remains();
  /**
   * @param {string} what
   * @param {string} name
   * @param {string} expected
   * @param {string[]} names
   * @param {Partial<import('coexist/module').LoaderOptions>} [options]
   */
  const ask = async (what, name, expected, names, options = {}) => {
    const loader = createLoader({ host: 'system', fingerprint, dirs, origin: ORIGIN, ...options });
    try {
      const outcome = await loader.load(name);
      const found = outcome.outcome === 'refused' ? `refused: ${outcome.reason}` : outcome.outcome;
      refusals.push({ what, expected, found, message: outcome.message, names });
    } finally {
      loader[Symbol.dispose]();
    }
  };

  const { other, halved, touched, lacking } = places;
  await ask('a build of somebody else', 'block-zip', 'refused: build', [foreign, other, fingerprint, ORIGIN], {
    dirs: [other],
  });
  await ask('half an upgrade', 'block-zip', 'refused: build', [foreign, halved, fingerprint, ORIGIN], {
    dirs: [halved],
  });
  await ask('a file that was changed', 'block-zip', 'refused: content', [touched], { dirs: [touched] });
  await ask('without what it depends on', 'block-zip', 'absent', ['block-core'], { dirs: [lacking] });
  await ask('not installed', 'block-tape', 'absent', ['block-tape']);
  await ask('in a host without a user', 'ui-report', 'refused: host', ['img', 'system'], { host: 'img' });
  await ask('not allowed by the host', 'ui-report', 'refused: not-allowed', ['ui-report'], { allow: ['block-core'] });
  await ask('a path for a name', '../block-zip', 'refused: name', ['../block-zip']);
  for (const { what, found, message } of refusals)
    console.log(`\n${what}: ${found}\n  ${message.replaceAll('\n', '\n  ')}`);
  return { refusals, before, after: remains() };
}

/** What a load that was refused could have left: modules of the process, and functions behind the interfaces. */
const remains = () => ({
  threads: inspectModules().flatMap(({ threads }) => threads).length,
  generations: [blocks, archive, report].map(({ generation }) => generation),
  drivers: blocks.drivers(),
});
