// A worker that does what a test tells it, one step at a time: the test sends the source of a function, the worker runs it
// and answers. Between two steps the event loop turns, so a test can hold a race open at any point.

import { parentPort, Worker, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';

/** What a step gets: a place to keep things, and ways to load copies of the library. */
export interface ActorContext {
  readonly state: { registrations: core.Registration[]; [name: string]: unknown };
  /** Imports a module by URL: a copy of the library, unless said otherwise. */
  load<Module = typeof core>(url: string): Promise<Module>;
  /** Starts a nested actor, whose steps the parent can send with `step`. */
  nest(): Promise<{ step(source: string, args: unknown): Promise<unknown>; terminate(): Promise<number> }>;
}

interface Step {
  readonly id: number;
  readonly source: string;
  readonly args: unknown;
}

let lastNestedId = 0;

const context: ActorContext = {
  state: { registrations: [] },
  load: (url) => import(url),
  async nest() {
    const worker = new Worker(new URL(import.meta.url), { workerData });
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    return {
      step: (source, args) =>
        new Promise((resolve, reject) => {
          const id = ++lastNestedId;
          const onMessage = (answer: { id: number; result?: unknown; error?: Error }): void => {
            if (answer.id !== id) return;
            worker.off('message', onMessage);
            if (answer.error === undefined) resolve(answer.result);
            else reject(answer.error);
          };
          worker.on('message', onMessage);
          worker.postMessage({ id, source, args });
        }),
      terminate: () => worker.terminate(),
    };
  },
};

const port = parentPort;
if (port === null) throw new Error('actor.js runs as a worker');

port.on('message', async ({ id, source, args }: Step) => {
  try {
    // Indirect: the source is a whole function expression.
    const step = globalThis.eval(`(${source})`) as (context: ActorContext, args: unknown) => unknown;
    port.postMessage({ id, result: await step(context, args) });
  } catch (error) {
    const { message, code, stack } = error as NodeJS.ErrnoException;
    port.postMessage({ id, error: Object.assign(new Error(message), { code, stack }), code });
  }
});
port.postMessage({ id: 0, result: 'ready' });
