// A thread that is cut, by a vm timeout, inside an operation on per-CPU data: before or after a chosen atomic operation of the
// JavaScript twin, or at a chosen injection point of the wasm. Each request has an area of its own, so one thread leaves behind every state
// that a cut can leave; when it is terminated in the end, they are the states that a death there leaves.

import vm from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import { type Index, PLAYS, type Play, type Stage } from './percpu-steps.js';

export interface StepperData {
  /** URLs: of a copy of the library, and of one with injection points. */
  readonly copy: string;
  readonly injected: string;
  readonly dead: bigint;
}

export interface StepRequest {
  readonly operation: string;
  readonly backend: 'wasm' | 'twin';
  readonly index: Index;
  readonly memory: core.AreaValue;
  /** Which atomic operation, or point, from 1; 0 stops nowhere and counts. */
  readonly step: number;
  readonly position: 'before' | 'after';
  /** The vm's timeout, in ms. */
  readonly timeout: number;
  /** Whether the thread goes on, and looks whether all is well. */
  readonly goOn: boolean;
}

export interface StepResult {
  readonly steps: number;
  /** Whether the vm timed out where it should. */
  readonly stopped: boolean;
  /** What the operation threw by itself. */
  readonly error: string;
  readonly self: bigint;
  /** What the thread found wrong after the cut. */
  readonly wrong: readonly string[];
}

const { copy, injected, dead } = workerData as StepperData;
const real = globalThis.Atomics;

let armed = false;
let reached = false;
let count = 0;
let request: StepRequest;
let time = 0;

function at(position: 'before' | 'after'): void {
  if (!armed) return;
  if (position === 'before') count++;
  if (count !== request.step || position !== request.position) return;
  armed = false;
  reached = true;
  for (;;); // until the vm times out
}

const stepping: Record<string, unknown> = {};
for (const [name, { value: inner }] of Object.entries(Object.getOwnPropertyDescriptors(real))) {
  if (typeof inner !== 'function') continue;
  stepping[name] = (...args: unknown[]) => {
    const counts = request?.backend === 'twin';
    if (counts) at('before');
    const result = inner(...args);
    if (counts) at('after');
    return result;
  };
}
// Nobody comes: time passes.
stepping['wait'] = (_array: Int32Array, _index: number, _value: number, ms: number): string => {
  time += ms + 1;
  return 'timed-out';
};
globalThis.Atomics = stepping as unknown as Atomics;

const load = async (url: string): Promise<typeof core> => {
  const lib = (await import(url)) as typeof core;
  lib.SPIN.lock = 0;
  lib.host.now = () => time;
  return lib;
};
const libs = { twin: await load(copy), wasm: await load(injected) };
libs.wasm.injection.at = () => {
  if (request.backend !== 'wasm') return;
  at('before');
  at('after');
};

function perform(next: StepRequest): StepResult {
  request = next;
  const lib = libs[next.backend];
  const stage: Stage = { lib, area: lib.openArea(next.memory), index: next.index, dead };
  const play = PLAYS[next.operation] as Play;
  (globalThis as { run?: () => unknown }).run = play.prepare(stage);
  count = 0;
  reached = false;
  armed = true;
  let cut = false;
  let error = '';
  try {
    new vm.Script('run()').runInThisContext(next.step === 0 ? {} : { timeout: next.timeout });
  } catch (thrown) {
    cut = (thrown as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    if (!cut) error = String(thrown);
  }
  armed = false;
  const stopped = cut && reached;
  const anchor = (process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array>)[
    Symbol.for(lib.THREAD_KEY)
  ] as Int32Array;
  const self = (BigInt(anchor[3] as number) << 32n) | BigInt((anchor[2] as number) >>> 0);
  const wrong = stopped && next.goOn ? looked(() => play.look(stage, false)) : [];
  return { steps: count, stopped, error, self, wrong };
}

function looked(look: () => string[]): string[] {
  try {
    return look();
  } catch (error) {
    return [String(error)];
  }
}

const port = parentPort;
if (port === null) throw new Error('percpu-stepper.js runs as a worker');
port.on('message', (next: StepRequest) => port.postMessage(perform(next)));
port.postMessage('ready');
