// Where the pages point to.
// @ts-check

const { count, top } = require('../lib/rank.js');
const { linesOf, read } = require('../lib/text.js');
const { hostOf } = require('./host.js');

exports.read = read;

/** @param {import('../lib/text.js').Page[]} pages */
exports.run = (pages) => {
  const links = pages.flatMap((page) => linesOf(page).flatMap((line) => line.match(/https?:\/\/[^\s)"'<>]+/g) ?? []));
  return top(count(links.map(hostOf)), 3);
};
