// The other way round, as coincident has it: a worker that calls the main thread, which is in its event loop. coincident is written for
// browsers: a few lines stand for what it finds there.

import { Worker } from 'node:worker_threads';
import { serve } from 'coexist/call';
import type { CallerData } from './call-coincident-thread.js';
import { methods } from './call-peers.js';
import type { Timed } from './kit.js';

export type CallerKind = CallerData['kind'];

export interface Caller {
  /** So many calls, made by the worker. */
  sample(calls: number): Promise<Timed>;
  end(): unknown;
}

const ANSWER_MS = 60_000;

function callerOf(worker: Worker, end: () => unknown): Caller {
  const answer = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(reject, ANSWER_MS, new Error('a caller did not answer'));
      worker.once('error', reject).once('message', (message) => {
        clearTimeout(timer);
        worker.off('error', reject);
        resolve(message);
      });
    });
  return {
    async sample(calls) {
      const answered = answer();
      worker.postMessage(calls);
      return { overriddenDuration: (await answered) as number };
    },
    end,
  };
}

const fileOfCaller = new URL('./call-coincident-thread.js', import.meta.url);

/** Serves in this thread, and starts a worker on that core that calls it. */
export async function openCaller(kind: CallerKind, core: number): Promise<Caller> {
  const workerData: CallerData = { kind, core, name: 'bench/upwards' };
  if (kind === 'coincident') {
    Object.assign(globalThis, { Worker });
    const { default: coincident } = await import('coincident/main');
    const worker = new (coincident({ transfer: false }).Worker)(fileOfCaller, { workerData });
    worker.proxy['next'] = methods.next;
    await ready(worker);
    return callerOf(worker, () => worker.terminate());
  }
  const server = serve(workerData.name, methods);
  const worker = new Worker(fileOfCaller, { workerData });
  await ready(worker);
  return callerOf(worker, () => {
    server.close();
    return worker.terminate();
  });
}

const ready = (worker: Worker): Promise<unknown> =>
  new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
