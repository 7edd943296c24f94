// A thread is cut before or after any single atomic operation of any operation on per-CPU data (workers/percpu-steps.ts), or at any injection
// point of its wasm. As long as it lives, it goes on; when it dies there, others do, at once: nothing is half committed, nothing that
// nobody holds is lost, no CPU's word and no pool stays locked, and no fence waits for ever.

import { Worker } from 'node:worker_threads';
import type { AreaValue } from 'coexist/abi';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type * as core from '../src/core.js';
import type { CutResult } from '../workers/cutting.js';
import type { StepperData, StepRequest } from '../workers/percpu-stepper.js';
import { PLAYS, type Play } from '../workers/percpu-steps.js';
import { until } from './support/actor.js';
import { BACKENDS, memoryOf, on } from './support/backends.js';
import { copyUrl } from './support/copies.js';
import { INDEXES, INJECTED, type Index, perCpuArea } from './support/per-cpu.js';
import { deadIdentity } from './support/stepper.js';
import { livesInProc } from './support/threads.js';

const TIMEOUTS = [5, 20, 80, 320, 1280];

// The checks' own copy: its clock jumps, so that it asks at each look whether somebody is dead.
const lib = (await import(copyUrl('b', 'core.js'))) as typeof core;
let time = 0;
const realNow = lib.host.now;

let dead: bigint;
let worker: Worker;
let broken: Promise<never>;
beforeAll(async () => {
  dead = await deadIdentity();
  const workerData: StepperData = { copy: copyUrl('a', 'core.js'), injected: INJECTED, dead };
  worker = new Worker(new URL('../build/workers/percpu-stepper.js', import.meta.url), {
    workerData,
    env: { ...process.env, COEXIST_NO_WASM: '' },
  });
  broken = new Promise((_, reject) => worker.once('error', reject));
  await Promise.race([broken, new Promise((resolve) => worker.once('message', resolve))]);
});
afterAll(async () => {
  lib.host.now = realNow;
  await worker.terminate();
});

function perform(request: StepRequest): Promise<CutResult> {
  worker.postMessage(request);
  return Promise.race([
    broken,
    new Promise<CutResult>((resolve) => {
      worker.once('message', resolve);
    }),
  ]);
}

type Cut = Omit<StepRequest, 'memory' | 'timeout'>;

const memoryFor = ({ operation, backend }: Cut): AreaValue =>
  memoryOf(perCpuArea(backend, { cpus: (PLAYS[operation] as Play).cpus ?? 1 }));

/** Cuts the operation there, on an area of its own; with more time where a busy machine was too slow to get there. */
async function cut(request: Cut): Promise<{ memory: AreaValue; result: CutResult }> {
  for (const timeout of TIMEOUTS) {
    const memory = memoryFor(request);
    const result = await perform({ ...request, memory, timeout });
    if (result.stopped) return { memory, result };
  }
  throw new Error(`${request.operation} was not stopped ${request.position} step ${request.step}`);
}

interface Left extends Cut {
  readonly memory: AreaValue;
}
const left: Left[] = [];
let victim = 0n;

const plays = (index: Index): string[] =>
  Object.entries(PLAYS).flatMap(([name, { byCpu }]) => (byCpu && index === 'slot' ? [] : [name]));

describe.each(BACKENDS)('%s', (backend) => {
  describe.each(INDEXES)('by %s, cut, and lives on', (index) => {
    test.each(plays(index))('%s', async (operation) => {
      const base = { operation, backend, index } as const;
      const count: Cut = { ...base, step: 0, position: 'after', goOn: false };
      const whole = await perform({ ...count, memory: memoryFor(count), timeout: 1000 });
      expect(whole.error).toBe('');
      victim = whole.self;
      // In wasm only sections have points; the rest is one call.
      if (backend === 'twin')
        expect(whole.steps).toBeGreaterThan(index === 'slot' && operation === 'load_cbne_store' ? -1 : 0);
      const wrong: string[] = [];
      for (let step = 1; step <= whole.steps; step++) {
        // A point is a single moment.
        for (const position of backend === 'wasm' ? (['after'] as const) : (['before', 'after'] as const)) {
          const { result } = await cut({ ...base, step, position, goOn: true });
          for (const text of result.wrong) wrong.push(`${position} step ${step} of ${whole.steps}: ${text}`);
        }
        const dies: Cut = { ...base, step, position: 'after', goOn: false };
        left.push({ ...dies, memory: (await cut(dies)).memory });
      }
      expect(wrong).toEqual([]);
    });
  });
});

test('dies there, and others proceed', async () => {
  expect(left.length).toBeGreaterThan(200);
  await worker.terminate();
  await until('the death is visible', () => !livesInProc(victim));
  lib.host.now = () => (time += 60);
  // Time passes by itself here: no sleep takes any.
  const sleeps = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
  const wrong: string[] = [];
  for (const { memory, operation, backend, index, step } of left) {
    const where = `${operation} by ${index} on ${backend}, killed after step ${step}`;
    try {
      const area = on(backend, () => lib.openArea(memory));
      // The slot of the dead thread, and with it the shard.
      area.reclaim();
      const found = on(backend, () => (PLAYS[operation] as Play).look({ lib, area, index, dead }, true));
      for (const text of found) wrong.push(`${where}: ${text}`);
    } catch (error) {
      wrong.push(`${where}: ${error}`);
    }
  }
  sleeps.mockRestore();
  expect(wrong).toEqual([]);
});
