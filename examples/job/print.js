// What all jobs print: what there is to do, and the checks.
// @ts-check

import { counted, megabytes } from './table.js';

/**
 * What must hold, with the numbers that say whether it does.
 * @typedef {{ ok: boolean, text: string, details?: string[] }} Check
 */

/** The most of one kind of complaint that is printed in full. */
const MOST_LINES = 20;

/** @param {string[]} lines */
export function some(lines) {
  const shown = lines.slice(0, MOST_LINES).map((line) => `  ${line}`);
  return lines.length > MOST_LINES ? [...shown, `  and ${lines.length - MOST_LINES} more`] : shown;
}

/**
 * @param {string} dir
 * @param {import('./walk.js').Walk} listed
 */
export function printListing(dir, { files, symlinks, others }) {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const skipped = `skipped ${counted(symlinks, 'symbolic link')} and ${counted(others, 'other')} (sockets, pipes, devices)`;
  if (files.length === 0) console.log(`nothing to do: there is no regular file under ${dir}; ${skipped}`);
  else console.log(`${counted(files.length, 'file')}, ${megabytes(bytes)}, under ${dir}; ${skipped}`);
}

/**
 * @param {Check[]} checks
 * @returns {boolean} Whether all hold.
 */
export function printChecks(checks) {
  for (const { ok, text, details = [] } of checks) {
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${text}`);
    if (!ok) for (const line of some(details)) console.log(line);
  }
  const failed = checks.filter(({ ok }) => !ok).length;
  console.log(failed === 0 ? `all ${checks.length} checks hold` : `${failed} of ${checks.length} checks failed`);
  return failed === 0;
}
