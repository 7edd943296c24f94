// The versions that the pages name.
// @ts-check

const semver = require('semver');
const { linesOf, read } = require('../lib/text.js');

exports.read = read;

/** @param {import('../lib/text.js').Page[]} pages */
exports.run = (pages) => {
  const found = pages.flatMap((page) => linesOf(page).flatMap((line) => line.match(/\b\d+\.\d+\.\d+\b/g) ?? []));
  const valid = [...new Set(found)].filter((version) => semver.valid(version) !== null);
  return `${valid.length} versions, up to ${semver.rsort(valid)[0] ?? 'none'}`;
};
