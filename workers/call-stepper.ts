// A thread that is cut, by a vm timeout, inside an operation on a channel or a singleton, before or after a chosen atomic operation of
// the JavaScript twin. Each request has an area of its own, so one thread leaves behind every state that a cut can leave; when it is
// terminated in the end, they are the states that a death at that step leaves. Others are played by hand, at the sleeps.

import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';
import type { Run, Stage } from './call-steps.js';
import { at, type CutRequest, type CutResult, ownIdentity, runCut, steppingAtomics } from './cutting.js';
import { rawChannel } from './raw-call.js';
import { type Operation, PLAYS } from './singleton-steps.js';

export interface StepRequest extends CutRequest {
  readonly memory: core.AreaValue;
}

const { copy, dead, other } = workerData as { copy: string; dead: bigint; other: bigint };

let played = true;
let onSleep: Run['asleep'];
let time = 0;

const stepping = steppingAtomics(() => !played);
/** Runs what is no step of the operation. */
function playing<T>(step: () => T): T {
  const before = played;
  played = true;
  try {
    return step();
  } finally {
    played = before;
  }
}
// A sleep: whoever the thread waits for does its part, and time passes.
stepping['wait'] = (_array: Int32Array, _index: number, _value: number, ms: number): string => {
  if (!played) at('before');
  time += ms + 1;
  const woken = playing(() => onSleep?.());
  if (!played) at('after');
  return woken === true ? 'ok' : 'timed-out';
};
globalThis.Atomics = stepping as unknown as Atomics;

const lib = (await import(copy)) as typeof core;
// What the event loop would do later is not done: the thread dies before, or goes on at once.
Object.assign(lib.host, { now: () => time, soon() {}, later() {}, every: () => () => {} });
Object.assign(lib.SPIN, { lock: 0, event: 0 });

function stageOf({ memory }: StepRequest): Stage {
  const area = lib.openArea(memory);
  lib.register({ area, permanent: true });
  const [i32, i64] = [new Int32Array(area.buffer), new BigInt64Array(area.buffer)];
  const u8 = new Uint8Array(area.buffer);
  const entryOf = (kind: core.KindName): { at: number; number: number } => {
    const { directoryOffset } = area.geometry;
    for (let number = 0; ; number++) {
      const entry = directoryOffset + number * lib.ENTRY_BYTES;
      if (i32[(entry + lib.ENTRY.kind.offset) >>> 2] !== lib.KINDS[kind].number) continue;
      return { number, at: i32[(entry + lib.ENTRY.offset.offset) >>> 2] as number };
    }
  };
  return {
    lib,
    area,
    dead,
    other,
    i32,
    i64,
    entryOf,
    raw: (self) =>
      rawChannel({
        abi: lib,
        i32,
        i64,
        u8,
        at: entryOf('channel').at,
        self,
        slot: 3,
        isDead: (identity) => identity === dead,
        bellAt: () => area.geometry.heapOffset + area.geometry.heapSize - 64,
      }),
  };
}

function perform(request: StepRequest): CutResult {
  const stage = stageOf(request);
  const run: Run = playing(() => PLAYS[request.operation as Operation](stage));
  onSleep = run.asleep;
  played = false;
  const { steps, stopped, thrown } = runCut(run.run, request);
  played = true;
  const wrong = stopped && request.goOn ? looked(() => run.goOn()) : [];
  onSleep = undefined;
  const error = thrown === undefined ? '' : String((thrown as NodeJS.ErrnoException).code ?? thrown);
  return { steps, stopped, error, self: ownIdentity(lib.THREAD_KEY), wrong };
}

function looked(look: () => string[]): string[] {
  try {
    return look();
  } catch (error) {
    return [String(error)];
  }
}

const port = parentPort;
if (port === null) throw new Error('call-stepper.js runs as a worker');
port.on('message', (next: StepRequest) => port.postMessage(perform(next)));
port.postMessage('ready');
