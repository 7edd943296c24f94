// Runs workers/stepper.ts: operations up to one step, each on a private area of its own.

import { Worker } from 'node:worker_threads';
import { type Area, createArea } from 'coexist';
import { ENTRY, HEADER, SLOT, viewsOf, word } from 'coexist/abi';
import type { Operation, StepperData, StepperRequest, StepperResult } from '../../workers/stepper.js';
import { until } from './actor.js';
import { memoryOf } from './backends.js';
import { copyUrl } from './copies.js';

export const SLOTS = 4;
const PARKED_MS = 20_000;
/** Of the vm, in ms; on a busy machine it may time out before the step is reached. */
const TIMEOUTS = [10, 40, 160, 640, 2560];

type Mode = StepperRequest['mode'];

export interface Cut {
  readonly area: Area;
  readonly result: StepperResult;
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

/** A thread that performs operations up to a step, until it is parked in one. */
export function startStepper() {
  const gate = new SharedArrayBuffer(4);
  let thread = startThread(gate);
  const perform = (request: StepperRequest): Promise<StepperResult> => {
    const { worker, broken } = thread;
    const answer = new Promise<StepperResult>((resolve) => worker.once('message', resolve));
    worker.postMessage(request);
    return Promise.race([broken, answer]);
  };

  return {
    /** How many steps it has, run through. */
    async stepsOf(operation: Operation, dead: bigint): Promise<number> {
      const memory = memoryOf(areaFor(operation, dead));
      return (await perform({ operation, memory, mode: 'kill', step: 0, timeout: 0 })).steps;
    },

    /** Cuts it at this step, in an area of its own; with more time where a busy machine was too slow to get there. */
    async cut(operation: Operation, mode: Exclude<Mode, 'kill'>, step: number, dead: bigint): Promise<Cut> {
      for (const timeout of TIMEOUTS) {
        const area = areaFor(operation, dead);
        const result = await perform({ operation, memory: memoryOf(area), mode, step, timeout });
        if (result.stopped) return { area, result };
        // Cut anywhere, and perhaps where the library was making something that it keeps: another thread goes on.
        await thread.worker.terminate();
        thread = startThread(gate);
      }
      throw new Error(`${operation} was not stopped, ${mode} step ${step}`);
    },

    /** Parks it behind this step. It sleeps there: a thread that threw instead would unwind, as no killed one does. */
    async park(operation: Operation, step: number, dead: bigint): Promise<Area> {
      const area = areaFor(operation, dead);
      const word = new Int32Array(gate);
      const parked = Promise.resolve(Atomics.waitAsync(word, 0, 0, PARKED_MS).value).then((outcome) => {
        if (outcome === 'timed-out') throw new Error(`${operation}: neither parked nor done within ${PARKED_MS} ms`);
      });
      const answer = perform({ operation, memory: memoryOf(area), mode: 'kill', step, timeout: 0 });
      if ((await Promise.race([answer, parked])) !== undefined) throw new Error(`${operation} has no step ${step}`);
      // Whoever wakes it finds it asleep again.
      await until(`${operation}: asleep at step ${step}`, () => Atomics.notify(word, 0) > 0);
      return area;
    },

    terminate: (): Promise<number> => thread.worker.terminate(),
  };
}

function startThread(gate: SharedArrayBuffer) {
  const workerData: StepperData = { copies: { a: copyUrl('a', 'core.js'), b: copyUrl('b', 'core.js') }, gate };
  const worker = new Worker(new URL('../../build/workers/stepper.js', import.meta.url), {
    workerData,
    env: { ...process.env, COEXIST_NO_WASM: '1' },
  });
  const broken = new Promise<never>((_, reject) => worker.once('error', reject));
  broken.catch(() => {});
  return { worker, broken };
}
