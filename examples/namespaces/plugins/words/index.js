// The words of the pages.
// @ts-check

const { count, top } = require('../lib/rank.js');
const { linesOf, read } = require('../lib/text.js');

exports.read = read;

/** @param {import('../lib/text.js').Page[]} pages */
exports.run = (pages) => {
  const words = pages.flatMap((page) => linesOf(page).flatMap((line) => line.match(/\p{L}{4,}/gu) ?? []));
  return top(count(words), 3);
};
