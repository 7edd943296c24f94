// The job `cache`: what is in every file under a folder, asked twice, by a pool whose workers share one SQLite database and one rate
// limit, while some of them are killed: first of all the one that hosts the database. Then a table of what each thread did, what the
// database says of the files, and the checks.
// @ts-check

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { attach } from 'coexist';
import { openCache, peekCache, reclaimCache } from '../../cache/index.js';
import { openLimiter, peekLimiter } from '../../limiter/index.js';
import { openPool } from '../pool.js';
import { printChecks, printListing, some } from '../print.js';
import { createProgress } from '../progress.js';
import { createRandom, sample } from '../random.js';
import { runAll } from '../run.js';
import { counted } from '../table.js';
import { walk } from '../walk.js';
import { checksOf } from './checks.js';
import { BURST, CACHE, LIMITER, STAGES } from './names.js';
import * as report from './report.js';
import { createTally } from './tally.js';
import { compare } from './verify.js';

/** @type {import('../jobs.js').Run} */
export async function run(options, signal) {
  const { dir, workers, kill, seed, rate } = options;
  const listed = walk(dir);
  printListing(dir, listed);
  if (listed.unreadable.length > 0) {
    const lines = some(listed.unreadable.map(({ path, reason }) => `${path}: ${reason}`));
    console.log([`${listed.unreadable.length} could not be read:`, ...lines].join('\n'));
  }
  if (listed.files.length === 0) return 0;
  const kills = Math.min(kill, listed.files.length);
  if (kills < kill) console.log(`only ${kills} of ${kill} kills: there is one for each file at most`);
  console.log(
    `${counted(workers, 'worker')}, ${counted(kills, 'kill')}, seed ${seed}; ${rate} files a second at most, ${BURST} at once, Node ${process.version}`,
  );

  const outcome = await lookUpAll({ root: dir, files: listed.files, workers, kill: kills, seed, rate, signal });
  report.printThreads(outcome.threads);
  if (signal.aborted) {
    console.log('interrupted');
    return 1;
  }
  report.printKinds(outcome.kinds);
  const comparison = await compare(dir, listed.files, outcome.results, signal);
  if (signal.aborted) {
    console.log('interrupted: all files done, not all of them checked');
    return 1;
  }
  const evidence = { ...outcome, files: listed.files.length, kill: kills, burst: BURST, comparison };
  return printChecks(checksOf(evidence)) ? 0 : 1;
}

/**
 * Runs the pool over the files twice, and leaves nothing of it behind.
 * @param {{
 *   root: string,
 *   files: import('../walk.js').ListedFile[],
 *   workers: number,
 *   kill: number,
 *   seed: number,
 *   rate: number,
 *   signal: AbortSignal,
 *   stream?: NodeJS.WritableStream,
 * }} options `stream` shows the progress.
 */
export async function lookUpAll({ root, files, workers, kill, seed, rate, signal, stream = process.stdout }) {
  const area = attach();
  const limiter = openLimiter(LIMITER, { rate, burst: BURST });
  const started = process.hrtime.bigint();
  const generations = [peekLimiter(LIMITER).generation];
  const progress = createProgress(stream, 'looked up', 2 * files.length);
  const random = createRandom(seed);
  const tally = createTally(files.length);
  /** @type {{ threadId: number, slot: number, generation: number, host: boolean }[]} */
  const kills = [];
  const isHost = (/** @type {number} */ threadId) => peekCache(CACHE).hostThread === threadId;

  /** @type {ReturnType<typeof openPool<import('./worker.js').Hello, import('./worker.js').Result>>} */
  const pool = openPool({
    filename: fileURLToPath(new URL('worker.js', import.meta.url)),
    handler: 'lookUp',
    workers,
    data: { rate },
    // Whoever hosts the cache is asked by others while it has no task.
    answering: true,
    onHello: () => {},
  });
  const stageOf = (/** @type {number} */ threadId) =>
    Atomics.load(pool.hellos.get(threadId)?.stage ?? new Int32Array(1), 0);

  /** @param {number[]} plan */
  const pass = (plan) =>
    runAll({
      pool: {
        ...pool,
        // Of those that could be killed, the host first: nobody's death costs more.
        busy() {
          const busy = pool.busy();
          const host = kills.some((killed) => killed.host) ? [] : busy.filter(({ threadId }) => isHost(threadId));
          return host.length > 0 ? host : busy;
        },
        get onAssign() {
          return pool.onAssign;
        },
        set onAssign(called) {
          pool.onAssign = called;
        },
      },
      tasks: files.map(({ path }) => ({ root, path })),
      lanes: workers,
      plan,
      random,
      isMidway: (threadId) => stageOf(threadId) > 0,
      onResult(index, result) {
        tally.add(index, result);
        progress.update(tally.settled, tally.bytes);
      },
      onKill(threadId, index) {
        const { slot, generation } = /** @type {import('./worker.js').Hello} */ (pool.hellos.get(threadId));
        const host = isHost(threadId);
        kills.push({ threadId, slot, generation, host });
        progress.say(
          `killed thread ${threadId} (slot ${slot}, generation ${generation}${host ? ', the host of the cache' : ''}), ` +
            `${STAGES[stageOf(threadId)]}, over ${files[index]?.path}`,
        );
      },
      signal,
    });

  /** @type {Record<string, string | number | null>[]} */
  let kinds = [];
  let held = { generation: 0, references: 0 };
  try {
    await pool.allUp();
    const cache = await openCache(CACHE, { host: false });
    for (const plan of [
      sample(
        random,
        kill,
        files.map(() => 1),
      ),
      [],
    ]) {
      if (signal.aborted) break;
      tally.begin(await cache.size());
      const ran = await pass(plan);
      if (signal.aborted) break;
      await pool.allUp();
      tally.end(await cache.size(), ran);
      generations.push(peekLimiter(LIMITER).generation);
    }
    if (!signal.aborted) {
      kinds = await cache.query(report.BY_KIND);
      held = cache.status();
    }
    cache.release();
  } finally {
    progress.clear();
    await pool.close();
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const status = limiter.status();
  limiter.release();
  reclaimCache(CACHE);
  area.reclaim();
  const { phase, generation, total } = peekLimiter(LIMITER);

  return {
    results: tally.results,
    passes: tally.passes(),
    threads: tally.threads([...pool.hellos.values()], kills),
    kills,
    kinds,
    seconds,
    limiter: status,
    bucket: { created: limiter.created, generations, end: { phase, generation, total } },
    cache: { ...held, workers, end: peekCache(CACHE) },
    hellos: [...pool.hellos.values()],
    final: area.inspect(),
    copies: ['../main.js', '../../limiter/index.js', '../../cache/index.js'].map((user) =>
      createRequire(new URL(user, import.meta.url)).resolve('coexist'),
    ),
  };
}
