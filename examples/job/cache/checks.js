// The job's checks of itself, each one line: what must hold, and the numbers that say whether it does.
// @ts-check

import { counted } from '../table.js';

/** @typedef {import('../print.js').Check} Check */

/**
 * What became of one pass over the files.
 * @typedef {object} Pass
 * @property {number} settled Results that arrived.
 * @property {number} withResult Files that have one.
 * @property {number} hits
 * @property {number} misses
 * @property {number} failures Files that could not be read.
 * @property {number} tokens Taken by tasks that have a result.
 * @property {number} again Tasks that ran again.
 * @property {number} deaths Of workers that nobody killed.
 * @property {number} before Entries of the cache before it.
 * @property {number} after Entries behind it.
 * @property {number} stale Files that had a result in the pass before, and now another stamp or none.
 */

/**
 * @typedef {object} Evidence
 * @property {number} files Listed.
 * @property {[Pass, Pass]} passes
 * @property {number} kill Kills that were asked for.
 * @property {{ slot: number, generation: number, host: boolean }[]} kills Those that happened.
 * @property {import('./verify.js').Comparison} comparison
 * @property {number} seconds From before the first token to behind the last.
 * @property {import('../../limiter/index.js').LimiterStatus} limiter Behind both passes.
 * @property {number} burst
 * @property {{ created: boolean, generations: number[], end: { phase: string, generation: number, total: number } }} bucket The
 * generation that was seen before, between and behind the passes, and what there is when everybody has let go.
 * @property {{ generation: number, references: number, workers: number, end: { phase: string, references: number } }} cache
 * @property {{ areaId: number }[]} hellos
 * @property {import('coexist').Inspection} final When every worker has ended and the main thread has let go.
 * @property {string[]} copies Paths of the copies of coexist.
 */

/**
 * @param {Evidence} evidence
 * @returns {Check[]}
 */
export function checksOf(evidence) {
  const { files, passes, kill, kills, comparison, seconds, limiter, burst, bucket, cache, hellos, final, copies } =
    evidence;
  const [first, second] = passes;
  const { equal, wrong, changed, unreadable } = comparison;
  const exceptions = [
    changed > 0 ? `${changed} changed meanwhile` : '',
    unreadable > 0 ? `${unreadable} unreadable for both` : '',
  ].filter(Boolean);
  const deaths = first.deaths + second.deaths;
  const hosts = kills.filter(({ host }) => host).length;
  const complete = passes.filter(({ settled, withResult }) => settled === files && withResult === files).length;
  const spent = first.tokens + second.tokens;
  const more = Number(limiter.taken) - spent;
  const most = burst + limiter.rate * seconds;
  const readable = files - second.failures;
  const held = kills.filter((killed) => final.slots.some((row) => isSame(row, killed))).length;
  const areas = new Set([final.areaId, ...hellos.map(({ areaId }) => areaId)]);

  return [
    {
      ok: complete === 2,
      text: `every file has exactly one result in each pass: ${counted(files, 'file')}, ${first.settled} and ${second.settled} results, ${first.again + second.again} ran again`,
    },
    {
      ok: wrong.length === 0,
      text: `results equal an independent single-threaded reading: ${[`${equal} equal`, ...exceptions, `${wrong.length} wrong`].join(', ')}`,
      details: wrong,
    },
    {
      ok: kills.length === kill && deaths === 0,
      text: `${kills.length} of ${counted(kill, 'worker')} killed while busy, ${hosts} of them hosting the cache, ${deaths} died otherwise`,
    },
    {
      // What a host took along is found out anew, and nothing else is, unless the file changed.
      ok: second.hits <= second.before && second.before - second.hits <= second.stale && second.after >= readable,
      text: `the second pass asked what the first had left: ${second.before} entries, ${counted(second.hits, 'hit')}, ${second.misses} found out anew; ${second.after} entries at the end`,
    },
    {
      ok: more >= 0 && more <= kills.length && Number(limiter.taken) <= most,
      text: `the limiter let ${limiter.taken} through: ${spent} of tasks with a result, at most 1 more for each kill (${kills.length}); at ${limiter.rate} a second no more than ${Math.floor(most)}`,
    },
    {
      ok:
        bucket.created &&
        bucket.generations.every((generation) => generation === 0) &&
        isOver(bucket.end) &&
        bucket.end.generation === 1,
      text: `one bucket was made, lived through every death, and is gone: generation ${bucket.end.generation}, ${bucket.end.phase}, ${counted(bucket.end.total, 'reference')}`,
    },
    {
      // A new one for each host that died, and for each that died making one; a thread that dies takes its reference along.
      ok:
        cache.generation >= hosts &&
        cache.generation <= kills.length &&
        cache.references === cache.workers + 1 &&
        cache.end.references === 0 &&
        cache.end.phase === 'EMPTY',
      text: `one database at a time: ${cache.generation} lost with the thread that hosted it, the next one complete; ${counted(cache.references, 'reference')} of ${cache.workers} workers and main, ${cache.end.references} at the end`,
    },
    {
      ok: held === 0 && final.slots.length === 0,
      text: `no slot is registered at the end: ${final.slots.length} of ${final.highWater} that were used; ${kills.length - held} of ${kills.length} killed threads' were reclaimed`,
    },
    {
      ok: areas.size === 1 && !final.conflicted && new Set(copies).size === copies.length,
      text: `one area id, ${[...areas].map((id) => id.toString(16)).join(', ')}, in ${copies.length} copies of coexist and ${counted(hellos.length + 1, 'thread')}`,
    },
  ];
}

/** @param {{ phase: string, total: number }} end */
const isOver = ({ phase, total }) => phase === 'EMPTY' && total === 0;

/**
 * @param {{ slot: number, generation: number }} a
 * @param {{ slot: number, generation: number }} b
 */
const isSame = (a, b) => a.slot === b.slot && a.generation === b.generation;
