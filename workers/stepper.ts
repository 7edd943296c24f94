// A worker that stops inside operations of the JavaScript twin, at a chosen atomic operation: parked there until it is
// terminated (a dead thread), or cut there by a vm timeout (a thread that lives on), which leaves the same words. One operation
// after the other, as it is told, each on an area of its own. `Atomics` is replaced by one that counts before any copy of the
// library is loaded; the twin looks it up at each call.

import vm from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type * as core from '../src/core.js';

/** The operations that can be stopped; what each does is in `operations` below. */
export type Operation =
  | 'first register'
  | 'nested register'
  | 'permanent register'
  | 'named register'
  | 'register after a leftover'
  | 'register in a full table'
  | 'nested unregister'
  | 'last unregister'
  | 'reclaim'
  | 'key creation'
  | 'key creation after a dead creator';

export interface StepperData {
  readonly copies: { readonly a: string; readonly b: string };
  /** [1 when parked]; waited on for ever. */
  readonly gate: SharedArrayBuffer;
}

export interface StepperRequest {
  readonly operation: Operation;
  readonly memory: core.AreaValue;
  /** kill: parked once the step was done. cut: the vm times out before or after it, and a second copy looks. leave: after, and none does. */
  readonly mode: 'kill' | 'cut before' | 'cut after' | 'leave';
  /** Which atomic operation, from 1; 0 stops nowhere and counts. */
  readonly step: number;
  /** The vm's timeout for a cut, in ms. */
  readonly timeout: number;
}

export interface StepperResult {
  /** Atomic operations of the whole, where it was not stopped. */
  readonly steps: number;
  /** Whether the vm timed out where it should; false where it did so before, on a busy machine, or not at all. */
  readonly stopped: boolean;
  readonly identity: bigint;
  /** After a cut, what a second copy saw: see `secondCopy`. */
  readonly after?: SecondCopy;
}

/** What the second copy of the cut thread found, one registration after the other. */
export interface SecondCopy {
  /** Handles of the first copy that were live before the operation, and are still. */
  readonly live: number;
  /** Refcount while the second copy holds one registration more. */
  readonly refcount: number;
  readonly permanent: boolean;
  /** Slots whose owner is this thread, or minus this thread, while registered; and when all have unregistered. */
  readonly owned: number;
  readonly left: number;
  readonly leftRefcount: number;
  /** Error codes of: the handle whose unregister was cut, unregistering the live ones. */
  readonly again: string;
  readonly failures: readonly string[];
}

const { copies, gate } = workerData as StepperData;
const real = globalThis.Atomics;
const parked = new Int32Array(gate);

let armed: StepperRequest | undefined;
let reached = false;
let count = 0;

function at(position: 'before' | 'after'): void {
  if (armed === undefined) return;
  if (position === 'before') count++;
  const { mode, step } = armed;
  // What a killed thread has written is what counts, so there before the next step is the same as after this one.
  if (count !== step || position !== (mode === 'cut before' ? 'before' : 'after')) return;
  armed = undefined;
  reached = true;
  if (mode !== 'kill') for (;;); // until the vm times out
  real.store(parked, 0, 1);
  real.notify(parked, 0);
  for (;;) real.wait(parked, 0, 1);
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
globalThis.Atomics = stepping as unknown as Atomics;

const a = (await import(copies.a)) as typeof core;
const b = (await import(copies.b)) as typeof core;

// Known only after the first registration of this thread, in an area of its own so that nothing is disturbed here.
const scratch = a.createArea({ slots: 1, heapBytes: 0, blockBytes: 4096 });
const probe = a.register({ area: scratch });
const identity = real.load(a.viewsOf(scratch.buffer).i64, (scratch.geometry.slotOffset + a.SLOT.owner.offset) >>> 3);
probe.unregister();

// The thread lives on until the test ends it.
parentPort?.on('message', (request: StepperRequest) => parentPort?.postMessage(perform(request)));

function perform(request: StepperRequest): StepperResult {
  const { operation, memory, mode, timeout } = request;
  const area = a.openArea(memory);
  const areaOfB = b.openArea(memory);
  const views = a.viewsOf(memory);
  const { slotOffset, slotStride } = area.geometry;
  const ownerIndex = (slot: number): number => (slotOffset + slot * slotStride + a.SLOT.owner.offset) >>> 3;
  const word = (slot: number, name: 'refcount' | 'cpu_id'): number =>
    real.load(views.i32, (slotOffset + slot * slotStride + a.SLOT[name].offset) >>> 2);
  const handles: core.Registration[] = [];
  let victim: core.Registration | undefined;

  /** What to do before, and what is stopped. */
  const operations: Record<Operation, { before?(): void; run(): void }> = {
    'first register': { run: () => a.register({ area }) },
    'nested register': { before: hold, run: () => a.register({ area }) },
    'permanent register': { run: () => a.register({ area, permanent: true }) },
    'named register': { before: hold, run: () => a.register({ area, name: 'stepped' }) },
    'register after a leftover': {
      before() {
        // What a claim leaves that was cut behind its first CAS: busy, and a slot held as -identity.
        hold();
        handles.pop()?.unregister();
        anchorOf(area.id)[1] = 1;
        real.store(views.i64, ownerIndex(0), -identity);
      },
      run: () => a.register({ area }),
    },
    // The test has given every slot to a dead thread.
    'register in a full table': { run: () => a.register({ area }) },
    'nested unregister': { before: holdTwo, run: () => victim?.unregister() },
    'last unregister': { before: holdVictim, run: () => victim?.unregister() },
    // The test has planted slots of a dead thread.
    reclaim: { before: hold, run: () => area.reclaim() },
    'key creation': { before: hold, run: () => new a.Counter('stepped', { area }) },
    // The test has planted an unfinished entry of a dead thread.
    'key creation after a dead creator': { before: hold, run: () => new a.Counter('stepped', { area }) },
  };

  function hold(): void {
    handles.push(a.register({ area }));
  }
  function holdVictim(): void {
    victim = a.register({ area });
  }
  function holdTwo(): void {
    hold();
    holdVictim();
  }

  function owned(): number {
    let slots = 0;
    for (let slot = 0; slot < area.geometry.slotCapacity; slot++) {
      const owner = real.load(views.i64, ownerIndex(slot));
      if (owner === identity || owner === -identity) slots++;
    }
    return slots;
  }

  function secondCopy(): SecondCopy {
    const failures: string[] = [];
    const r = b.register({ area: areaOfB });
    if (operation.startsWith('key creation')) {
      const counter = new b.Counter('stepped', { area: areaOfB });
      counter.add(3);
      if (counter.own() !== 3n) failures.push(`counter holds ${counter.own()}`);
      counter.dispose();
    }
    const refcount = word(r.slot, 'refcount');
    const held = owned();
    if (word(r.slot, 'cpu_id') < 0) failures.push('registered, but cpu_id < 0');
    const again = victim === undefined ? 'none' : codeOf(() => victim?.unregister());
    r.unregister();
    for (const handle of handles) {
      const code = codeOf(() => handle.unregister());
      if (code !== 'ok') failures.push(`a live handle: ${code}`);
    }
    return {
      live: handles.length,
      refcount,
      permanent: r.permanent,
      owned: held,
      left: owned(),
      leftRefcount: word(r.slot, 'refcount'),
      again,
      failures,
    };
  }

  const chosen = operations[operation];
  chosen.before?.();
  (globalThis as { run?: () => void }).run = chosen.run;
  let stopped = false;
  count = 0;
  reached = false;
  armed = request;
  try {
    new vm.Script('run()').runInThisContext(mode === 'kill' ? {} : { timeout });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    stopped = reached;
  }
  armed = undefined;
  const looks = mode === 'cut before' || mode === 'cut after';
  return { steps: count, stopped, identity, ...(looks && { after: secondCopy() }) };
}

function anchorOf(areaId: number): Int32Array {
  const shelf = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array>;
  return shelf[Symbol.for(`${a.THREAD_KEY}.${areaId.toString(16).padStart(8, '0')}`)] as Int32Array;
}

function codeOf(run: () => void): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    return String((error as core.CoexistError).code);
  }
}
