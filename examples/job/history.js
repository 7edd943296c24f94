// What was seen of each claim of a slot, (slot, generation): who held it, the highest refcount, and what its thread counted.
// @ts-check

/**
 * @typedef {object} Claim
 * @property {number} slot
 * @property {number} generation
 * @property {number} threadId
 * @property {number} cpu
 * @property {number} peak Highest refcount seen.
 * @property {readonly string[]} holders
 * @property {bigint} files
 * @property {bigint} bytes
 * @property {string} end How its thread ended.
 */

/**
 * @param {import('coexist').Area} area
 * @param {ReturnType<typeof import('../meter/index.js').createMeter>} meter
 */
export function createHistory(area, meter) {
  /** @type {Map<string, Claim>} */
  const claims = new Map();

  /** @type {(slot: number, generation: number) => Claim} */
  const claim = (slot, generation) => {
    const key = `${slot}:${generation}`;
    const known = claims.get(key);
    if (known !== undefined) return known;
    const fresh = { slot, generation, threadId: -1, cpu: -1, peak: 0, holders: [], files: 0n, bytes: 0n, end: '' };
    claims.set(key, fresh);
    return fresh;
  };

  const observe = () => {
    for (const { slot, generation, threadId, cpuId, refcount, holders } of area.inspect().slots) {
      const row = claim(slot, generation);
      Object.assign(row, { threadId, cpu: cpuId, holders, peak: Math.max(row.peak, refcount) });
    }
    for (const { slot, generation, files, bytes } of meter.threads()) {
      Object.assign(claim(slot, generation), { files, bytes });
    }
  };

  // Ahead of any other listener: once the dead thread's slot is reclaimed, the next owner's counts take the place of its own.
  const onWorker = (/** @type {import('node:worker_threads').Worker} */ worker) => {
    worker.prependOnceListener('exit', observe);
  };
  process.on('worker', onWorker);

  return {
    observe,
    claim,
    /** Ordered by slot, then by generation. */
    rows: () => [...claims.values()].sort((a, b) => a.slot - b.slot || a.generation - b.generation),
    close: () => process.off('worker', onWorker),
  };
}
