// Who is killed when, in the main job, and what becomes of their tasks and of the process.

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { closeCritical, createCritical, runCritical } from '../examples/job/critical.js';
import { Interrupted } from '../examples/job/pool.js';
import { createRandom } from '../examples/job/random.js';
import { runAll } from '../examples/job/run.js';
import { exampleUrl } from './support/examples.js';
import { Folder, runJob } from './support/job.js';

const SEED = 20_260_102;

/** A pool of threads that finish their tasks when told to. Lingering ones may do so even after they were killed. */
function fakePool(lingering: boolean) {
  let lastThread = 0;
  const running = new Map<number, { threadId: number; doomed: boolean; finish(): void; die(killed: boolean): void }>();
  const pool = {
    onAssign() {},
    allUp: async () => {},
    doomed: () => [...running.values()].filter(({ doomed }) => doomed).length,
    busy: () => [...running].filter(([, { doomed }]) => !doomed).map(([index, { threadId }]) => ({ threadId, index })),
    kill(threadId: number) {
      const victim = [...running.values()].find((each) => each.threadId === threadId);
      if (victim === undefined) return;
      victim.doomed = true;
      if (!lingering) victim.die(true);
    },
    run: (index: number, _task: object, settle: (result: number) => void) =>
      new Promise<void>((resolve, reject) => {
        const threadId = ++lastThread;
        let ended = false;
        const end = (then: () => void): void => {
          if (ended) return;
          ended = true;
          running.delete(index);
          then();
        };
        running.set(index, {
          threadId,
          doomed: false,
          finish: () =>
            end(() => {
              settle(index);
              resolve();
            }),
          die: (killed) => end(() => reject(new Interrupted(threadId, killed))),
        });
        pool.onAssign();
      }),
  };
  return { pool, running };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start(tasks: number, lanes: number, plan: number[], isMidway = () => false, lingering = false) {
  const { pool, running } = fakePool(lingering);
  const results: number[] = [];
  const killed: number[] = [];
  const { signal } = new AbortController();
  const done = runAll({
    pool,
    tasks: Array.from({ length: tasks }, () => ({})),
    lanes,
    plan,
    random: createRandom(1),
    isMidway,
    onResult: (index: number) => results.push(index),
    onKill: (_, index) => killed.push(index),
    signal,
  });
  return { running, results, killed, done };
}

test('no kill is missed, though the last tasks finish in one turn and none was seen midway', async () => {
  for (const plan of [[0], [1], [0, 1]]) {
    const { running, results, killed, done } = start(2, 2, plan);
    for (let turns = 0; turns < 20 && results.length < 2; turns++) {
      await turn();
      for (const { finish } of [...running.values()]) finish();
    }
    expect(await done).toMatchObject({ settled: 2, killed: plan.length, again: plan.length, deaths: 0 });
    expect(killed).toHaveLength(plan.length);
    expect(results.sort()).toEqual([0, 1]);
  }
});

test('a worker is killed in the middle of a task if there is time, and the task runs again', async () => {
  let midway = false;
  const { running, killed, done } = start(5, 1, [1], () => midway);
  await turn();
  expect(killed).toEqual([]);
  running.get(0)?.finish();
  await turn();
  expect(killed).toEqual([]);
  midway = true;
  for (let turns = 0; turns < 1000 && killed.length === 0; turns++) await turn();
  expect(killed).toEqual([1]);
  for (let task = 1; task < 5; task++) {
    await turn();
    running.get(task)?.finish();
  }
  expect(await done).toEqual({ settled: 5, killed: 1, again: 1, deaths: 0 });
});

test('a killed worker whose result arrives all the same takes no chance from the kills that are left', async () => {
  let midway = true;
  const { running, killed, done } = start(3, 2, [0, 1], () => midway, true);
  for (let turns = 0; turns < 1000 && killed.length === 0; turns++) await turn();
  const [first] = killed as [number];
  midway = false;
  running.get(1 - first)?.finish();
  await turn();
  // The third task is the last that anybody can be killed over.
  expect(killed).toEqual([first, 2]);
  running.get(2)?.die(true);
  await turn();
  running.get(2)?.finish();
  running.get(first)?.finish();
  expect(await done).toEqual({ settled: 3, killed: 2, again: 1, deaths: 0 });
});

test('a task over which workers keep dying ends the run', async () => {
  const { running, done } = start(1, 1, []);
  const failed = expect(done).rejects.toThrow('3 workers died over one task');
  for (let deaths = 0; deaths < 3; deaths++) {
    running.get(0)?.die(false);
    await turn();
  }
  await failed;
});

test('who wants to kill a worker waits until it has left its critical section, and it enters it no more', async () => {
  const word = createCritical();
  expect(runCritical(word, () => Atomics.load(word, 0))).toBe(1);
  expect(Atomics.load(word, 0)).toBe(0);
  expect(() =>
    runCritical(word, () => {
      throw new RangeError('in the step');
    }),
  ).toThrow(RangeError);
  expect(Atomics.load(word, 0)).toBe(0);

  const steps = new Int32Array(new SharedArrayBuffer(8));
  const source = `
    const { workerData: { word, steps, url } } = require('node:worker_threads');
    import(url).then(({ runCritical }) => {
      for (;;) runCritical(word, () => { Atomics.add(steps, 0, 1); Atomics.add(steps, 1, 1); });
    });`;
  const workerData = { word, steps, url: exampleUrl('job/critical.js') };
  const worker = new Worker(source, { eval: true, workerData });
  for (let polls = 0; polls < 5000 && Atomics.load(steps, 0) < 1000; polls++) await sleep(1);
  closeCritical(word);
  const [begun, ended] = [Atomics.load(steps, 0), Atomics.load(steps, 1)];
  expect(begun).toBeGreaterThanOrEqual(1000);
  expect(ended).toBe(begun);
  await sleep(20);
  expect(Atomics.load(steps, 0)).toBe(begun);
  await worker.terminate();
});

test('the process survives a kill for each file, all at the very beginning of it', async () => {
  const folder = new Folder().fill(30, 200, SEED);
  const args = ['--dir', folder.path, '--workers', '4', '--kill', '30', '--seed', String(SEED)];
  const { code, stdout, stderr } = await runJob(args);
  folder.remove();
  expect(stderr).toBe('');
  expect(stdout).toContain('ok     30 of 30 workers killed while busy, 0 died otherwise');
  expect(stdout).toContain('all 8 checks hold');
  expect(code).toBe(0);
}, 60_000);
