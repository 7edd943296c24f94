// What a namespace of a package costs: time and memory against a worker that imports it, a realm with a small loader of CommonJS, and a plain
// import; what the hooks cost whoever has no part in them; what remains of namespaces that were closed; and a call through a proxy.
//
// Everything cold is measured in a thread or process of its own (namespace-thread.ts). A namespace is measured in a thread that has its hooks,
// which it installs once; that has a line of its own.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { openNamespace } from 'coexist/namespace';
import { type Bar, interleave, type Row, row, type Topic, type Variant } from './kit.js';
import type { Answer, Task } from './namespace-thread.js';

const ROUNDS = 7;
const SAMPLES = 1;
const ANSWER_MS = 60_000;
/** The bar in bytes: what 30 namespaces that were opened and closed leave at most. */
const GROWTH = 0.3e6;
const THREAD = new URL('./namespace-thread.js', import.meta.url);

const MAJOR = Number.parseInt(process.versions.node, 10);
/** On Node 20 imports are resolved in another thread than the one that waits for them. */
const AGAINST_WORKER: Bar = { atMost: MAJOR < 22 ? 2.5 : MAJOR < 26 ? 1.2 : 0.9 };
const HOOKED: { bar?: Bar } = MAJOR < 22 ? {} : { bar: { atMost: 1.15 } };

/** Whether they are ES modules or CommonJS, and how many files. */
const PACKAGES = {
  'lodash-es': '640 ES modules',
  graphql: '129 files of CommonJS',
  zod: '95 ES modules',
} as const;

async function load(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, kind] of Object.entries(PACKAGES)) {
    const isCommonJs = name === 'graphql';
    const times = await interleave(
      {
        namespace: inThread({ how: 'namespace', name }),
        worker: fromOutside({ how: 'ready', name }),
        plain: inThread({ how: 'import', name }),
        ...(isCommonJs
          ? { closable: inThread({ how: 'closable', name }), context: inThread({ how: 'context', name }) }
          : {}),
      } as Record<'namespace' | 'worker' | 'plain' | 'closable' | 'context', Variant>,
      { rounds: ROUNDS, samples: SAMPLES, warmup: 1 },
    );
    const what = `a namespace of ${name} (${kind})`;
    rows.push(
      row(
        `${what} against a worker importing it`,
        times.namespace,
        times.worker,
        name === 'lodash-es' ? AGAINST_WORKER : undefined,
      ),
    );
    rows.push(row(`${what} against a plain import`, times.namespace, times.plain));
    if (!isCommonJs) continue;
    rows.push(row(`${what} against vm.createContext() and a loader`, times.namespace, times.context));
    rows.push(row(`the same, a closable one`, times.closable, times.context));
  }
  const installed = await interleave(
    { install: inThread({ how: 'install', name: '' }), empty: fromOutside({ how: 'ready', name: 'node:fs' }) },
    { rounds: ROUNDS, samples: SAMPLES, warmup: 1 },
  );
  rows.push(
    row('the first openNamespace() of a thread, of the start of an empty worker', installed.install, installed.empty),
  );
  return rows;
}

async function second(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of Object.keys(PACKAGES)) {
    const rounds = await inTurns(ROUNDS, {
      second: () => inWorker({ how: 'second', name }),
      plain: () => inWorker({ how: 'import', name }),
    });
    const took = of(rounds.second, 'second');
    rows.push(
      row(
        `the second namespace of ${name} against the first load in the base, with hooks`,
        took,
        of(rounds.second, 'base'),
        {
          atMost: 1.5,
        },
      ),
    );
    rows.push(row(`the same, against a load in a thread without hooks`, took, of(rounds.plain, 'ms')));
  }
  return rows;
}

async function hooked(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of Object.keys(PACKAGES)) {
    const times = await interleave(
      { hooked: inThread({ how: 'hooked', name }), plain: inThread({ how: 'import', name }) },
      { rounds: ROUNDS, samples: SAMPLES, warmup: 1 },
    );
    rows.push(
      row(`import of ${name} in the base with the hooks, against without`, times.hooked, times.plain, HOOKED.bar),
    );
  }
  return rows;
}

async function memory(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of Object.keys(PACKAGES)) {
    const rounds = await inTurns(ROUNDS, {
      namespace: () => inProcess({ how: 'namespaceMemory', name }),
      worker: () => inProcess({ how: 'workerMemory', name }),
    });
    const bar = name === 'lodash-es' ? { atMost: 0.5 } : undefined;
    for (const [what, field] of [
      ['resident memory', 'rss'],
      ['heap', 'heap'],
    ] as const) {
      rows.push(
        row(
          `${what} of a namespace of ${name} against a worker's`,
          of(rounds.namespace, field),
          of(rounds.worker, field),
          bar,
        ),
      );
    }
  }
  return rows;
}

async function closing(): Promise<Row[]> {
  const rounds = await inTurns(ROUNDS, { cycles: () => inProcess({ how: 'cycles', name: 'graphql' }) });
  const growth = of(rounds.cycles, 'growth');
  return [
    row(
      'heap left by 30 namespaces of graphql, closed, in units of 0.3 MB',
      growth,
      growth.map(() => GROWTH),
      { atMost: 1 },
    ),
  ];
}

async function call(): Promise<Row[]> {
  const options = { from: import.meta.url, shared: true };
  const name: string = 'lodash-es';
  const { module } = await openNamespace().open(name, options);
  const base: unknown = await import(name);
  if (module !== base) throw new Error('a proxy is not the module of the base');
  const [proxy, master] = [module, base] as [Clamping, Clamping];
  const times = await interleave({
    proxy: { ops: 1_000_000, loop: (count) => calling(proxy, count) },
    master: { ops: 1_000_000, loop: (count) => calling(master, count) },
  });
  return [
    row('a call through a proxy against one of the module itself, which it is', times.proxy, times.master, {
      atMost: 1.05,
    }),
  ];
}

interface Clamping {
  clamp(value: number, low: number, high: number): number;
}

function calling(module: Clamping, count: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += module.clamp(k, 3, 1000);
  return sum;
}

/** What the thread itself says that it took. */
const inThread = (task: Task): Variant => ({
  ops: 1,
  sample: async () => ({ overriddenDuration: (await inWorker(task))['ms'] as number }),
});

/** From the call that starts the thread to its answer. */
const fromOutside = (task: Task): Variant => ({
  ops: 1,
  async sample() {
    let took = Number.NaN;
    const started = performance.now();
    await inWorker(task, () => {
      took = performance.now() - started;
    });
    return { overriddenDuration: took };
  },
});

function inWorker(task: Task, answered?: () => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    const worker = new Worker(THREAD, { workerData: task });
    worker.once('message', (message: Answer) => {
      answered?.();
      answer = message;
    });
    worker.once('error', reject);
    worker.once('exit', () => (answer === undefined ? reject(silent(task)) : resolve(answer)));
  });
}

function inProcess(task: Task): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    const child = fork(fileURLToPath(THREAD), [JSON.stringify(task)], {
      execArgv: ['--expose-gc'],
      timeout: ANSWER_MS,
    });
    child.once('message', (message) => {
      answer = message as Answer;
      child.disconnect();
    });
    child.once('error', reject);
    child.once('exit', () => (answer === undefined ? reject(silent(task)) : resolve(answer)));
  });
}

const silent = ({ how, name }: Task): Error => new Error(`${how} of ${name} gave no answer`);

/** Answers of variants that take turns, by round. */
async function inTurns<Name extends string>(
  count: number,
  variants: Readonly<Record<Name, () => Promise<Answer>>>,
): Promise<Record<Name, Answer[]>> {
  const names = Object.keys(variants) as Name[];
  const answers = Object.fromEntries(names.map((name) => [name, [] as Answer[]])) as Record<Name, Answer[]>;
  for (let round = -1; round < count; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const answer = await variants[name]();
      if (round >= 0) answers[name].push(answer);
    }
  }
  return answers;
}

const of = (answers: readonly Answer[], field: string): number[] => answers.map((answer) => answer[field] as number);

export const namespace: Topic = { load, second, hooked, memory, closing, call };
