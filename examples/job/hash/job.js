// The job `hash`: sha256 and compression of every file under a folder, in a pool whose workers load both libraries, while
// some workers are killed. Then a table of what each thread did, and the checks.
// @ts-check

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { attach } from 'coexist';
import { createMeter } from '../../meter/index.js';
import { createTracer } from '../../tracer/index.js';
import { createHistory } from '../history.js';
import { openPool } from '../pool.js';
import { printChecks, printListing } from '../print.js';
import { createProgress } from '../progress.js';
import { createRandom, sample } from '../random.js';
import { runAll } from '../run.js';
import { counted } from '../table.js';
import { walk } from '../walk.js';
import { checksOf } from './checks.js';
import { compare } from './compare.js';
import { FORMAT, LEVEL } from './compress.js';
import { METER } from './names.js';
import * as report from './report.js';
import { verify } from './verify.js';

/** @typedef {import('./compare.js').Result} Result */

const OBSERVE_MS = 100;

/** A file that has been worked on for so long is not over before its thread is. */
const MIDWAY_MS = 3;

/** @type {import('../jobs.js').Run} */
export async function run(options, signal) {
  const { dir, workers, kill, seed } = options;
  const startedMs = Date.now();
  const listed = walk(dir);
  printListing(dir, listed);
  if (listed.files.length === 0) {
    for (const line of report.describeFailures([], listed.unreadable, [])) console.log(line);
    return 0;
  }
  const kills = Math.min(kill, listed.files.length);
  if (kills < kill) console.log(`only ${kills} of ${kill} kills: there is one for each file at most`);
  console.log(
    `${counted(workers, 'worker')}, ${counted(kills, 'kill')}, seed ${seed}; sha256 and ${FORMAT} level ${LEVEL}, Node ${process.version}`,
  );

  const outcome = await hashFiles({ root: dir, files: listed.files, workers, kill: kills, seed, signal });
  for (const line of report.describeFailures(listed.files, listed.unreadable, outcome.results)) console.log(line);
  report.printTable(outcome);
  if (signal.aborted) {
    console.log(`interrupted: ${outcome.settled} of ${counted(listed.files.length, 'file')} done`);
    return 1;
  }

  const progress = createProgress(process.stdout, 'checked', listed.files.length);
  let [files, bytes] = [0, 0];
  const verified = await verify(dir, {
    signal,
    onFile(size) {
      files++;
      bytes += size;
      progress.update(files, bytes);
    },
  });
  progress.clear();
  if (signal.aborted) {
    console.log(`interrupted: all files done, ${files} of them checked`);
    return 1;
  }
  const comparison = compare(listed.files, outcome.results, verified, startedMs);
  return printChecks(checksOf({ ...outcome, files: listed.files.length, kill: kills, comparison })) ? 0 : 1;
}

/**
 * Runs the pool over the files, and leaves nothing of it behind.
 * @param {{
 *   root: string,
 *   files: import('../walk.js').ListedFile[],
 *   workers: number,
 *   kill: number,
 *   seed: number,
 *   signal: AbortSignal,
 *   stream?: NodeJS.WritableStream,
 * }} options `stream` shows the progress.
 */
export async function hashFiles({ root, files, workers, kill, seed, signal, stream = process.stdout }) {
  const area = attach();
  const meter = createMeter({ prefix: METER });
  const tracer = createTracer();
  const history = createHistory(area, meter);
  const progress = createProgress(stream, 'hashed', files.length);
  const random = createRandom(seed);

  /** @type {(Result | undefined)[]} */
  const results = files.map(() => undefined);
  /** @type {{ threadId: number, slot: number, generation: number, index: number }[]} */
  const killed = [];
  const done = { files: 0, bytes: 0, packed: 0 };
  let settled = 0;
  const before = meter.totals();

  /** @type {ReturnType<typeof openPool<import('./worker.js').Hello, Result>>} */
  const pool = openPool({
    filename: fileURLToPath(new URL('worker.js', import.meta.url)),
    handler: 'hashFile',
    workers,
    onHello: history.observe,
  });
  const observing = setInterval(history.observe, OBSERVE_MS);
  const started = performance.now();
  let again = 0;
  let deaths = 0;
  try {
    await pool.allUp();
    const ran = await runAll({
      pool,
      tasks: files.map(({ path }) => ({ root, path })),
      lanes: workers,
      // By weight, since a large file is more likely to be interrupted in its middle.
      plan: sample(
        random,
        kill,
        files.map(({ bytes }) => bytes + 1),
      ),
      random,
      isMidway(threadId) {
        const hello = pool.hellos.get(threadId);
        const span = tracer
          .threads()
          .find((row) => row.slot === hello?.slot && row.generation === hello.generation)
          ?.spans.at(-1);
        const age = performance.timeOrigin + performance.now() - (span?.start ?? 0);
        return span !== undefined && span.duration === undefined && age >= MIDWAY_MS;
      },
      onResult(index, result) {
        settled++;
        results[index] = result;
        if (result.kind === 'done') {
          done.files++;
          done.bytes += result.bytes;
          done.packed += result.packed;
        }
        progress.update(settled, done.bytes);
      },
      onKill(threadId, index) {
        const { slot, generation } = /** @type {import('./worker.js').Hello} */ (pool.hellos.get(threadId));
        killed.push({ threadId, slot, generation, index });
        history.claim(slot, generation).end = 'killed';
        progress.say(`killed thread ${threadId} (slot ${slot}, generation ${generation}) over ${files[index]?.path}`);
      },
      signal,
    });
    ({ again, deaths } = ran);
    if (!signal.aborted) await pool.allUp();
  } finally {
    progress.clear();
    history.observe();
    clearInterval(observing);
    await pool.close();
    history.close();
  }
  const seconds = (performance.now() - started) / 1000;
  history.observe();
  const metered = meter.totals();
  const longest = tracer
    .threads()
    .flatMap(({ spans }) => spans)
    .sort((a, b) => (b.duration ?? 0) - (a.duration ?? 0))[0];
  meter.dispose();
  tracer.dispose();
  area.reclaim();

  return {
    results,
    settled,
    withResult: results.filter((result) => result !== undefined).length,
    again,
    deaths,
    done,
    seconds,
    longest,
    kills: killed.map(({ slot, generation, index }) => {
      const result = results[index];
      return { slot, generation, bytes: result?.kind === 'done' ? result.bytes : 0 };
    }),
    // The counts of earlier runs in this process stay.
    metered: { files: metered.files - before.files, bytes: metered.bytes - before.bytes },
    claims: history.rows(),
    hellos: [...pool.hellos.values()],
    final: area.inspect(),
    copies: ['../main.js', '../../meter/index.js', '../../tracer/index.js'].map((user) =>
      createRequire(new URL(user, import.meta.url)).resolve('coexist'),
    ),
  };
}
