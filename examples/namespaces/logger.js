// One log for the whole program, in whatever namespaces its parts are: they open this file shared, and have the base's.
// @ts-check

/** @type {Map<string, number>} */
const lines = new Map();

/**
 * @param {string} source
 * @param {string} _text The example only counts.
 */
export function log(source, _text) {
  lines.set(source, (lines.get(source) ?? 0) + 1);
}

/** Lines by source. */
export const counts = () => Object.fromEntries(lines);
