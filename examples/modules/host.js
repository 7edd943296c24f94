// The program: it can read archives, keep a catalogue and show a report, and needs none of that to start. What it calls are the tables of
// interfaces.js; what is behind them comes when it is asked for, if this thread's role may have it.
// @ts-check

import { fileURLToPath } from 'node:url';
import { createLoader } from 'coexist/module';
import { program } from './interfaces.js';

/** Whose build it is that parts have to be of, in messages. */
export const ORIGIN = fileURLToPath(import.meta.url);

/** The phases in which a host starts, in their order; `ui` only where there is a user. */
const PHASES = /** @type {const} */ ({ system: ['block', 'ui'], img: ['block'] });

/**
 * @typedef {object} HostOptions
 * @property {string} fingerprint Of the build that this program is of.
 * @property {string[]} dirs Where the parts are.
 * @property {string} folder Where the parts keep their files.
 * @property {'system' | 'img'} [role] `system` has a user in front of it; `img` works on files, as the threads of a pool do.
 * @property {string[]} [options] What the user has switched on: each may need a part.
 */

/**
 * Opens the host in this thread.
 * @param {HostOptions} options
 */
export async function openHost({ fingerprint, dirs, folder, role = 'system', options = [] }) {
  program.withdraw();
  program.implement({ folder: () => folder });
  const loader = createLoader({ fingerprint, dirs, host: role, origin: ORIGIN });
  for (const option of options) await loader.loadFor({ option });
  for (const phase of PHASES[role]) {
    const { failures } = await loader.callInit(phase);
    for (const { module, error } of failures) {
      throw new Error(`${module ?? 'the program'} could not be started in the phase ${phase}`, { cause: error });
    }
  }
  return loader;
}
