// explore(): starts the explored threads, lets them search, watches over them, and collects the result. The threads hand the turn
// to each other; this thread only starts them, looks at the counters now and then, and ends them.

import { CoexistError } from '../core.js';
import { conflictBytes } from './conflicts.js';
import * as K from './control.js';
import { Fleet } from './fleet.js';
import { type Plan, planOf } from './options.js';
import { decodeSchedule, encodeSchedule } from './schedule.js';
import type { ExploreFailure, ExploreOptions, ExploreResult } from './types.js';

const WATCH_MS = 100;
/** For loading the program, preparing it, and stopping a search. */
const LOAD_MS = 60_000;

interface Session {
  readonly fleet: Fleet;
  readonly control: K.Control;
  readonly snapshot: SharedArrayBuffer;
}

/**
 * Runs a program of 2 to 8 threads under every schedule up to a bound of preemptions, and reports the first one that fails: an
 * uncaught exception, a broken invariant, a failed check at the end, a deadlock, a livelock, or a hang. The threads are real
 * worker threads; one runs at a time, and control changes hands only before an operation of `Atomics`, or an atomic
 * instruction of this library's wasm, on the explored memory. Memory is sequentially consistent. The source of the idea:
 * CHESS (Musuvathi and Qadeer, 2007), PCT (Burckhardt et al., 2010), loom, shuttle.
 * @throws (rejects) COEXIST_EINVAL for bad options, COEXIST_EABORTED, or what the program threw before any schedule ran
 * @since 0.1.0
 */
export async function explore(options: ExploreOptions): Promise<ExploreResult> {
  const plan = planOf(options);
  const started = performance.now();
  const session = await start(plan, options, plan.replay);
  try {
    const outcome = await search(session, plan, options);
    const result = resultOf(session.control, performance.now() - started);
    if (plan.replay !== undefined) return { ...result, failure: outcome, trace: session.fleet.lines() };
    if (outcome === undefined) return result;
    return { ...result, failure: outcome, trace: await traceOf(session, outcome, plan, options) };
  } finally {
    await session.fleet.end();
  }
}

async function start(plan: Plan, options: ExploreOptions, replay: string | undefined): Promise<Session> {
  const { signal } = options;
  if (signal?.aborted) throw aborted(signal);
  const fleet = new Fleet(plan.program, options);
  try {
    return await before(
      LOAD_MS,
      signal,
      (async () => {
        const { memory, threads } = await fleet.load(plan.threads);
        const buffer = 'buffer' in memory ? memory.buffer : memory;
        const control = K.controlOf(new SharedArrayBuffer(K.controlBytes(plan.stackSize)), plan.stackSize);
        for (const [word, value] of plan.words) control.c[word] = value;
        control.c[K.THREADS] = threads;
        if (replay !== undefined) askReplay(control, replay);
        await fleet.prepare({
          type: 'prepare',
          control: control.memory,
          stackSize: plan.stackSize,
          marks: new SharedArrayBuffer(conflictBytes(buffer.byteLength)),
          memory,
        });
        const snapshot = new SharedArrayBuffer(buffer.byteLength);
        new Uint8Array(snapshot).set(new Uint8Array(buffer));
        return { fleet, control, snapshot };
      })(),
    );
  } catch (error) {
    await fleet.end();
    throw error;
  }
}

function askReplay(control: K.Control, schedule: string): void {
  control.c[K.MODE] = K.REPLAY;
  control.c[K.TRACING] = 1;
  control.c[K.LINES] = 0;
  decodeSchedule(schedule, control);
}

/** Runs the search to its end; undefined where nothing failed. */
async function search(session: Session, plan: Plan, options: ExploreOptions): Promise<ExploreFailure | undefined> {
  const { fleet, control, snapshot } = session;
  const { c, f } = control;
  c[K.FAILURE] = 0;
  f[K.F_MAX_SCHEDULES] = plan.schedules;
  f[K.F_UNTIL] = Date.now() + plan.ms;
  const hung = watch(session, plan, options);
  try {
    await Promise.race([fleet.run(snapshot), hung.happens]);
  } finally {
    hung.end();
  }
  if (options.signal?.aborted) throw aborted(options.signal);
  const schedule = encodeSchedule(control);
  if (hung.silent()) {
    const error = new Error(`no operation for ${plan.hangMs} ms: a loop without atomic operations?`);
    return { kind: 'hang', thread: c[K.CURRENT] as number, error, schedule };
  }
  if (c[K.FAILURE] === 0) return undefined;
  const { kind, error } = fleet.failed ?? {
    kind: K.FAILURES[c[K.FAILURE] as number] as K.FailureKind,
    error: new Error(),
  };
  return { kind, thread: c[K.FAILED_THREAD] as number, error, schedule };
}

interface Watch {
  /** Resolves where the search must be given up: nothing moves, or a signal came and it does not stop. */
  readonly happens: Promise<void>;
  silent(): boolean;
  end(): void;
}

function watch({ control: { c, f } }: Session, plan: Plan, { signal, onProgress }: ExploreOptions): Watch {
  let giveUp = (): void => {};
  const happens = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  let silent = false;
  let last = '';
  // Counted in looks, not in time: a process that was stopped for a while has not hung.
  const every = Math.min(WATCH_MS, plan.hangMs);
  let still = 0;
  const interval = setInterval(() => {
    const schedules = f[K.F_ALL_SCHEDULES] as number;
    const seen = `${schedules} ${f[K.F_PRUNED]} ${c[K.TICK]} ${c[K.PHASE]}`;
    if (seen !== last) {
      last = seen;
      still = 0;
    } else if (++still * every >= plan.hangMs && c[K.PHASE] !== K.DONE) {
      silent = true;
      giveUp();
    }
    const preemptions = c[K.MODE] === K.RANDOM ? undefined : (c[K.LEVEL] as number);
    onProgress?.({ schedules, operations: f[K.F_ALL_OPERATIONS] as number, preemptions });
  }, every);
  const stop = (): void => {
    Atomics.store(c, K.STOP, 1);
    giveUp();
  };
  signal?.addEventListener('abort', stop, { once: true });
  return {
    happens,
    silent: () => silent,
    end() {
      clearInterval(interval);
      signal?.removeEventListener('abort', stop);
    },
  };
}

/** Runs the failed schedule once more, writing down every operation. */
async function traceOf(
  session: Session,
  outcome: ExploreFailure,
  plan: Plan,
  options: ExploreOptions,
): Promise<string[]> {
  const again = outcome.kind === 'hang' ? await start(plan, options, outcome.schedule) : session;
  try {
    if (again === session) askReplay(session.control, outcome.schedule);
    else await session.fleet.end();
    const { onProgress: _, ...quiet } = options;
    const repeated = await search(again, plan, quiet);
    const lines = again.fleet.lines();
    if (repeated?.kind === outcome.kind) return lines;
    const instead = repeated === undefined ? 'passed' : `ended with ${repeated.kind}: ${repeated.error.message}`;
    return [...lines, `    when run again, this schedule ${instead}: the explored code is not deterministic`];
  } finally {
    if (again !== session) await again.fleet.end();
  }
}

function resultOf({ c, f }: K.Control, ms: number): ExploreResult {
  return {
    failure: undefined,
    trace: [],
    schedules: f[K.F_SCHEDULES] as number,
    operations: f[K.F_OPERATIONS] as number,
    points: f[K.F_POINTS] as number,
    pruned: f[K.F_PRUNED] as number,
    allSchedules: f[K.F_ALL_SCHEDULES] as number,
    allOperations: f[K.F_ALL_OPERATIONS] as number,
    wasmOperations: f[K.F_WASM_OPERATIONS] as number,
    restarts: f[K.F_RESTARTS] as number,
    preemptions: c[K.LEVEL] as number,
    exhausted: c[K.EXHAUSTED] === 1,
    complete: c[K.COMPLETE] === 1,
    seed: (c[K.SEED] as number) >>> 0,
    ms,
  };
}

/** @throws (rejects) COEXIST_ETIMEDOUT, COEXIST_EABORTED */
async function before<T>(ms: number, signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  const cleanups: (() => void)[] = [];
  const end = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(late(ms)), ms);
    const abort = (): void => reject(aborted(signal as AbortSignal));
    signal?.addEventListener('abort', abort, { once: true });
    cleanups.push(
      () => clearTimeout(timer),
      () => signal?.removeEventListener('abort', abort),
    );
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    work.catch(() => {});
    for (const cleanup of cleanups) cleanup();
  }
}

function late(ms: number): CoexistError {
  return new CoexistError('COEXIST_ETIMEDOUT', `the explored program was not ready within ${ms} ms`, {
    found: 'a setup or prepare that has not ended',
    expected: 'it to end',
    remedy: 'Do less in setup and prepare.',
  });
}

function aborted(signal: AbortSignal): CoexistError {
  return new CoexistError('COEXIST_EABORTED', 'explore() was aborted', {
    remedy: 'Nothing is left behind; call it again.',
    cause: signal.reason,
  });
}
