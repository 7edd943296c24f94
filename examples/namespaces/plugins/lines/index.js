// The lengths of the pages' lines.
// @ts-check

const { linesOf, read } = require('../lib/text.js');

exports.read = read;

/** @param {import('../lib/text.js').Page[]} pages */
exports.run = (pages) => {
  const lengths = pages.flatMap((page) => linesOf(page).map((line) => line.length - 1)).sort((a, b) => a - b);
  return `${lengths.length} lines, median ${lengths[lengths.length >> 1]}, longest ${lengths.at(-1)}`;
};
