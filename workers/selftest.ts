// npm run selftest: the kernel's selftests of rseq, restated. See docs/selftest.md.

import { availableParallelism } from 'node:os';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { probe } from 'coexist';
import { HELP, parseArguments, type SelftestArguments, UsageError } from './selftest-arguments.js';
import { basicOperations, basicTests } from './selftest-basic.js';
import { FAULT_VARIABLE, isFault } from './selftest-faults.js';
import { fullMatrix, insideMatrix, sampledMatrix } from './selftest-matrix.js';
import { createPool } from './selftest-pool.js';
import { createReport, describe } from './selftest-report.js';
import { runSet } from './selftest-run.js';
import type { ParamSet } from './selftest-set.js';

/** Threads of a run for each CPU, and repetitions of each, as in the kernel's script. */
const FULL = { threadsPerCpu: 6, repetitions: 1000 };
const SAMPLED = { threads: 12, repetitions: 1000, slowRepetitions: 200 };
const RUN_MS = 60_000;
const FULL_RUN_MS = 300_000;
const BASIC_MS = 600_000;

// 200 threads that all wait for the engine's few compiling threads interpret their loops meanwhile: three times the CPU time.
setFlagsFromString('--no-concurrent-recompilation');

// Whoever read the output has gone: the run goes on, its exit code still counts.
process.stdout.on('error', () => {});

try {
  const given = parseArguments(process.argv.slice(2));
  if (given === undefined) process.stdout.write(`${HELP}\n`);
  else process.exitCode = await selftest(given);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`selftest: ${error.message}\nnpm run selftest -- --help says more.\n`);
  process.exitCode = 2;
}

async function selftest(given: SelftestArguments): Promise<number> {
  const { json, seed, only, single, deadlineMs } = given;
  const write = (text: string): void => {
    process.stdout.write(text);
  };
  const operations = single === undefined && only.has('ops') ? basicOperations(seed, given.threads, given.scale) : [];
  const wanted = single === undefined ? matrix(given).filter(({ mode }) => only.has(mode)) : [single];
  // Of no use where the threads cannot know that another is dead.
  const sets = probe().provesDeath ? wanted : wanted.filter(({ act }) => act !== 'kill');
  if (!json && sets.length < wanted.length) {
    write(
      `selftest: without ${wanted.length - sets.length} runs with kills: nothing proves here that a thread is dead\n`,
    );
  }
  if (!json) write(`selftest: ${operations.length + sets.length} runs, seed ${seed}\n`);
  if (given.list) {
    for (const set of [...operations, ...sets]) write(`${describe(set)}\n`);
    return 0;
  }
  const report = createReport(write, json, seed, operations.length + sets.length);
  if (single === undefined && only.has('basic')) for (const result of await basicTests()) report.basic(result);

  const planted = process.env[FAULT_VARIABLE];
  const fault = isFault(planted) ? planted : undefined;
  const runMs = given.full ? FULL_RUN_MS : RUN_MS;
  const pool = createPool();
  try {
    for (const set of operations) report.run(await runSet(set, pool, { deadlineMs: deadlineMs ?? BASIC_MS, fault }));
    for (const set of sets) report.run(await runSet(set, pool, { deadlineMs: deadlineMs ?? runMs, fault }));
    return report.end();
  } finally {
    await pool.close();
  }
}

function matrix({ full, seed, threads, repetitions, scale }: SelftestArguments): ParamSet[] {
  const scaled = (standard: number): number => repetitions ?? Math.max(1, Math.round(standard * scale));
  if (full) {
    const sizes = {
      seed,
      threads: threads ?? FULL.threadsPerCpu * availableParallelism(),
      repetitions: scaled(FULL.repetitions),
      slowRepetitions: scaled(FULL.repetitions),
    };
    return [...fullMatrix(sizes), ...insideMatrix(sizes, true)];
  }
  const sizes = {
    seed,
    threads: threads ?? SAMPLED.threads,
    repetitions: scaled(SAMPLED.repetitions),
    slowRepetitions: scaled(SAMPLED.slowRepetitions),
  };
  return [...sampledMatrix(sizes), ...insideMatrix(sizes, false)];
}
