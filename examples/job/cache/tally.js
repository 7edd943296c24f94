// What came of the tasks, added up by pass and by thread.
// @ts-check

/** @typedef {import('./worker.js').Result} Result */
/** @typedef {import('./checks.js').Pass} Pass */

/** @returns {Pass} */
const empty = () => ({
  settled: 0,
  withResult: 0,
  hits: 0,
  misses: 0,
  failures: 0,
  tokens: 0,
  again: 0,
  deaths: 0,
  before: 0,
  after: 0,
  stale: 0,
});

/** @param {number} files */
export function createTally(files) {
  /** @type {Pass[]} */
  const passes = [];
  /** @type {(Result | undefined)[]} */
  let results = [];
  /** @type {(Result | undefined)[]} */
  let before = [];
  /** @type {Map<number, { hits: number, misses: number, waitedMs: number }>} */
  const threads = new Map();
  const tally = {
    settled: 0,
    bytes: 0,

    /** @param {number} size Entries of the cache. */
    begin(size) {
      before = results;
      results = new Array(files).fill(undefined);
      passes.push({ ...empty(), before: size });
    },

    /**
     * @param {number} index
     * @param {Result} result
     */
    add(index, result) {
      const pass = /** @type {Pass} */ (passes.at(-1));
      const thread = threads.get(result.threadId) ?? { hits: 0, misses: 0, waitedMs: 0 };
      threads.set(result.threadId, thread);
      results[index] = result;
      tally.settled++;
      pass.settled++;
      if (result.kind === 'done') {
        tally.bytes += result.analysis.bytes;
        thread.waitedMs += result.waitedMs;
        pass[result.hit ? 'hits' : 'misses']++;
        thread[result.hit ? 'hits' : 'misses']++;
        if (!result.hit) pass.tokens++;
      } else {
        pass.failures++;
        if (result.taken) pass.tokens++;
      }
    },

    /**
     * @param {number} size Entries of the cache.
     * @param {{ again: number, deaths: number }} ran
     */
    end(size, { again, deaths }) {
      const stale = results.filter((result, index) => isStale(before[index], result)).length;
      const withResult = results.filter((result) => result !== undefined).length;
      Object.assign(/** @type {Pass} */ (passes.at(-1)), { again, deaths, withResult, stale, after: size });
    },

    /** Of the last pass, in the order of the files. */
    get results() {
      return results;
    },

    /** @returns {[Pass, Pass]} */
    passes: () => [passes[0] ?? empty(), passes[1] ?? empty()],

    /**
     * @param {import('./worker.js').Hello[]} hellos
     * @param {{ threadId: number, host: boolean }[]} kills
     * @returns {import('./report.js').ThreadRow[]} Ordered by slot, then by generation.
     */
    threads: (hellos, kills) =>
      hellos
        .map(({ threadId, slot, generation }) => {
          const killed = kills.find((kill) => kill.threadId === threadId);
          const note = killed === undefined ? '' : killed.host ? 'killed, hosted the cache' : 'killed';
          return { slot, generation, threadId, hits: 0, misses: 0, waitedMs: 0, ...threads.get(threadId), note };
        })
        .sort((a, b) => a.slot - b.slot || a.generation - b.generation),
  };
  return tally;
}

/**
 * @param {Result | undefined} earlier
 * @param {Result | undefined} now
 */
const isStale = (earlier, now) => earlier?.kind === 'done' && !(now?.kind === 'done' && now.stamp === earlier.stamp);
