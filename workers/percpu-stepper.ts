// A thread that is cut, by a vm timeout, inside an operation on per-CPU data: before or after a chosen atomic operation of the
// JavaScript twin, or at a chosen injection point of the wasm. Each request has an area of its own, so one thread leaves behind every state
// that a cut can leave; when it is terminated in the end, they are the states that a death there leaves.

import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import { at, type CutRequest, type CutResult, ownIdentity, runCut, steppingAtomics } from './cutting.js';
import { type Index, PLAYS, type Play, type Stage } from './percpu-steps.js';

export interface StepperData {
  /** URLs: of a copy of the library, and of one with injection points. */
  readonly copy: string;
  readonly injected: string;
  readonly dead: bigint;
}

export interface StepRequest extends CutRequest {
  readonly backend: 'wasm' | 'twin';
  readonly index: Index;
  readonly memory: core.AreaValue;
}

const { copy, injected, dead } = workerData as StepperData;

let request: StepRequest;
let time = 0;

const stepping = steppingAtomics(() => request?.backend === 'twin');
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

function perform(next: StepRequest): CutResult {
  request = next;
  const lib = libs[next.backend];
  const stage: Stage = { lib, area: lib.openArea(next.memory), index: next.index, dead };
  const play = PLAYS[next.operation] as Play;
  const { steps, stopped, thrown } = runCut(play.prepare(stage), next);
  const self = ownIdentity(lib.THREAD_KEY);
  const wrong = stopped && next.goOn ? looked(() => play.look(stage, false)) : [];
  return { steps, stopped, error: thrown === undefined ? '' : String(thrown), self, wrong };
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
