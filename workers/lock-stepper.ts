// A thread that is cut, by a vm timeout, inside an operation on a lock, before or after a chosen atomic operation of the JavaScript
// twin. Each request has a memory of its own, so one thread leaves behind every state that a cut can leave; when it is
// terminated in the end, they are the states that a death at that step leaves. Others are played by hand, at the sleeps.

import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import { at, type CutResult, ownIdentity, runCut, steppingAtomics } from './cutting.js';
import type { Stage } from './lock-goes-on.js';
import { LAYOUT, PERMITS } from './lock-plan.js';
import { type Operation, PLAYS, type Run, type StepRequest } from './lock-steps.js';

const { copy, dead } = workerData as { copy: string; dead: bigint };
const real = globalThis.Atomics;

let onSleep: (() => void) | undefined;
let time = 0;

const stepping = steppingAtomics();
// A sleep: whoever the thread waits for does its part, or time passes.
stepping['wait'] = (_array: Int32Array, _index: number, _value: number, ms: number): string => {
  at('before');
  time += ms;
  const outcome = onSleep === undefined ? 'timed-out' : 'ok';
  onSleep?.();
  onSleep = undefined;
  at('after');
  return outcome;
};
globalThis.Atomics = stepping as unknown as Atomics;

const lib = (await import(copy)) as typeof core;
lib.SPIN.lock = 0;
lib.SPIN.event = 0;
lib.host.now = () => time;

function stageOf({ memory, other, operation }: StepRequest): Stage {
  const views = { i32: new Int32Array(memory), i64: new BigInt64Array(memory) };
  const holders = operation.endsWith('in the row of a dead reader') ? { holders: 1 } : undefined;
  return {
    lib,
    other,
    dead,
    mutex: lib.Mutex.at(memory, LAYOUT.mutex),
    condvar: lib.Condvar.at(memory, LAYOUT.condvar),
    once: lib.Once.at(memory, LAYOUT.once),
    rwlock: lib.RwLock.at(memory, LAYOUT.rwlock, holders),
    semaphore: lib.Semaphore.at(memory, LAYOUT.semaphore, { permits: PERMITS }),
    barrier: lib.Barrier.at(memory, LAYOUT.barrier, { parties: 2 }),
    load: (offset) => real.load(views.i32, offset >>> 2),
    store: (offset, value) => void real.store(views.i32, offset >>> 2, value),
    long: (offset) => real.load(views.i64, offset >>> 3),
    storeLong: (offset, value) => void real.store(views.i64, offset >>> 3, value),
  };
}

async function perform(request: StepRequest): Promise<CutResult> {
  const play = PLAYS[request.operation as Operation];
  const run: Run = await play(stageOf(request));
  onSleep = run.asleep;
  const { steps, stopped, thrown } = runCut(run.run, request);
  onSleep = undefined;
  const self = ownIdentity(lib.THREAD_KEY);
  const wrong = stopped && request.goOn ? run.goOn(self) : [];
  const error = thrown === undefined ? '' : String((thrown as NodeJS.ErrnoException).code);
  return { steps, stopped, error, self, wrong };
}

const port = parentPort;
if (port === null) throw new Error('lock-stepper.js runs as a worker');
port.on('message', async (next: StepRequest) => port.postMessage(await perform(next)));
port.postMessage('ready');
