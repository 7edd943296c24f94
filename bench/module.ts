// What it is worth to leave the optional parts of examples/modules out until they are needed: time and memory of its start, as processes, with
// no part loaded against all of them imported. And what loading one costs: against plain import() or require() of the same files, and their
// sha256, each in a worker of its own, since whatever a thread has loaded once it has.

import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
const PLAIN = join(BUILD, 'plain');
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
  const { buildParts, fileOf, STANDARD } = await example();
  const { PARTS: parts } = await declared();
  attach();
  const fingerprint = await buildParts(PARTS);
  // Code of a program has no initialisers for the whole process: one word of the text is another.
  await buildParts(PLAIN, { ...STANDARD, initScope: 'thread' });
  installPlainly(PLAIN, 'block-core');
  const core = { name: 'block-core', file: 'block-core.mjs' };
  const rows: Row[] = [];
  for (const part of parts) {
    const file = fileOf(part);
    if (part.name === core.name) {
      const data = { dir: PARTS, plain: PLAIN, fingerprint, name: part.name, file, before: undefined };
      rows.push(await compare(`${part.name}, as the first of its thread,`, 'import', data));
    } else {
      const data = { dir: PARTS, plain: PLAIN, fingerprint, name: part.name, file, before: core };
      rows.push(await compare(part.name, part.type === 'module' ? 'import' : 'require', data, BAR));
    }
  }
  // What the same text costs as an ES module, which goes through a URL.
  const folder = join(BUILD, 'as-es');
  const report = { ...parts.find(({ name }) => name === 'ui-report')!, type: 'module' as const };
  const both = [...parts.filter(({ name }) => name === core.name), report];
  const other = await buildParts(folder, { ...STANDARD, initScope: 'thread' }, both);
  const data = {
    dir: folder,
    plain: folder,
    fingerprint: other,
    name: report.name,
    file: fileOf(report),
    before: core,
  };
  rows.push(await compare(`${report.name}, built as an ES module,`, 'import', data));
  return rows;
}

async function compare(
  what: string,
  plain: 'import' | 'require',
  data: Omit<LoadingThread, 'how'>,
  bar?: Bar,
): Promise<Row> {
  const sample = (how: LoadingThread['how']) => async () => ({ overriddenDuration: await inWorker({ ...data, how }) });
  const times = await interleave(
    { load: { ops: 1, sample: sample('load') }, plain: { ops: 1, sample: sample(plain) } },
    { rounds: ROUNDS, samples: 5, warmup: 1 },
  );
  return row(`load() of ${what} over ${plain}() and sha256`, times.load, times.plain, bar);
}

/** For plain imports: a part as a package beside the others. */
function installPlainly(dir: string, name: string): void {
  const folder = join(dir, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(dir, `${name}.mjs`), join(folder, 'index.mjs'));
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
