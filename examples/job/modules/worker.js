// A worker of the job: opens the host in its thread for one purpose, answers, and ends when it is told to.
// @ts-check

import { parentPort, workerData } from 'node:worker_threads';
import { createLoader } from 'coexist/module';
import { ORIGIN, openHost } from '../../modules/host.js';
import { archive, report } from '../../modules/interfaces.js';
import { upgrade } from './damage.js';
import { digest } from './digest.js';

/**
 * @typedef {object} ImgAnswer
 * @property {string[]} outcomes
 * @property {string[]} loaded
 * @property {string} refused What it was told of the part that it may not have.
 * @property {string} rendering The code of the error of a call that would have loaded it.
 * @property {{ files: number, sha256: string }} unpacked
 *
 * What was loaded from where.
 * @typedef {{ path: string, message: string, found: string }} Found
 *
 * @typedef {{ img: ImgAnswer, replaced: Found, late: Found, rival: { found: string, message: string } }} Answers
 */

const {
  what,
  host,
  archive: packed,
} = /** @type {{ what: keyof Answers, host: import('./threads.js').Host, archive: Uint8Array }} */ (workerData);

/** @type {{ [What in keyof Answers]: () => Promise<Answers[What]> }} */
const PURPOSES = {
  async img() {
    const opened = await openHost({ ...host, role: 'img' });
    const outcomes = await opened.loadPresent();
    const refused = await opened.load('ui-report');
    report.note('nobody hears this here');
    const rendering = await report.render('', []).catch((error) => error.code);
    const files = await archive.unpack(packed);
    return {
      outcomes: outcomes.map(({ name, outcome }) => `${name}: ${outcome}`),
      loaded: opened.list().flatMap(({ name, state }) => (state === 'loaded' ? [name] : [])),
      refused: refused.outcome === 'refused' ? refused.reason : refused.outcome,
      rendering: String(rendering),
      unpacked: { files: files.length, sha256: digest(files) },
    };
  },

  /** A program that runs while its package is upgraded, and needs a part only then. */
  async replaced() {
    const [upgraded = ''] = host.dirs;
    const opened = await openHost(host);
    upgrade({ upgraded, other: host.other ?? '', fingerprint: host.fingerprint });
    return found(await opened.load('block-zip'));
  },

  /** A thread that such a program starts behind that. */
  async late() {
    const opened = await openHost(host);
    return found(await opened.load('block-zip'));
  },

  /** Another build of the program, in the same process. */
  async rival() {
    const loader = createLoader({ fingerprint: host.fingerprint, dirs: host.dirs, host: 'system', origin: ORIGIN });
    const outcome = await loader.load('block-zip');
    loader[Symbol.dispose]();
    return { found: outcome.outcome === 'refused' ? outcome.reason : outcome.outcome, message: outcome.message };
  },
};

/** @param {import('coexist/module').Outcome} outcome */
const found = ({ message, outcome, ...rest }) => ({
  found: outcome,
  path: 'path' in rest ? String(rest.path) : '',
  message,
});

const answer = await PURPOSES[what]();
parentPort?.once('message', () => parentPort?.close());
parentPort?.postMessage(answer);
