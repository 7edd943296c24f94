// What a program pays once: importing the library (in fresh processes, against a package of one file of as many bytes), and attaching and
// registering in a thread that has just started (against the life of an empty worker).

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { attach, doctor, register } from 'coexist';
import { interleave, row, type Topic } from './kit.js';

const ANSWER_MS = 30_000;

/** Plain code of exactly this many bytes: functions and classes that are defined and not called. */
function plainCode(bytes: number): string {
  const parts: string[] = [];
  let size = 0;
  for (let k = 0; ; k++) {
    const part = `
export const LIMIT_${k} = { low: ${k}, high: ${k * 7 + 1}, name: 'limit ${k}' };

function within${k}(value, { low, high } = LIMIT_${k}) {
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw new TypeError(\`value is \${String(value)}, expected an integer\`);
  }
  for (let step = 0; step < 32; step++) {
    const moved = (value >>> 1) ^ (value << step);
    if (moved >= low && moved <= high) return moved;
  }
  return Math.min(Math.max(value, low), high);
}

export class Range${k} {
  #values = new Map();
  constructor(values) {
    for (const [name, value] of Object.entries(values)) this.#values.set(name, within${k}(value));
  }
  get total() {
    return [...this.#values.values()].reduce((sum, value) => sum + value, 0);
  }
}
`;
    if (size + part.length > bytes) break;
    parts.push(part);
    size += part.length;
  }
  return parts.join('').padEnd(bytes, ' ');
}

/** A program that depends on two packages: the library as it is published, and one file of as many bytes. */
function installPackages(): string {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const program = join(root, 'build/bench/program');
  const library = join(program, 'node_modules/coexist');
  const plain = join(program, 'node_modules/plain');
  rmSync(program, { recursive: true, force: true });
  cpSync(join(root, 'dist'), join(library, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(library, 'package.json'));
  mkdirSync(plain);
  const bytes = statSync(join(root, 'dist/index.js')).size + statSync(join(root, 'dist/core.js')).size;
  writeFileSync(join(plain, 'index.js'), plainCode(bytes));
  writeFileSync(join(plain, 'package.json'), '{ "name": "plain", "type": "module", "exports": { ".": "./index.js" } }');
  writeFileSync(join(program, 'package.json'), '{ "name": "program", "type": "module" }');
  cpSync(join(root, 'build/bench/import-child.js'), join(program, 'main.js'));
  return join(program, 'main.js');
}

async function load() {
  const program = installPackages();
  const importing = (specifier: string) => () => {
    const output = execFileSync(process.execPath, [program, specifier], { encoding: 'utf8', timeout: ANSWER_MS });
    return { overriddenDuration: Number(output) };
  };
  const times = await interleave(
    {
      plain: { ops: 1, sample: importing('plain') },
      coexist: { ops: 1, sample: importing('coexist') },
    },
    { samples: 5, warmup: 1 },
  );
  return [
    row('importing coexist against a package of one plain file of the same size', times.coexist, times.plain, {
      atMost: 1.5,
    }),
  ];
}

async function arrive() {
  attach();
  const life = async (): Promise<number> => {
    const started = performance.now();
    await exited(new Worker(new URL('./empty-thread.js', import.meta.url)));
    return performance.now() - started;
  };
  // A registration asks for no CPU number; the first cpuId() does, and loads koffi for it, which the main thread has done already.
  const cold = async (asks: boolean): Promise<number> => {
    const worker = new Worker(new URL('./import-thread.js', import.meta.url), { workerData: asks });
    let took = Number.NaN;
    worker.on('message', (ms: number) => {
      took = ms;
    });
    await exited(worker);
    return took;
  };
  register().unregister();
  const times = await interleave(
    {
      empty: { ops: 1, sample: async () => ({ overriddenDuration: await life() }) },
      cold: { ops: 1, sample: async () => ({ overriddenDuration: await cold(false) }) },
      number: { ops: 1, sample: async () => ({ overriddenDuration: await cold(true) }) },
    },
    { samples: 5, warmup: 1 },
  );
  return [
    row('attach() and first register() in a fresh worker, of the life of an empty worker', times.cold, times.empty, {
      atMost: 0.03,
    }),
    row(
      `first cpuId() in a fresh worker, ${doctor().cpu.via}, of the life of an empty worker`,
      times.number,
      times.empty,
      {
        atMost: 0.06,
      },
    ),
  ];
}

function exited(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => worker.once('exit', () => resolve()).once('error', reject));
}

export const importing: Topic = { load, arrive };
