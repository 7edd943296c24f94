// The letters of the pages.
// @ts-check

const { count, top } = require('../lib/rank.js');
const { linesOf, read } = require('../lib/text.js');

exports.read = read;

/** @param {import('../lib/text.js').Page[]} pages */
exports.run = (pages) =>
  top(count(pages.flatMap((page) => linesOf(page).flatMap((line) => line.match(/\p{L}/gu) ?? []))), 5);
