// meter: counts files and bytes, per thread and in total, as Prometheus text if you like. Each thread counts in its own block
// with ordinary stores, since nobody else writes there; any thread reads all blocks. Cells go on where the slot's former
// owner left them, so totals stay exact when threads die; what each owner found at its start tells its own share.
// @ts-check

import { PerThread } from 'coexist/percpu';

/**
 * One thread's share; of a dead thread, until its slot has another owner that meters.
 * @typedef {{ slot: number, generation: number, files: bigint, bytes: bigint }} ThreadCounts
 */

/**
 * @typedef {object} Meter
 * @property {number} slot This thread's slot.
 * @property {(bytes: number) => void} count Counts one file of this many bytes, in this thread.
 * @property {() => { files: bigint, bytes: bigint }} totals What all threads have counted, dead ones included.
 * @property {() => ThreadCounts[]} threads What each thread has counted.
 * @property {() => string} prometheus All of it in the Prometheus text exposition format.
 * @property {() => void} dispose This thread counts no more; reading goes on to work.
 */

/** Cells of a block. The generation is 0 while an owner notes what it found, so that no reader takes half of it. */
const FILES = 0;
const BYTES = 1;
const GENERATION = 2;
const FILES_BEFORE = 3;
const BYTES_BEFORE = 4;
const LENGTH = 5;

/** How often a block is read again that changes hands meanwhile. */
const TRIES = 8;

/**
 * The meter of this name in this thread; the same counts in every thread that asks for the same prefix.
 * @param {{ prefix: string }} options What metric names begin with.
 * @returns {Meter}
 */
export function createMeter({ prefix }) {
  if (typeof prefix !== 'string' || !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) {
    throw new TypeError(`prefix is ${JSON.stringify(prefix)}, expected the beginning of a Prometheus metric name`);
  }
  const blocks = new PerThread(`meter/${prefix}`, { type: 'i64', length: LENGTH, holder: 'meter' });
  const cells = blocks.own;
  const generation = BigInt(blocks.at(blocks.slot)?.generation ?? 0);
  if (cells[GENERATION] !== generation) {
    Atomics.store(cells, GENERATION, 0n);
    Atomics.store(cells, FILES_BEFORE, /** @type {bigint} */ (cells[FILES]));
    Atomics.store(cells, BYTES_BEFORE, /** @type {bigint} */ (cells[BYTES]));
    Atomics.store(cells, GENERATION, generation);
  }

  /** @type {Meter['count']} */
  const count = (bytes) => {
    // Refuses after the disposal, when the slot may be another thread's. Ordinary stores will do: nobody else writes here, and
    // 64-bit engines store 8 aligned bytes at once.
    const own = blocks.own;
    own[FILES] = /** @type {bigint} */ (own[FILES]) + 1n;
    own[BYTES] = /** @type {bigint} */ (own[BYTES]) + BigInt(bytes);
  };

  /** @type {Meter['totals']} */
  const totals = () => {
    let [files, bytes] = [0n, 0n];
    for (const { view } of blocks.blocks()) {
      files += Atomics.load(view, FILES);
      bytes += Atomics.load(view, BYTES);
    }
    return { files, bytes };
  };

  /** @type {Meter['threads']} */
  const threads = () => {
    const rows = [];
    for (const { slot, view } of blocks.blocks()) {
      const row = readRow(slot, view);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  };

  return {
    slot: blocks.slot,
    count,
    totals,
    threads,
    prometheus: () => exposition(prefix, totals(), threads()),
    dispose: () => blocks.dispose(),
  };
}

/**
 * @param {number} slot
 * @param {BigInt64Array} view
 * @returns {ThreadCounts | undefined}
 */
function readRow(slot, view) {
  for (let tries = 0; tries < TRIES; tries++) {
    const generation = Atomics.load(view, GENERATION);
    const files = Atomics.load(view, FILES) - Atomics.load(view, FILES_BEFORE);
    const bytes = Atomics.load(view, BYTES) - Atomics.load(view, BYTES_BEFORE);
    if (generation === 0n || Atomics.load(view, GENERATION) !== generation) continue;
    return { slot, generation: Number(generation), files, bytes };
  }
  return undefined;
}

/**
 * @param {string} prefix
 * @param {{ files: bigint, bytes: bigint }} total
 * @param {ThreadCounts[]} rows
 */
function exposition(prefix, total, rows) {
  const lines = [];
  for (const unit of /** @type {const} */ (['files', 'bytes'])) {
    // Two families: a sum over the labels of one family must not count everything twice.
    const [all, each] = [`${prefix}_${unit}_total`, `${prefix}_thread_${unit}_total`];
    lines.push(`# HELP ${all} Count of ${unit}, all threads.`, `# TYPE ${all} counter`, `${all} ${total[unit]}`);
    lines.push(`# HELP ${each} Count of ${unit}, by thread.`, `# TYPE ${each} counter`);
    for (const row of rows) {
      lines.push(`${each}{slot="${row.slot}",generation="${row.generation}"} ${row[unit]}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
