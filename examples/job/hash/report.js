// What the job prints.
// @ts-check

import { some } from '../print.js';
import { counted, formatTable, megabytes } from '../table.js';
import { signed } from './checks.js';
import { TITLE_LENGTH } from './names.js';

/** @typedef {Awaited<ReturnType<typeof import('./job.js').hashFiles>>} Outcome */

/**
 * Files that have no digest, with the reason.
 * @param {import('../walk.js').ListedFile[]} files
 * @param {import('../walk.js').Walk['unreadable']} unlisted
 * @param {Outcome['results']} results
 * @returns {string[]} Lines.
 */
export function describeFailures(files, unlisted, results) {
  const unreadable = unlisted.map(({ path, reason }) => `${path}: ${reason}`);
  const gone = [];
  for (const [index, result] of results.entries()) {
    if (result?.kind === 'unreadable') unreadable.push(`${files[index]?.path}: ${result.reason}`);
    if (result?.kind === 'gone') gone.push(String(files[index]?.path));
  }
  return [
    ...(unreadable.length > 0 ? [`${unreadable.length} could not be read:`, ...some(unreadable)] : []),
    ...(gone.length > 0 ? [`${counted(gone.length, 'file')} vanished before being read:`, ...some(gone)] : []),
  ];
}

/** @param {Outcome} outcome */
export function printTable({ claims, metered, done, kills, seconds, longest }) {
  const rows = claims.map((row) => [
    row.slot,
    row.generation,
    row.threadId === 0 ? 'main' : row.threadId,
    row.cpu,
    row.peak,
    row.holders.join(' '),
    row.files,
    row.bytes,
    row.end,
  ]);
  const more = [Number(metered.files) - done.files, Number(metered.bytes) - done.bytes];
  const note = `at most 1 file for each of ${counted(kills.length, 'kill')}`;
  const footer = [
    ['', '', '', '', '', 'meter, all threads', metered.files, metered.bytes, ''],
    ['', '', '', '', '', 'results', done.files, done.bytes, ''],
    ['', '', '', '', '', 'difference', ...more.map(signed), note],
  ];
  const head = ['slot', 'generation', 'thread', 'cpu', 'peak refcount', 'holders', 'files', 'bytes', ''];
  console.log(`\n${formatTable(head, [...rows, ...footer])}\n`);
  const rate = seconds > 0 ? ` (${megabytes(done.bytes / seconds)}/s)` : '';
  console.log(`${megabytes(done.bytes)} became ${megabytes(done.packed)} in ${seconds.toFixed(1)} s${rate}`);
  if (longest?.duration !== undefined) {
    const cut = longest.name.length < TITLE_LENGTH ? '' : '…';
    console.log(`tracer: the longest of the last spans took ${longest.duration.toFixed(0)} ms, ${cut}${longest.name}`);
  }
}
