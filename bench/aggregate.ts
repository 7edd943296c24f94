// Reading one total of many threads: ask each of them by postMessage and add the answers up, or sum() over shared memory.

import { Worker } from 'node:worker_threads';
import { Counter } from 'coexist/percpu';
import { type Group, interleave, row, type Topic } from './kit.js';

const COLLECTIONS = 30;
const SUMS = 20_000;

function collecting(threads: number): Group {
  return async () => {
    const counter = new Counter('bench/collected');
    const workers = await Promise.all(
      Array.from({ length: threads }, async () => {
        const worker = new Worker(new URL('./aggregate-thread.js', import.meta.url));
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        return worker;
      }),
    );

    let missing = 0;
    let collected = 0;
    let resume = (): void => {};
    for (const worker of workers) {
      worker.on('message', (count: number) => {
        collected += count;
        if (--missing === 0) resume();
      });
    }
    const collect = (): Promise<void> => {
      missing = threads;
      collected = 0;
      return new Promise((resolve) => {
        resume = resolve;
        for (const worker of workers) worker.postMessage(0);
      });
    };

    await collect();
    if (counter.sum() !== BigInt(collected)) throw new Error(`sum() is ${counter.sum()}, the threads say ${collected}`);
    const times = await interleave({
      messages: {
        ops: COLLECTIONS,
        sample: async () => {
          const started = performance.now();
          for (let k = 0; k < COLLECTIONS; k++) await collect();
          return { overriddenDuration: performance.now() - started };
        },
      },
      sum: {
        ops: SUMS,
        loop: (times) => {
          let sum = 0n;
          for (let k = 0; k < times; k++) sum = counter.sum();
          return sum;
        },
      },
    });
    await Promise.all(workers.map((worker) => worker.terminate()));
    const what = `collecting from ${threads} workers by postMessage against sum()`;
    return [row(what, times.messages, times.sum, { atLeast: 1000 })];
  };
}

export const aggregate: Topic = {
  from2: collecting(2),
  from4: collecting(4),
  from8: collecting(8),
  from16: collecting(16),
};
