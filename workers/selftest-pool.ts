// The workers of the selftests. Starting one takes tens of ms, so they are kept from run to run; one that was killed, or whose run
// went wrong, is not used again.

import { Worker } from 'node:worker_threads';
import type { Job, Report } from './selftest-thread.js';

export interface Hand {
  post(job: Job): void;
  /** What becomes of what it says from now on, its unexpected end included. */
  listen(listener: (report: Report) => void): void;
  /** Resolves when the thread has ended. */
  kill(): Promise<void>;
}

export interface Pool {
  take(): Promise<Hand>;
  /** Back, to be used again. */
  give(hand: Hand): void;
  /** How many were ever started. */
  readonly started: number;
  close(): Promise<void>;
}

const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

export function createPool(): Pool {
  const idle: Hand[] = [];
  const all = new Set<Hand>();
  let started = 0;

  function start(): Promise<Hand> {
    started++;
    const worker = new Worker(new URL('./selftest-thread.js', import.meta.url), { resourceLimits: RESOURCE_LIMITS });
    return new Promise((resolve, reject) => {
      let listener = (report: Report): void => {
        if (report.kind === 'ready') resolve(hand);
        else reject(new Error(`a worker could not be started: ${JSON.stringify(report)}`));
      };
      let killed = false;
      const hand: Hand = {
        post: (job) => worker.postMessage(job),
        listen(next) {
          listener = next;
        },
        async kill() {
          killed = true;
          all.delete(hand);
          await worker.terminate();
        },
      };
      all.add(hand);
      worker.on('message', (report: Report) => listener(report));
      worker.on('error', (error) => listener({ kind: 'failed', message: `the thread ended: ${error.message}` }));
      worker.on('exit', (code) => {
        all.delete(hand);
        const at = idle.indexOf(hand);
        if (at >= 0) idle.splice(at, 1);
        if (!killed) listener({ kind: 'failed', message: `the thread ended with code ${code}` });
      });
    });
  }

  return {
    take: async () => idle.pop() ?? start(),
    give(hand) {
      hand.listen(() => {});
      idle.push(hand);
    },
    get started() {
      return started;
    },
    async close() {
      await Promise.all([...all].map((hand) => hand.kill()));
    },
  };
}
