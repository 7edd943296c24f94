// The job's checks of itself, each one line: what must hold, and the numbers that say whether it does.
// @ts-check

import { counted } from '../table.js';

/** @typedef {import('../print.js').Check} Check */

/**
 * @typedef {object} Evidence
 * @property {number} files Listed.
 * @property {number} settled Results that arrived.
 * @property {number} withResult Files that have one.
 * @property {number} again Tasks that ran again.
 * @property {number} deaths Of workers that nobody killed.
 * @property {number} kill Kills that were asked for.
 * @property {{ slot: number, generation: number, bytes: number }[]} kills Those that happened; bytes of the file in question.
 * @property {import('./compare.js').Comparison} comparison
 * @property {{ files: bigint, bytes: bigint }} metered
 * @property {{ files: number, bytes: number }} done
 * @property {import('./worker.js').Hello[]} hellos
 * @property {import('coexist').Inspection} final When every worker has ended and the main thread has let go.
 * @property {string[]} copies Paths of the copies of coexist.
 */

/**
 * @param {Evidence} evidence
 * @returns {Check[]}
 */
export function checksOf(evidence) {
  const { files, settled, withResult, again, deaths, kill, kills, comparison, metered, done, hellos } = evidence;
  const { final, copies } = evidence;
  const workers = hellos.length;
  const more = { files: Number(metered.files) - done.files, bytes: Number(metered.bytes) - done.bytes };
  const most = { files: kills.length, bytes: kills.reduce((sum, { bytes }) => sum + bytes, 0) };
  // One for each object: the meter's, and then the tracer's too.
  const [alone = 0, both = 0] = hellos[0]?.refcounts ?? [];
  const saw = hellos.filter(({ refcounts }) => refcounts[0] === alone && refcounts[1] === both).length;
  const held = kills.filter((killed) => final.slots.some((row) => isSame(row, killed))).length;
  const areas = new Set([final.areaId, ...hellos.map(({ areaId }) => areaId)]);
  const { equal, wrong, changed, unreadable } = comparison;
  const exceptions = [
    changed > 0 ? `${changed} changed meanwhile` : '',
    unreadable > 0 ? `${unreadable} unreadable for both` : '',
  ].filter(Boolean);

  return [
    {
      ok: settled === files && withResult === files,
      text: `every file has exactly one final result: ${counted(files, 'file')}, ${counted(settled, 'result')}, ${again} ran again`,
    },
    {
      ok: wrong.length === 0,
      text: `results equal an independent single-threaded walk: ${[`${equal} equal`, ...exceptions, `${wrong.length} wrong`].join(', ')}`,
      details: wrong,
    },
    {
      ok: kills.length === kill && deaths === 0,
      text: `${kills.length} of ${counted(kill, 'worker')} killed while busy, ${deaths} died otherwise`,
    },
    {
      ok: more.files >= 0 && more.files <= most.files && more.bytes >= 0 && more.bytes <= most.bytes,
      text:
        `meter counted ${signed(more.files)} files and ${signed(more.bytes)} bytes against the results: ` +
        `at most one file for each killed worker (${most.files}, ${most.bytes} bytes)`,
    },
    {
      ok: saw === workers && 0 < alone && alone < both,
      text: `refcount ${alone}, and ${both} once both libraries had registered: seen by ${saw} of ${counted(workers, 'worker')}`,
    },
    {
      ok: held === 0,
      text: `the slots of dead threads were reclaimed: ${kills.length - held} of ${kills.length} killed`,
    },
    {
      ok: final.slots.length === 0,
      text: `no slot is registered at the end: ${final.slots.length} of ${final.highWater} that were used`,
    },
    {
      ok: areas.size === 1 && !final.conflicted && new Set(copies).size === copies.length,
      text: `one area id, ${[...areas].map((id) => id.toString(16)).join(', ')}, in ${copies.length} copies of coexist and ${counted(workers + 1, 'thread')}`,
    },
  ];
}

/**
 * @param {{ slot: number, generation: number }} a
 * @param {{ slot: number, generation: number }} b
 */
const isSame = (a, b) => a.slot === b.slot && a.generation === b.generation;

/** @param {number} n */
export const signed = (n) => (n < 0 ? String(n) : `+${n}`);
