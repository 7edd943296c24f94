// Random numbers that a seed decides (mulberry32): the same seed, the same choices.
// @ts-check

/**
 * @param {number} seed 32 bits.
 * @returns {(most: number) => number} An integer from 0 to most - 1.
 */
export function createRandom(seed) {
  let state = seed | 0;
  return (most) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * most);
  };
}

/**
 * `count` different indices of the list of weights, ascending; a heavier one is more likely.
 * @param {(most: number) => number} random
 * @param {number} count At most as many as there are weights.
 * @param {number[]} weights Positive integers.
 */
export function sample(random, count, weights) {
  /** @type {Set<number>} */
  const chosen = new Set();
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  while (chosen.size < count) {
    let left = random(total);
    const index = weights.findIndex((weight, candidate) => {
      if (chosen.has(candidate)) return false;
      left -= weight;
      return left < 0;
    });
    chosen.add(index);
    total -= /** @type {number} */ (weights[index]);
  }
  return [...chosen].sort((a, b) => a - b);
}
