// What it is worth to leave the optional parts of examples/modules out until they are needed: time and memory of its start, as processes, with
// no part loaded against all of them imported. And what loading one costs: against plain import() or require() of the same files, and their
// sha256, each in a worker of its own, since whatever a thread has loaded once it has.

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { attach } from 'coexist';
import type { Ready } from '../examples/modules/run.js';
import { type Bar, interleave, type Row, row, type Topic } from './kit.js';
import type { LoadingThread } from './module-thread.js';

const ROUNDS = 9;
const ANSWER_MS = 60_000;
/** The bar in bytes: what a start without parts takes less at least. */
const LESS = 20e6;
const BAR: Bar = { atMost: 1.3 };

const BUILD = fileURLToPath(new URL('../../build/bench/modules', import.meta.url));
const PARTS = join(BUILD, 'parts');
const FILES = join(tmpdir(), `coexist-bench-${process.pid}`);

const example = (): Promise<typeof import('../examples/modules/build.js')> =>
  import(new URL('../../examples/modules/build.js', import.meta.url).href);
const declared = async (): Promise<typeof import('../examples/modules/parts/parts.js')> =>
  import(new URL('../../examples/modules/parts/parts.js', import.meta.url).href);

async function start(): Promise<Row[]> {
  const { buildParts, buildPrograms } = await example();
  await buildParts(PARTS);
  const programs = await buildPrograms(BUILD);
  const begin = async (program: string): Promise<Ready> => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, PARTS, FILES], {
      timeout: ANSWER_MS,
    });
    return JSON.parse(stdout);
  };
  const names = ['loading', 'importing'] as const;
  const rounds = { loading: [] as Ready[], importing: [] as Ready[] };
  try {
    for (let round = -1; round < ROUNDS; round++) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const ready = await begin(programs[name]);
        if (round >= 0) rounds[name].push(ready);
      }
    }
  } finally {
    rmSync(FILES, { recursive: true, force: true });
  }
  const times = (name: 'loading' | 'importing'): number[] => rounds[name].map(({ ms }) => ms);
  const less = (what: 'rss' | 'heap'): number[] =>
    rounds.importing.map((all, k) => all[what] - rounds.loading[k]![what]);
  const bar = new Array<number>(ROUNDS).fill(LESS);
  return [
    row('start of the example program, all parts imported, over none loaded', times('importing'), times('loading'), {
      atLeast: 2,
    }),
    row('resident memory less with none loaded, in units of 20 MB', less('rss'), bar, { atLeast: 1 }),
    row('heap and what is kept beside it less, in units of 20 MB', less('heap'), bar),
  ];
}

async function load(): Promise<Row[]> {
  const { buildParts, fileOf } = await example();
  const { PARTS: parts } = await declared();
  attach();
  const fingerprint = await buildParts(PARTS);
  installPlainly('block-core');
  const rows: Row[] = [];
  for (const part of parts) {
    const chain = [...(part.depends ?? []), part.name].map((name) => fileOf(parts.find((one) => one.name === name)!));
    rows.push(
      await compare(part.name, part.type ?? 'module', { dir: PARTS, fingerprint, name: part.name, chain }, BAR),
    );
  }
  // What the same text costs as an ES module, which goes through a URL.
  const folder = join(BUILD, 'as-es');
  const report = { ...parts.find(({ name }) => name === 'ui-report')!, type: 'module' } as const;
  const other = await buildParts(folder, undefined, [report]);
  const data = { dir: folder, fingerprint: other, name: report.name, chain: [fileOf(report)] };
  rows.push(await compare(report.name, 'module', data));
  return rows;
}

async function compare(name: string, type: string, data: Omit<LoadingThread, 'how'>, bar?: Bar): Promise<Row> {
  const sample = (how: LoadingThread['how']) => async () => ({ overriddenDuration: await inWorker({ ...data, how }) });
  const plain = type === 'module' ? 'import' : 'require';
  const times = await interleave(
    { load: { ops: 1, sample: sample('load') }, plain: { ops: 1, sample: sample(plain) } },
    { rounds: ROUNDS, samples: 3, warmup: 1 },
  );
  const also = data.chain.length > 1 ? ' and what it depends on' : '';
  return row(`load() of ${name}${also} over ${plain}() and sha256`, times.load, times.plain, bar);
}

/** For plain imports: a part as a package beside the others. */
function installPlainly(name: string): void {
  const folder = join(PARTS, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  cpSync(join(PARTS, `${name}.mjs`), join(folder, 'index.mjs'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, exports: './index.mjs' }));
}

function inWorker(data: LoadingThread): Promise<number> {
  return new Promise((resolve, reject) => {
    let took = Number.NaN;
    const worker = new Worker(new URL('./module-thread.js', import.meta.url), { workerData: data });
    worker.once('message', (ms: number) => {
      took = ms;
    });
    worker.once('error', reject);
    worker.once('exit', () =>
      Number.isNaN(took) ? reject(new Error(`${data.how} of ${data.name} gave no time`)) : resolve(took),
    );
  });
}

export const module: Topic = { start, load };
