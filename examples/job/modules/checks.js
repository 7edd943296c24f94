// The job's checks of itself, each one line: what must hold, and the values that say whether it does.
// @ts-check

import { join } from 'node:path';
import { counted } from '../table.js';

/** @typedef {import('../print.js').Check} Check */

/**
 * @typedef {object} Evidence
 * @property {{ loading: import('../../modules/run.js').Ready, importing: import('../../modules/run.js').Ready }} started
 * @property {Awaited<ReturnType<typeof import('./refusals.js').askRefusals>>} refused
 * @property {Awaited<ReturnType<typeof import('./demand.js').onDemand>>} demanded
 * @property {Awaited<ReturnType<typeof import('./threads.js').roles>>} threads
 * @property {import('./worker.js').Answers['replaced']} replaced
 * @property {import('./worker.js').Answers['late']} late
 * @property {import('./worker.js').Answers['rival']} rival
 * @property {string[]} journal What process-wide initialisers wrote, each a line.
 * @property {string} fingerprint
 * @property {string} foreign
 * @property {{ upgraded: string }} places
 */

const ALL = ['block-core', 'block-sqlite', 'block-zip', 'ui-report'];
const BLOCK = ALL.filter((name) => name !== 'ui-report');

/**
 * @param {Evidence} evidence
 * @returns {Check[]}
 */
export function checksOf({
  started,
  refused,
  demanded,
  threads,
  replaced,
  late,
  rival,
  journal,
  fingerprint,
  foreign,
  places,
}) {
  const { loading, importing } = started;
  const { refusals, before, after } = refused;
  const wrong = refusals.filter(({ expected, found }) => expected !== found);
  const unsaid = refusals.filter(({ message, names }) => !inOrder(message, names));
  const { steps, stubs, patched, total, rows, bytes, page, inside } = demanded;
  const loaded = steps.map((step) => [...step.loaded].sort().join(' '));
  const { workers, answers, present, behind } = threads;
  const whole = answers.filter(({ unpacked }) => unpacked.files === rows && unpacked.sha256 === demanded.sha256);
  const kept = join(places.upgraded, fingerprint, 'block-zip.mjs');

  return [
    {
      ok:
        loading.loaded.length === 0 &&
        same(loading.found, { drivers: [], formats: [], catalogue: false }) &&
        same(importing.found, { drivers: ['sqlite', 'zip'], formats: ['zip'], catalogue: true }),
      text: `the program starts without its parts: ${counted(loading.loaded.length, 'part')} loaded, ${loading.found.drivers.length} drivers, against ${importing.found.drivers.length} where all are imported`,
    },
    {
      ok: wrong.length === 0,
      text: `what does not fit is not let in: ${refusals.length - wrong.length} of ${refusals.length} as expected`,
      details: wrong.map(({ what, expected, found }) => `${what}: ${found}, expected ${expected}`),
    },
    {
      ok: unsaid.length === 0,
      text: `messages name both sides: builds ${foreign.slice(0, 8)}… and ${fingerprint.slice(0, 8)}…, and where they are`,
      details: unsaid.map(({ what, message, names }) => `${what}: not ${names.join(', then ')} in: ${message}`),
    },
    {
      ok: same(before, after) && after.threads === 0,
      text: `and leaves nothing: ${after.threads} threads have a module, ${after.drivers.length} drivers, interfaces as before`,
    },
    {
      ok: same(loaded, ['', 'block-core block-zip', 'block-core block-sqlite block-zip', ALL.join(' ')]),
      text: `parts come when they are needed, what they depend on first: ${loaded.map((names) => (names === '' ? 0 : names.split(' ').length)).join(', ')} loaded`,
      details: steps.map(({ by, loaded: names }) => `${by}: ${names.join(', ')}`),
    },
    {
      ok:
        same(stubs, { formats: [], drivers: [], isOpen: false }) &&
        same(patched, { formats: ['zip'], drivers: ['sqlite', 'zip'], isOpen: true }),
      text: `functions that were taken before are the parts' own behind that: ${patched.drivers.join(', ')}`,
    },
    {
      ok: total.files === rows && total.bytes === bytes && inside.includes('files.json') && page.includes('<svg'),
      text: `the parts work: ${counted(total.files, 'file')} of ${total.bytes} bytes in the catalogue, ${demanded.packed.length} bytes packed, a chart in the report`,
    },
    {
      ok:
        answers.length === workers &&
        answers.every((answer) => same([...answer.loaded].sort(), BLOCK) && answer.refused === 'host') &&
        answers.every(({ rendering }) => rendering === 'COEXIST_EREFUSED'),
      text: `${counted(workers, 'worker')} of the role img loaded what the process has, without ui-report`,
      details: answers.map(
        ({ outcomes, refused: reason, rendering }) => `${outcomes.join(', ')}; ${reason}; ${rendering}`,
      ),
    },
    {
      ok: whole.length === workers,
      text: `and unpacked what main had packed: ${whole.length} of ${workers} equal, ${demanded.sha256.slice(0, 8)}…`,
    },
    {
      ok:
        BLOCK.every((name) => present[name] === workers + 1 && behind[name] === 1) &&
        present['ui-report'] === 1 &&
        behind['ui-report'] === 1,
      text: `the process knows who has what: block-core in ${present['block-core']} threads, ui-report in ${present['ui-report']}; ${behind['block-core']} when the workers had ended`,
    },
    {
      ok: same([...journal].sort(), ['block-core', 'block-sqlite']),
      text: `initialisers of the process ran once: ${journal.join(', ')}`,
    },
    {
      ok: [replaced, late].every(({ found, path }) => found === 'loaded' && path === kept),
      text: `a program whose files were replaced found its own build, also in a thread started behind that: ${replaced.found} and ${late.found} from ${late.path || 'nowhere'}`,
      details: [replaced.message, late.message],
    },
    {
      ok: rival.found === 'process' && inOrder(rival.message, [fingerprint, foreign]),
      text: `there is one build in the process: another was refused, ${rival.found}`,
      details: [rival.message],
    },
  ];
}

/**
 * @param {unknown} a
 * @param {unknown} b
 */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * Whether a text holds all of these, one behind the other.
 * @param {string} text
 * @param {string[]} names
 */
function inOrder(text, names) {
  let at = 0;
  return names.every((name) => {
    const found = text.indexOf(name, at);
    at = found + name.length;
    return found >= 0;
  });
}
