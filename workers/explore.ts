// npm run explore [-- protocol...] [-- --seed S ...]: explores the protocols of the library far, with a progress line on a
// terminal and a table at the end. Exits 1 where a schedule fails, and prints its trace.

import process from 'node:process';
import { parseArgs } from 'node:util';
import { type ExploreProgress, type ExploreResult, explain, explore } from 'coexist/explore';
import { explorePlanted } from './explore-planted.js';
import {
  BACKENDS,
  type Backend,
  backendsOf,
  optionsOf,
  type Protocol,
  protocols,
  type Reach,
  reachesOf,
} from './explore-protocols.js';

const CORE = new URL('../../dist/core.js', import.meta.url);
const BUILD = new URL('./', import.meta.url);
const ROOT = new URL('../../', import.meta.url);
const HELP = `usage: npm run explore [-- protocol...] [-- options]
  --seed S           seed of the random schedules (default 1)
  --backend B        wasm or twin (default: both)
  --ms N             at most so many ms for each line of the table (default 600000)
  --short            only what npm test runs
  --threads N --preemptions N --kills N   this reach instead of the usual ones
  --core URL         another build of the library
  --planted          plants bugs in copies of the library, and prints the schedules that show them
  --replay SCHEDULE  runs one schedule of one protocol, backend and number of threads, and prints its trace
protocols:
${protocols.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}`;

interface Row extends Reach {
  readonly protocol: string;
  readonly backend: Backend;
  readonly result: ExploreResult;
}

class UsageError extends Error {}

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean' },
      seed: { type: 'string' },
      backend: { type: 'string' },
      ms: { type: 'string' },
      short: { type: 'boolean' },
      threads: { type: 'string' },
      preemptions: { type: 'string' },
      kills: { type: 'string' },
      core: { type: 'string' },
      planted: { type: 'boolean' },
      replay: { type: 'string' },
    },
  });
  const number = (name: 'seed' | 'ms' | 'threads' | 'preemptions' | 'kills', otherwise: number): number => {
    const text = values[name];
    if (text === undefined) return otherwise;
    if (!/^\d+$/.test(text)) throw new UsageError(`--${name} ${text}: not a number`);
    return Number(text);
  };
  const unknown = positionals.filter((name) => protocols.every((protocol) => protocol.name !== name));
  if (unknown.length > 0) throw new UsageError(`unknown protocol: ${unknown.join(', ')}`);
  const backends = BACKENDS.filter((backend) => values.backend === undefined || values.backend === backend);
  if (backends.length === 0) throw new UsageError(`--backend ${values.backend}: wasm or twin`);
  const own = values.threads !== undefined || values.preemptions !== undefined || values.kills !== undefined;
  return {
    help: values.help === true,
    chosen: positionals.length === 0 ? protocols : protocols.filter(({ name }) => positionals.includes(name)),
    backends,
    seed: number('seed', 1),
    ms: number('ms', 600_000),
    short: values.short === true,
    planted: values.planted === true,
    reach: own
      ? [{ threads: number('threads', 2), maxPreemptions: number('preemptions', 2), kills: number('kills', 0) }]
      : undefined,
    core: values.core ?? CORE.href,
    replay: values.replay,
  };
}

type Given = ReturnType<typeof parse>;

function run(protocol: Protocol, backend: Backend, reach: Reach, given: Given): Promise<ExploreResult> {
  const { seed, ms, core, replay } = given;
  const options = optionsOf(protocol, backend, reach, BUILD, core);
  return explore({
    ...options,
    seed,
    budget: { ...options.budget, ms },
    replay,
    onProgress: progress(`${protocol.name} on ${backend}, ${reach.threads} threads`),
  });
}

function progress(what: string): ((now: ExploreProgress) => void) | undefined {
  if (!process.stdout.isTTY) return undefined;
  return ({ schedules, preemptions }) => {
    const bound = preemptions === undefined ? 'at random' : `${preemptions} preemptions`;
    process.stdout.write(`\r\x1b[K${what}: ${schedules} schedules, ${bound}`);
  };
}

function print(text: string): void {
  process.stdout.write(`${process.stdout.isTTY ? '\r\x1b[K' : ''}${text}\n`);
}

const WIDTHS = [16, 8, 8, 6, 6, 11, 12, 10];
const line = (cells: readonly unknown[]): string =>
  cells
    .map((cell, k) => (k < 2 ? String(cell).padEnd(WIDTHS[k] ?? 0) : String(cell).padStart(WIDTHS[k] ?? 0)))
    .join(' ');

function rowText({ protocol, backend, threads, maxPreemptions, kills, random, result }: Row): string {
  const { failure, exhausted, complete, allSchedules, schedules, operations, allOperations } = result;
  const verdict = failure !== undefined ? failure.kind : complete ? 'all' : exhausted ? 'yes' : 'no';
  const isRandom = random !== undefined;
  const counts = isRandom ? [allSchedules, allOperations, failure?.kind ?? 'random'] : [schedules, operations, verdict];
  return line([protocol, backend, threads, maxPreemptions, kills, ...counts]);
}

async function main(given: Given): Promise<void> {
  const { chosen, backends, replay, reach } = given;
  if (replay !== undefined && (chosen.length !== 1 || backends.length !== 1 || reach === undefined)) {
    throw new UsageError('--replay wants one protocol, --backend and --threads');
  }
  print(line(['protocol', 'backend', 'threads', 'bound', 'kills', 'schedules', 'operations', 'exhausted']));
  let failed = 0;
  let schedules = 0;
  for (const protocol of chosen) {
    for (const backend of backendsOf(protocol).filter((backend) => backends.includes(backend))) {
      for (const reach of given.reach ?? reachesOf(protocol, !given.short)) {
        const result = await run(protocol, backend, reach, given);
        schedules += result.allSchedules;
        print(rowText({ ...reach, protocol: protocol.name, backend, result }));
        if (result.failure !== undefined || replay !== undefined) print(explain(result));
        if (result.failure === undefined) continue;
        failed++;
        const { schedule } = result.failure;
        const again = `${protocol.name} --backend ${backend} --threads ${reach.threads} --replay ${schedule}`;
        print(`run it again: npm run explore -- ${again}`);
      }
    }
  }
  print(`${schedules} schedules in all, seed ${given.seed}; exhausted: all = the bound left nothing out`);
  if (failed > 0) {
    print(`${failed} failed`);
    process.exitCode = 1;
  }
}

try {
  const given = parse();
  if (given.help) print(HELP);
  else if (given.planted) process.exitCode = (await explorePlanted(ROOT, BUILD, print)) > 0 ? 1 : 0;
  else await main(given);
} catch (error) {
  const usage =
    error instanceof UsageError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
  if (!usage) throw error;
  process.stderr.write(`explore: ${(error as Error).message}\n${HELP}\n`);
  process.exitCode = 2;
}
