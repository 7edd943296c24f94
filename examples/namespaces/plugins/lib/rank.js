// Counts things, and names the most frequent.
// @ts-check

/** @param {Iterable<string>} things */
exports.count = (things) => {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  return counts;
};

/**
 * @param {Map<string, number>} counts
 * @param {number} most
 */
exports.top = (counts, most) =>
  [...counts]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([thing, count]) => `${thing} ${count}`)
    .join(', ');
