// The headings of the pages.
// @ts-check

const { linesOf, read } = require('../lib/text.js');

exports.read = read;

/** @param {import('../lib/text.js').Page[]} pages */
exports.run = (pages) => {
  const depths = pages.flatMap((page) => linesOf(page).flatMap((line) => /^#{1,6} /.exec(line)?.[0].length ?? []));
  return [1, 2, 3].map((depth) => `h${depth} ${depths.filter((length) => length === depth + 1).length}`).join(', ');
};
