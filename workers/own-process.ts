// The main thread of a process that a test starts for one script (test/support/own-process.ts): runs the script's source with
// the tools below, sends its result back, and leaves the process to end by itself.

import { createRequire } from 'node:module';
import { runInThisContext } from 'node:vm';
import type { Worker, WorkerOptions } from 'node:worker_threads';
import type * as core from '../src/core.js';
import type { ActorContext } from './actor.js';

type Step<A, R> = (context: ActorContext, args: A) => R | Promise<R>;

export interface ChildActor {
  readonly worker: Worker;
  run<R, A = undefined>(step: Step<A, R>, args?: A): Promise<R>;
  terminate(): Promise<number>;
}

export interface Tools {
  /** URLs of the two copies' core.js. */
  readonly urls: { readonly a: string; readonly b: string };
  load<Module = typeof core>(url: string): Promise<Module>;
  /** The exports object that holds the anchors. */
  readonly threads: typeof import('node:worker_threads') & Record<symbol, unknown>;
  readonly AREA: symbol;
  readonly THREAD: symbol;
  /** Starts a worker that runs steps, as workers/actor.ts does. */
  actor(options?: WorkerOptions): Promise<ChildActor>;
  /** Polls until the condition holds; fails after 5 s. */
  until(condition: () => boolean): Promise<void>;
  /** What a step throws; undefined if it does not. */
  failure(step: () => unknown): Promise<Failed | undefined>;
  /** Warnings emitted so far. */
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export interface Failed {
  readonly code: string;
  readonly message: string;
  readonly found: unknown;
  readonly expected: unknown;
}

const require = createRequire(import.meta.url);
const threads = require('node:worker_threads') as Tools['threads'];
const warnings: { code: string; message: string }[] = [];
process.on('warning', (warning) => {
  warnings.push({ code: (warning as { code?: string }).code ?? '', message: warning.message });
});

async function actor(options?: WorkerOptions): Promise<ChildActor> {
  const worker = new threads.Worker(new URL('./actor.js', import.meta.url), options);
  const waiting = new Map<number, (answer: { result?: unknown; error?: Error; code?: string }) => void>();
  worker.on('message', (answer) => waiting.get(answer.id)?.(answer));
  const answerTo = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(id, ({ result, error, code }) => {
        if (error === undefined) resolve(result);
        else reject(Object.assign(error, { code }));
      });
      worker.once('error', reject);
    });
  let lastId = 0;
  await answerTo(0);
  return {
    worker,
    run: (step, args) => {
      const id = ++lastId;
      const answer = answerTo(id);
      worker.postMessage({ id, source: String(step), args });
      return answer as never;
    },
    terminate: () => worker.terminate(),
  };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 5 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function failure(step: () => unknown): Promise<Failed | undefined> {
  try {
    await step();
    return undefined;
  } catch (error) {
    const { code, message, found, expected } = error as Failed;
    return { code, message, found, expected };
  }
}

process.once('message', async ({ source, args, urls }: { source: string; args: unknown; urls: Tools['urls'] }) => {
  const tools: Tools = {
    urls,
    load: (url) => import(url),
    threads,
    AREA: Symbol.for('coexist.area.v1'),
    THREAD: Symbol.for('coexist.thread.v1'),
    actor,
    until,
    failure,
    warnings,
  };
  try {
    const script = runInThisContext(`(${source})`) as (tools: Tools, args: unknown) => unknown;
    const result = await script(tools, args);
    process.send?.({ result }, () => process.disconnect());
  } catch (error) {
    process.send?.({ error: (error as Error).stack }, () => process.exit(1));
  }
});
