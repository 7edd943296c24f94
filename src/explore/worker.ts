// An explored thread. Replaces Atomics before anything else is loaded, loads the program, and then takes part in searches: each one
// runs in a single synchronous call, in which the threads hand the turn to each other.

import { parentPort, workerData } from 'node:worker_threads';
import { steppingAssembler } from './assembler.js';
import { createAtomics, NOWHERE, pause, type Realm } from './atomics.js';
import { createChoices, UNWOUND } from './choices.js';
import { createConductor } from './conductor.js';
import { createConflicts } from './conflicts.js';
import * as K from './control.js';
import { type FromWorker, type Prepare, plain, type Run, type ToWorker, type WorkerData } from './messages.js';
import { LIVENESS, OPERATION_NAMES } from './operations.js';
import { loadProgram, type Program } from './program.js';
import { createScheduler } from './scheduler.js';
import { createSearch } from './search.js';
import { createTurns } from './turns.js';
import type { ExploreContext } from './types.js';
import { createVirtual, GHOST, type Virtual } from './virtual.js';

const { index, program: shipped, data } = workerData as WorkerData;
const atomics = globalThis.Atomics;
const now = Date.now;
const post = (message: FromWorker): void => parentPort?.postMessage(message);

const realm: Realm = { control: undefined, scheduler: undefined, buffer: undefined, stepping: false, trace: undefined };
globalThis.Atomics = createAtomics(realm, atomics, () => {
  throw new core.CoexistError('COEXIST_EUNSUPPORTED', 'Atomics.waitAsync cannot be explored', {
    found: 'an asynchronous wait',
    expected: 'synchronous code',
    remedy: 'Explore the synchronous form of the same protocol.',
  });
});

let core: typeof import('../core.js');
let program: Program;
let virtual: Virtual;
let memory: ExploreContext['memory'] | undefined;
let control: K.Control | undefined;
let context: ExploreContext | undefined;
let search: (run: Run) => void = () => {};

async function load(): Promise<void> {
  core = await import('../core.js');
  const assembler = steppingAssembler(realm, atomics, core.host.decodeBase64);
  virtual = createVirtual(() => control, index, killed, assembler);
  virtual.instrument(core);
  program = await loadProgram(shipped, data);
  if (index === 0) {
    memory = new SharedArrayBuffer(shipped.bytes);
    context = contextOn(memory, program.threads.length);
    memory = ((await program.setup?.(context)) as typeof memory) ?? memory;
  }
  post({ type: 'loaded', threads: program.threads.length, memory });
}

function contextOn(memory: ExploreContext['memory'], threads: number): ExploreContext {
  const buffer = 'buffer' in memory ? memory.buffer : memory;
  const bytes = buffer.byteLength;
  return {
    index,
    threads,
    memory,
    buffer,
    i32: new Int32Array(buffer, 0, bytes >>> 2),
    u32: new Uint32Array(buffer, 0, bytes >>> 2),
    i64: new BigInt64Array(buffer, 0, bytes >>> 3),
    u8: new Uint8Array(buffer),
    data,
    state: undefined,
    choose: (count) => realm.scheduler?.choose(count) ?? 0,
    elapsed: () => control?.f[K.F_CLOCK] ?? 0,
    killed: (thread) => killed(thread),
    pause: () => {
      if (realm.stepping) pause(realm);
    },
    ghost: GHOST,
    log: (...values) => line(`T${index}  ${values.map(String).join(' ')}`),
    instrument: (copy) => virtual.instrument(copy),
  };
}

function line(text: string): void {
  if (control === undefined || control.c[K.TRACING] === 0) return;
  post({ type: 'line', order: control.c[K.LINES]!++, text });
}

/** As an operation of its own where stepped: a thread that was seen alive may be killed afterwards. */
function killed(thread: number): boolean {
  if (control === undefined) return false;
  const { c } = control;
  if (realm.stepping && thread !== index) realm.scheduler?.point(LIVENESS, NOWHERE, 0);
  const dead = c[K.STATE + thread] === K.KILLED;
  if (realm.stepping && thread !== index) {
    if (!dead) c[K.DIRTY + thread] = 1;
    line(`T${index}  looks at T${thread} -> ${dead ? 'dead' : 'alive'}`);
  }
  return dead;
}

async function prepare({ control: shared, stackSize, marks, memory: given }: Prepare): Promise<void> {
  memory ??= given;
  const own = K.controlOf(shared, stackSize);
  const { c } = own;
  control = own;
  realm.control = own;
  const made = contextOn(memory, c[K.THREADS] as number);
  realm.buffer = made.buffer;
  (made as { state: unknown }).state = await program.prepare?.(made);
  context = made;
  const { u8 } = made;

  search = ({ snapshot }) => {
    const initial = new Uint8Array(snapshot);
    realm.trace =
      c[K.TRACING] === 0
        ? undefined
        : (operation, address, text) =>
            line(`T${index}  ${OPERATION_NAMES[operation]} ${named(address)} ${text}`.trimEnd());
    engine(own, made, marks, () => u8.set(initial)).run(index === 0);
  };
  post({ type: 'prepared' });
}

const nameOf = (address: number): string | undefined =>
  context === undefined ? undefined : program.nameOf(address, context);
const named = (address: number): string =>
  address === NOWHERE ? '' : (nameOf(address) ?? `@${address.toString(16).padStart(4, '0')}`);

function engine(
  control: K.Control,
  context: ExploreContext,
  marks: SharedArrayBuffer,
  restore: () => void,
): ReturnType<typeof createConductor> {
  const { c } = control;
  const turns = createTurns(control, index, atomics);
  const search = createSearch(control, atomics, now);
  const conflicts = createConflicts(control, marks, context.buffer.byteLength);
  const choices = createChoices(control, index, search, {
    event: (text) => line(`    ${text}`),
    failed: (kind, error) => post({ type: 'failed', kind, error: plain(error) }),
  });
  const { after, invariant, reset } = program;
  const thread = program.threads[index] as (context: ExploreContext) => unknown;

  // Also called inside an operation, by the last thread when it is killed: whatever it does while it is unwound must step.
  function ended(): void {
    const { stepping } = realm;
    realm.stepping = false;
    try {
      if (!search.settled()) {
        choices.record('nondeterminism', new Error('the schedule ended before all of its decisions were met again'));
      } else if (after?.(context) === false) {
        choices.record('after', new Error('the check at the end of the schedule returned false'));
      }
    } catch (error) {
      choices.record('after', error);
    }
    c[K.PHASE] = K.UNWIND;
    realm.stepping = stepping;
  }

  function check(): void {
    realm.stepping = false;
    try {
      if (invariant?.(context) === false) choices.record('invariant', new Error('the invariant returned false'));
    } catch (error) {
      choices.record('invariant', error);
    }
    realm.stepping = true;
    if (c[K.PHASE] !== K.RUN) throw UNWOUND;
  }

  const scheduler = createScheduler({
    control,
    self: index,
    search,
    choices,
    turns,
    conflicts,
    invariant: invariant === undefined ? undefined : check,
    observed: (address) => program.observed?.(address, context) ?? true,
    ended,
  });
  realm.scheduler = scheduler;

  function enter(): void {
    scheduler.enter();
    virtual.reseed();
    try {
      reset?.(context);
      realm.stepping = true;
      const result = thread(context);
      realm.stepping = false;
      if (typeof (result as { then?: unknown } | undefined)?.then === 'function') {
        throw new TypeError('an explored thread returned a promise; only synchronous code can be explored');
      }
    } catch (error) {
      realm.stepping = false;
      if (error !== UNWOUND) choices.record('exception', error);
    }
    c[K.INSIDE + index] = 0;
    if (c[K.PHASE] === K.RUN) c[K.STATE + index] = K.ENDED;
  }

  return createConductor({ control, self: index, search, choices, turns, conflicts, restore, enter, ended });
}

function guarded(step: () => void | Promise<void>): void {
  const refuse = (error: unknown): void => post({ type: 'refused', error: plain(error) });
  try {
    Promise.resolve(step()).catch(refuse);
  } catch (error) {
    refuse(error);
  }
}

parentPort?.on('message', (message: ToWorker) => {
  guarded(() => {
    if (message.type === 'prepare') return prepare(message);
    search(message);
    post({ type: 'done' });
    return undefined;
  });
});
guarded(load);
