// A thread that is cut, by a vm timeout, inside an operation on a lock, before or after a chosen atomic operation of the JavaScript
// twin. Each request has a memory of its own, so one thread leaves behind every state that a cut can leave; when it is
// terminated in the end, they are the states that a death at that step leaves. Others are played by hand, at the sleeps.

import vm from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import type { Stage } from './lock-goes-on.js';
import { LAYOUT, PERMITS } from './lock-plan.js';
import { type Operation, PLAYS, type Run, type StepRequest, type StepResult } from './lock-steps.js';

const { copy, dead } = workerData as { copy: string; dead: bigint };
const real = globalThis.Atomics;

let armed = false;
let reached = false;
let count = 0;
let request: StepRequest;
let onSleep: (() => void) | undefined;
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
    at('before');
    const result = inner(...args);
    at('after');
    return result;
  };
}
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

async function perform(next: StepRequest): Promise<StepResult> {
  request = next;
  const stage = stageOf(request);
  const play = PLAYS[request.operation as Operation];
  const run: Run = await play(stage);
  onSleep = run.asleep;
  count = 0;
  reached = false;
  armed = true;
  (globalThis as { run?: () => void }).run = run.run;
  let cut = false;
  let error = '';
  try {
    new vm.Script('run()').runInThisContext(request.step === 0 ? {} : { timeout: request.timeout });
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    cut = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    if (!cut) error = String(code);
  }
  armed = false;
  onSleep = undefined;
  const stopped = cut && reached;
  const anchor = (process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array>)[
    Symbol.for(lib.THREAD_KEY)
  ] as Int32Array;
  const self = (BigInt(anchor[3] as number) << 32n) | BigInt((anchor[2] as number) >>> 0);
  const wrong = stopped && request.goOn ? run.goOn(self) : [];
  return { steps: count, stopped, error, self, wrong };
}

const port = parentPort;
if (port === null) throw new Error('lock-stepper.js runs as a worker');
port.on('message', async (next: StepRequest) => port.postMessage(await perform(next)));
port.postMessage('ready');
