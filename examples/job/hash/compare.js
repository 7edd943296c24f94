// Compares what the workers found with the independent walk. A difference counts against the job only if the file is the
// same now as it was then.
// @ts-check

/** @typedef {import('./digest.js').Digest | import('./digest.js').Failure} Result */

/**
 * @typedef {object} Comparison
 * @property {number} equal
 * @property {string[]} wrong Paths, each with what differs.
 * @property {number} changed Files that changed, vanished, or appeared since they were listed.
 * @property {number} unreadable On both sides.
 */

/**
 * @param {import('../walk.js').ListedFile[]} files
 * @param {(Result | undefined)[]} results In the order of the files.
 * @param {Map<string, import('./verify.js').Verified | undefined>} verified
 * @param {number} startedMs When the files were listed.
 * @returns {Comparison}
 */
export function compare(files, results, verified, startedMs) {
  /** @type {Comparison} */
  const outcome = { equal: 0, wrong: [], changed: 0, unreadable: 0 };
  files.forEach(({ path }, index) => {
    const result = results[index];
    const other = verified.get(path);
    if (result === undefined) outcome.wrong.push(`${path}: no result`);
    else if (result.kind === 'unreadable' && verified.has(path) && other === undefined) outcome.unreadable++;
    else if (result.kind !== 'done') outcome.changed++;
    else if (!verified.has(path)) outcome.changed++;
    else if (other === undefined) outcome.wrong.push(`${path}: the walk could not read it`);
    else compareFile(outcome, path, result, other);
  });
  const listed = new Set(files.map(({ path }) => path));
  for (const [path, other] of verified) {
    if (listed.has(path)) continue;
    if (other === undefined || other.changedMs >= startedMs) outcome.changed++;
    else outcome.wrong.push(`${path}: only the walk found it`);
  }
  return outcome;
}

/**
 * @param {Comparison} outcome
 * @param {string} path
 * @param {import('./digest.js').Digest} result
 * @param {import('./verify.js').Verified} other
 */
function compareFile(outcome, path, result, other) {
  const differs = /** @type {const} */ (['sha256', 'bytes', 'packed']).find((key) => result[key] !== other[key]);
  if (differs === undefined) outcome.equal++;
  else if (result.stamp !== other.stamp) outcome.changed++;
  else outcome.wrong.push(`${path}: ${differs} is ${result[differs]}, the walk says ${other[differs]}`);
}
