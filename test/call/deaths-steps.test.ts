// A thread is cut before or after any single atomic operation of any operation on a channel or a singleton (workers/call-steps.ts, singleton-steps.ts). As long
// as it lives, it can go on, but for what it was constructing; when it dies there, the next one gets on within 200 ms, and no cell, no
// reference and no lock is lost. All in the JavaScript twin; a wasm step is one call, which nothing cuts.

import { Worker } from 'node:worker_threads';
import { type Area, createArea } from 'coexist';
import { serve } from 'coexist/call';
import { singleton } from 'coexist/singleton';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StepRequest } from '../../workers/call-stepper.js';
import { CELLS, LATE_MS, NAME, THROWS } from '../../workers/call-steps.js';
import type { CutResult } from '../../workers/cutting.js';
import { BYTES, isHosted, KEY, type Operation, onChannel, PLAYS } from '../../workers/singleton-steps.js';
import { until } from '../support/actor.js';
import { memoryOf, on } from '../support/backends.js';
import { asNumbers, channelWords, numbers, numbersEncoding } from '../support/call-memory.js';
import { copyUrl } from '../support/copies.js';
import { singletonWords } from '../support/singleton-memory.js';
import { withSleeps } from '../support/sleeps.js';
import { deadIdentity } from '../support/stepper.js';
import { livesInProc, UNKNOWABLE } from '../support/threads.js';

const TIMEOUTS = [5, 20, 80, 320, 1280];
const other = UNKNOWABLE;

let dead: bigint;
let worker: Worker;
let broken: Promise<never>;
beforeAll(async () => {
  dead = await deadIdentity();
  worker = new Worker(new URL('../../build/workers/call-stepper.js', import.meta.url), {
    workerData: { copy: copyUrl('a', 'core.js'), dead, other },
    env: { ...process.env, COEXIST_NO_WASM: '1' },
  });
  broken = new Promise((_, reject) => worker.once('error', reject));
  await Promise.race([broken, new Promise((resolve) => worker.once('message', resolve))]);
});
afterAll(() => worker.terminate());

const newArea = (): Area => on('twin', () => createArea({ slots: 5, blockBytes: 4096, heapBytes: 16_384 }));

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

/** Cuts the operation there, in an area of its own; with more time where a busy machine was too slow to get there. */
async function cut(request: Cut): Promise<{ area: Area; result: CutResult }> {
  for (const timeout of TIMEOUTS) {
    const area = newArea();
    const result = await perform({ ...request, memory: memoryOf(area), timeout });
    if (result.stopped) return { area, result };
  }
  throw new Error(`${request.operation} was not stopped ${request.position} step ${request.step}`);
}

interface Left {
  readonly operation: string;
  readonly step: number;
  readonly area: Area;
}
const left: Left[] = [];
let victim = 0n;

describe('cut, and lives on', () => {
  test.each(Object.keys(PLAYS) as Operation[])('%s', async (operation) => {
    const count: Cut = { operation, step: 0, position: 'after', goOn: false };
    const whole = await perform({ ...count, memory: memoryOf(newArea()), timeout: 1000 });
    expect([whole.error, whole.steps > 0]).toEqual([THROWS[operation] ?? '', true]);
    victim = whole.self;
    const wrong: string[] = [];
    for (let step = 1; step <= whole.steps; step++) {
      for (const position of ['before', 'after'] as const) {
        const { result } = await cut({ operation, step, position, goOn: true });
        for (const text of result.wrong) wrong.push(`${position} step ${step} of ${whole.steps}: ${text}`);
      }
      const { area } = await cut({ operation, step, position: 'after', goOn: false });
      left.push({ operation, step, area });
    }
    expect(wrong).toEqual([]);
  });
});

/** Runs a step of this thread; what went wrong, or how long it slept in vain. */
function bounded(step: () => string[]): string[] {
  const { sleeps, result, error } = withSleeps(step);
  const slept = sleeps.reduce((sum, { ms }) => sum + ms, 0);
  if (error !== undefined) return [String(error)];
  return [...(result ?? []), ...(slept > LATE_MS ? [`the next one slept for ${slept} ms`] : [])];
}

function channelLeft({ area }: Left): string[] {
  const words = channelWords(area, NAME);
  const isDead = (identity: bigint): boolean => identity === victim || identity === dead;
  const wrong: string[] = [];
  const [server, next] = [words.raw(other, 3, isDead), words.raw(other + 1n, 4, isDead)];
  if (words.long('server') === other) server.serve(() => ({ encoding: numbersEncoding(1), bytes: numbers(0) }));
  // What the other thread has is its own.
  for (let k = 0; k < words.cells; k++) {
    if (words.long(`cell${k}.caller`) === other) words.plant({ [`cell${k}.caller`]: 0n });
  }
  // Its server still has what it has taken; all else can be claimed at once, and that when its epoch is over.
  const held = Array.from({ length: words.cells }, (_, k) => words.phase(k)).filter(
    (phase) => phase === 'TAKEN',
  ).length;
  let claimed = 0;
  while (next.claim() !== undefined) claimed++;
  if (claimed < words.cells - held)
    wrong.push(`${claimed} of ${words.cells} cells could be claimed, ${held} are taken`);
  if (words.long('server') === other) server.close();
  while (next.claim() !== undefined) claimed++;
  if (claimed !== words.cells) wrong.push(`${claimed} of ${words.cells} cells could be claimed`);
  for (let k = 0; k < words.cells; k++) next.free(k);
  return [
    ...wrong,
    ...bounded(() => {
      const serving = on('twin', () => serve(NAME, { twice: (n: number) => 2 * n }, { area, ...CELLS }));
      const k = next.claim() as number;
      next.request(k, serving.epoch, { encoding: numbersEncoding(1), bytes: numbers(4) });
      serving.run({ timeout: 0 });
      const answer = [words.phase(k), asNumbers(words.part(k))[0]];
      serving.close();
      return String(answer) === 'REPLY,8' ? [] : [`the next call was answered by ${answer}`];
    }),
  ];
}

function singletonLeft({ area, operation }: Left): string[] {
  const words = singletonWords(area, KEY);
  const hosted = isHosted(operation);
  return bounded(() => {
    // What the other thread holds, made, or has lent, it lets go.
    for (let k = 0; k < words.rows; k++) {
      if (words.long(`row${k}.identity`) === other) words.plant({ [`row${k}.identity`]: 0n, [`row${k}.count`]: 0 });
    }
    if (hosted && words.long('actor') === other) words.plant({ actor: dead });
    const one = on('twin', () =>
      hosted
        ? singleton(KEY, { ...CELLS, create: () => ({ n: 1 }), methods: {}, area })
        : singleton(KEY, { bytes: BYTES, create: ({ u8 }) => u8.set([1]), area }),
    );
    one.reclaim();
    const wrong: string[] = [];
    const before = words.phase();
    if (before !== 'EMPTY' && before !== 'CONSTRUCTING') wrong.push(`it is ${before} after a reclaim`);
    const reference = one.acquire();
    const found = 'memory' in reference ? reference.memory.u8[0] : reference.instance?.n;
    if (found !== 1) wrong.push(`the instance is ${found}`);
    if (!reference.created) wrong.push('a dead thread’s instance was joined');
    reference.release();
    if (words.phase() !== 'EMPTY') wrong.push(`it is ${words.phase()} after the last release`);
    if (words.long('owner') !== 0n) wrong.push(`the lock is ${words.long('owner')}`);
    return wrong;
  });
}

test('dies there, and others proceed', async () => {
  expect(left.length).toBeGreaterThan(Object.keys(PLAYS).length);
  await worker.terminate();
  await until('the death is visible', () => !livesInProc(victim));
  const wrong: string[] = [];
  for (const state of left) {
    const found = onChannel(state.operation) ? channelLeft(state) : singletonLeft(state);
    for (const text of found) wrong.push(`${state.operation}, killed after step ${state.step}: ${text}`);
  }
  expect(wrong).toEqual([]);
});
