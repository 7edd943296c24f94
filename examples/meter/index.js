// meter: counts files, by size, and bytes, per thread and in total, as Prometheus text if you like. Each thread counts in its own
// block with ordinary stores, since nobody else writes there; any thread reads all blocks. The histogram and the counter go on where
// the slot's former owner left them, so totals stay exact when threads die; what each owner found at its start tells its own share.
// The gauge, on the other hand, goes with its thread.
// @ts-check

import { Counter, Gauge, Histogram, PerThread } from 'coexist/percpu';

/**
 * One thread's share; of a dead thread, until its slot has another owner.
 * @typedef {{ slot: number, generation: number, files: bigint, bytes: bigint }} ThreadCounts
 */

/**
 * @typedef {object} Meter
 * @property {number} slot This thread's slot.
 * @property {(bytes: number) => void} count Counts one file of this many bytes, in this thread.
 * @property {() => { files: bigint, bytes: bigint }} totals What all threads have counted, dead ones included.
 * @property {() => import('coexist/percpu').HistogramSnapshot} sizes The sizes of those files.
 * @property {() => ThreadCounts[]} threads What each thread has counted.
 * @property {() => string} prometheus All of it in the Prometheus text exposition format.
 * @property {() => void} dispose This thread counts no more; reading goes on to work.
 */

/** What an owner found in its slot's block: cells that start at zero with each claim. NOTED is 1 once the others are written. */
const NOTED = 0;
const FILES = 1;
const BYTES = 2;
const CELLS = 3;

/** How often a block is read again that changes hands meanwhile. */
const TRIES = 8;

/**
 * Upper bounds of the exposed buckets: 256 B, 1 KiB, ... 4 GiB. All are bounds of the histogram's own buckets, so that none has to be
 * divided up; what is below 4^k is at most 4^k - 1, which is what `le` says.
 */
const BOUNDS = Array.from({ length: 13 }, (_, k) => 4 ** (k + 4));

/**
 * The meter of this name in this thread; the same counts in every thread that asks for the same prefix.
 * @param {{ prefix: string }} options What metric names begin with.
 * @returns {Meter}
 */
export function createMeter({ prefix }) {
  if (typeof prefix !== 'string' || !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) {
    throw new TypeError(`prefix is ${JSON.stringify(prefix)}, expected the beginning of a Prometheus metric name`);
  }
  const holder = 'meter';
  const sizes = new Histogram(`meter/${prefix}/sizes`, { holder });
  const bytes = new Counter(`meter/${prefix}/bytes`, { holder });
  const last = new Gauge(`meter/${prefix}/last`, { holder });
  const before = new PerThread(`meter/${prefix}/before`, { type: 'i64', length: CELLS, fresh: true, holder });
  const found = before.own;
  if (found[NOTED] === 0n) {
    Atomics.store(found, FILES, BigInt(sizes.own().count));
    Atomics.store(found, BYTES, bytes.own());
    Atomics.store(found, NOTED, 1n);
  }

  /** @type {Meter['count']} */
  const count = (size) => {
    if (!Number.isSafeInteger(size) || size < 0)
      throw new RangeError(`bytes is ${size}, expected a safe integer from 0 on`);
    // Refuses after the disposal, when the slot may be another thread's.
    sizes.record(size);
    bytes.add(size);
    last.set(Date.now() / 1000);
  };

  const totals = () => ({ files: BigInt(sizes.snapshot().count), bytes: bytes.sum() });

  /** @param {number} slot */
  const share = (slot) => {
    for (let tries = 0; tries < TRIES; tries++) {
      const block = before.at(slot);
      if (block === undefined || Atomics.load(block.view, NOTED) === 0n) return [];
      const { generation, view } = block;
      const files = BigInt(sizes.of(slot).count) - Atomics.load(view, FILES);
      const row = { slot, generation, files, bytes: bytes.of(slot) - Atomics.load(view, BYTES) };
      if (before.at(slot)?.generation === generation) return [row];
    }
    return [];
  };
  const threads = () => [...before.blocks()].flatMap(({ slot }) => share(slot));

  return {
    slot: before.slot,
    count,
    totals,
    sizes: () => sizes.snapshot(),
    threads,
    prometheus() {
      const [snapshot, sum, rows] = [sizes.snapshot(), bytes.sum(), threads()];
      // Totals and shares are families of their own: a sum over the labels of one must not count everything twice.
      return [
        histogram(`${prefix}_file_bytes`, 'Sizes of files, all threads.', snapshot, sum),
        family('counter', `${prefix}_files_total`, 'Count of files, all threads.', [[{}, snapshot.count]]),
        family('counter', `${prefix}_bytes_total`, 'Count of bytes, all threads.', [[{}, sum]]),
        family(
          'counter',
          `${prefix}_thread_files_total`,
          'Count of files, by thread.',
          rows.map((row) => [row, row.files]),
        ),
        family(
          'counter',
          `${prefix}_thread_bytes_total`,
          'Count of bytes, by thread.',
          rows.map((row) => [row, row.bytes]),
        ),
        family(
          'gauge',
          `${prefix}_thread_last_file_timestamp_seconds`,
          'Time of the last file, by live thread; 0 before the first.',
          last.values().map((row) => [row, row.value]),
        ),
      ].join('');
    },
    dispose: () => {
      for (const part of [sizes, bytes, last, before]) part.dispose();
    },
  };
}

/**
 * Cumulative, as the format wants it. The counts are one snapshot; the sum is exact, but read a moment later.
 * @param {string} name
 * @param {string} help
 * @param {import('coexist/percpu').HistogramSnapshot} snapshot
 * @param {bigint} sum
 */
function histogram(name, help, snapshot, sum) {
  const buckets = snapshot.buckets();
  const lines = BOUNDS.map((bound) => {
    const below = buckets.filter(({ upper }) => upper <= bound).reduce((total, { count }) => total + count, 0);
    return `${name}_bucket{le="${bound - 1}"} ${below}`;
  });
  lines.push(`${name}_bucket{le="+Inf"} ${snapshot.count}`, `${name}_sum ${sum}`, `${name}_count ${snapshot.count}`);
  return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${lines.join('\n')}\n`;
}

/**
 * @param {'counter' | 'gauge'} type
 * @param {string} name
 * @param {string} help
 * @param {[{ slot?: number, generation?: number }, number | bigint][]} samples
 */
function family(type, name, help, samples) {
  const lines = samples.map(([{ slot, generation }, value]) => {
    const labels = slot === undefined ? '' : `{slot="${slot}",generation="${generation}"}`;
    return `${name}${labels} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
