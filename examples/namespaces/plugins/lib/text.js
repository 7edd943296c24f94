// What plugins read of pages, kept for good, as caches of libraries often are.
// @ts-check

/** @typedef {{ path: string, bytes: number, text: string }} Page */

/** @type {Map<string, string[]>} */
const kept = new Map();

/** @param {Page} page */
exports.linesOf = ({ path, text }) => {
  const lines = kept.get(path) ?? text.split('\n').map((line) => `${line}\n`);
  kept.set(path, lines);
  return lines;
};

/** Pages that somebody has read. */
exports.read = () => kept.size;
