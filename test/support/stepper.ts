// Runs workers/stepper.ts at one step, on a private area of its own.

import { Worker } from 'node:worker_threads';
import { type Area, createArea } from 'coexist';
import { ENTRY, HEADER, SLOT, viewsOf, word } from 'coexist/abi';
import type { Operation, StepperData, StepperResult } from '../../workers/stepper.js';
import { until } from './actor.js';
import { copyUrl } from './copies.js';

export const SLOTS = 4;
const PARKED_MS = 20_000;

export interface Stopped {
  readonly worker: Worker;
  readonly area: Area;
  /** Undefined where the thread is parked. */
  readonly result: StepperResult | undefined;
}

/** Identity of a thread that is dead: a worker's that has ended. */
export async function deadIdentity(): Promise<bigint> {
  const area = createArea({ slots: 1, heapBytes: 0, blockBytes: 4096 });
  const worker = new Worker(
    `import(${JSON.stringify(copyUrl('a', 'core.js'))}).then((coexist) => {
      coexist.register({ area: coexist.openArea(require('node:worker_threads').workerData) });
    })`,
    { eval: true, workerData: area.memory ?? area.buffer },
  );
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  const identity = Atomics.load(viewsOf(area.buffer).i64, (area.geometry.slotOffset + SLOT.owner.offset) >>> 3);
  if (identity <= 0n) throw new Error('the worker did not register');
  return identity;
}

/** A private area in the state that the operation starts from. */
export function areaFor(operation: Operation, dead: bigint): Area {
  const area = createArea({ slots: SLOTS, heapBytes: 0, blockBytes: 4096 });
  const { i32, i64, u32 } = viewsOf(area.buffer);
  const give = (slot: number, owner: bigint): void => {
    const at = area.geometry.slotOffset + slot * area.geometry.slotStride;
    Atomics.store(i64, (at + SLOT.owner.offset) >>> 3, owner);
    Atomics.store(u32, word(HEADER.slot_high_water), Math.max(slot + 1, u32[word(HEADER.slot_high_water)] as number));
  };
  if (operation === 'register in a full table') {
    for (let slot = 0; slot < SLOTS; slot++) give(slot, slot % 2 === 0 ? dead : -dead);
  } else if (operation === 'reclaim') {
    give(SLOTS - 1, dead);
    give(SLOTS - 2, -dead);
  } else if (operation === 'key creation after a dead creator') {
    const at = area.geometry.directoryOffset;
    Atomics.store(i64, (at + ENTRY.creator.offset) >>> 3, dead);
    Atomics.store(i32, (at + ENTRY.state.offset) >>> 2, 1);
  }
  return area;
}

/** Runs the operation in a worker and stops it; `step` 0 lets it run through. */
export async function stopAt(
  operation: Operation,
  mode: StepperData['mode'],
  step: number,
  area: Area,
  timeout = 10,
): Promise<Stopped> {
  const gate = new SharedArrayBuffer(4);
  const workerData: StepperData = {
    copies: { a: copyUrl('a', 'core.js'), b: copyUrl('b', 'core.js') },
    operation,
    memory: area.memory ?? area.buffer,
    mode,
    step,
    timeout,
    gate,
  };
  const worker = new Worker(new URL('../../build/workers/stepper.js', import.meta.url), {
    workerData,
    env: { ...process.env, COEXIST_NO_WASM: '1' },
  });
  const word = new Int32Array(gate);
  const parked = Atomics.waitAsync(word, 0, 0, PARKED_MS);
  const result = await Promise.race([
    new Promise<StepperResult>((resolve, reject) => worker.once('message', resolve).once('error', reject)),
    Promise.resolve(parked.value).then((outcome) => {
      if (outcome === 'timed-out') throw new Error(`${operation}: neither parked nor done within ${PARKED_MS} ms`);
      return undefined;
    }),
  ]);
  // It sleeps there, and whoever wakes it finds it asleep again. A thread that threw instead would unwind, as no killed one does.
  if (result === undefined) await until(`${operation}: asleep at step ${step}`, () => Atomics.notify(word, 0) > 0);
  return { worker, area, result };
}
