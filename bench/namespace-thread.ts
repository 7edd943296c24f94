// A fresh thread or process of the topic namespace: loads a package in one way, once, and sends what that took. It has loaded nothing but
// itself before, since whatever a thread has loaded it has.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { createContext, Script } from 'node:vm';
import { parentPort, Worker, workerData } from 'node:worker_threads';

export interface Task {
  readonly how: keyof typeof WAYS;
  readonly name: string;
}

/** ms, or bytes. */
export type Answer = Readonly<Record<string, number>>;

const from = import.meta.url;
const require = createRequire(from);
/** Cycles of a closable namespace before those that count: by then the engine's compilers have made what they make of hot code. */
const WARMUP = 40;
const CYCLES = 30;

const WAYS = {
  /** What whoever started the thread waits for. */
  async ready(name: string): Promise<Answer> {
    await import(name);
    return {};
  },

  import: async (name: string): Promise<Answer> => ({ ms: await timed(() => import(name)) }),

  /** With the hooks, and nothing that is theirs. */
  async hooked(name: string): Promise<Answer> {
    await install();
    return { ms: await timed(() => import(name)) };
  },

  async install(): Promise<Answer> {
    const { openNamespace } = await import('coexist/namespace');
    return { ms: await timed(async () => openNamespace()) };
  },

  async namespace(name: string): Promise<Answer> {
    const openNamespace = await install();
    return { ms: await timed(() => openNamespace().open(name, { from })) };
  },

  async closable(name: string): Promise<Answer> {
    const openNamespace = await install();
    return { ms: await timed(() => openNamespace({ kind: 'closable' }).open(name, { from })) };
  },

  context: async (name: string): Promise<Answer> => ({ ms: await timed(async () => requireInContext(name)) }),

  /** All in a thread that has its hooks. */
  async second(name: string): Promise<Answer> {
    const openNamespace = await install();
    const base = await timed(() => import(name));
    await openNamespace().open(name, { from });
    return { base, second: await timed(() => openNamespace().open(name, { from })) };
  },

  async namespaceMemory(name: string): Promise<Answer> {
    const openNamespace = await install();
    const before = memory();
    const { module } = await openNamespace().open(name, { from });
    const after = memory();
    keep(module);
    return { rss: after.rss - before.rss, heap: after.heap - before.heap };
  },

  async workerMemory(name: string): Promise<Answer> {
    const before = memory();
    const worker = new Worker(new URL(from), { workerData: { how: 'heap', name } satisfies Task });
    const { heap } = await new Promise<Answer>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    const { rss } = memory();
    await worker.terminate();
    return { rss: rss - before.rss, heap: heap as number };
  },

  /** Of the whole thread, which stays alive until it is ended. */
  async heap(name: string): Promise<Answer> {
    keep(await import(name));
    const { heap } = memory();
    setInterval(() => {}, 1000);
    return { heap };
  },

  async cycles(name: string): Promise<Answer> {
    const { openNamespace } = await import('coexist/namespace');
    let before = 0;
    for (let cycle = -WARMUP; cycle < CYCLES; cycle++) {
      if (cycle === 0) before = await settled();
      const namespace = openNamespace({ kind: 'closable' });
      await namespace.open(name, { from });
      if (!namespace.close().released) throw new Error('a closable namespace was not released');
    }
    return { growth: (await settled()) - before };
  },
};

async function install(): Promise<typeof import('coexist/namespace').openNamespace> {
  const { openNamespace } = await import('coexist/namespace');
  openNamespace();
  return openNamespace;
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  keep(await run());
  return performance.now() - started;
}

const kept: unknown[] = [];
const keep = (value: unknown): number => kept.push(value);

function memory(): { rss: number; heap: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  return { rss: process.memoryUsage.rss(), heap: getHeapStatistics().used_heap_size };
}

/** Bytes of the heap, when what finalizers, and the compiler in its own threads, hold has gone, too. */
async function settled(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < 6; k++) {
    await setTimeout(20);
    least = Math.min(least, memory().heap);
  }
  return least;
}

/** The least that loads a graph of CommonJS in a realm of its own. */
function requireInContext(name: string): unknown {
  const context = createContext({ process, console, Buffer, URL, setTimeout, clearTimeout });
  const modules = new Map<string, { exports: unknown }>();
  const load = (path: string): unknown => {
    const there = modules.get(path);
    if (there !== undefined) return there.exports;
    const module = { exports: {} as unknown };
    modules.set(path, module);
    const text = readFileSync(path, 'utf8');
    const wrapped = `(function (exports, require, module, __filename, __dirname) {${text}\n})`;
    const run = new Script(wrapped, { filename: path }).runInContext(context);
    run(module.exports, (asked: string) => requireFrom(path, asked), module, path, dirname(path));
    return module.exports;
  };
  const requireFrom = (path: string, asked: string): unknown => {
    if (isBuiltin(asked)) return require(asked);
    const found = asked.startsWith('.') ? fileAt(join(dirname(path), asked)) : undefined;
    return load(found ?? createRequire(path).resolve(asked));
  };
  return load(require.resolve(name));
}

const fileAt = (at: string): string | undefined =>
  [at, `${at}.js`, join(at, 'index.js')].find((path) => existsSync(path) && statSync(path).isFile());

const [argument] = process.argv.slice(2);
const { how, name } = (parentPort === null ? JSON.parse(argument ?? '') : workerData) as Task;
const answer = await WAYS[how](name);
if (parentPort === null) process.send?.(answer);
else parentPort.postMessage(answer);
