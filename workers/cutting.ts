// How a thread is cut inside an operation by a vm timeout: it stands still before or after a chosen step, which is an atomic operation
// of its `Atomics`, or whatever else is announced by `at()`, until the time is up. What steps there are is counted on the way.

import vm from 'node:vm';

export interface CutRequest {
  readonly operation: string;
  /** Which step, from 1; 0 stops nowhere and counts. */
  readonly step: number;
  readonly position: 'before' | 'after';
  /** The vm's timeout, in ms. */
  readonly timeout: number;
  /** Whether the thread goes on after the cut, and looks whether all is well. */
  readonly goOn: boolean;
}

export interface CutResult {
  readonly steps: number;
  /** Whether the vm timed out where it should. */
  readonly stopped: boolean;
  /** What the operation threw by itself. */
  readonly error: string;
  readonly self: bigint;
  /** What the thread found wrong, or could not do, after the cut. */
  readonly wrong: readonly string[];
}

let chosen: Pick<CutRequest, 'step' | 'position'> | undefined;
let reached = false;
let count = 0;

/** A step is about to be made, or has been. */
export function at(position: 'before' | 'after'): void {
  if (chosen === undefined) return;
  if (position === 'before') count++;
  if (count !== chosen.step || position !== chosen.position) return;
  chosen = undefined;
  reached = true;
  for (;;); // until the vm times out
}

/** `Atomics` whose operations are steps while `counts()` says so. */
export function steppingAtomics(counts: () => boolean = () => true): Record<string, unknown> {
  const stepping: Record<string, unknown> = {};
  for (const [name, { value: inner }] of Object.entries(Object.getOwnPropertyDescriptors(globalThis.Atomics))) {
    if (typeof inner !== 'function') continue;
    stepping[name] = (...args: unknown[]) => {
      const counted = counts();
      if (counted) at('before');
      const result = inner(...args);
      if (counted) at('after');
      return result;
    };
  }
  return stepping;
}

/** Runs the operation and cuts it where the request says; `thrown` is what it threw by itself. */
export function runCut(
  run: () => unknown,
  request: CutRequest,
): Pick<CutResult, 'steps' | 'stopped'> & { thrown: unknown } {
  (globalThis as { run?: () => unknown }).run = run;
  count = 0;
  reached = false;
  chosen = request;
  let timedOut = false;
  let thrown: unknown;
  try {
    new vm.Script('run()').runInThisContext(request.step === 0 ? {} : { timeout: request.timeout });
  } catch (error) {
    timedOut = (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    if (!timedOut) thrown = error;
  }
  chosen = undefined;
  return { steps: count, stopped: timedOut && reached, thrown };
}

/** This thread's identity, as its anchor holds it. */
export function ownIdentity(threadKey: string): bigint {
  const shelf = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, Int32Array>;
  const anchor = shelf[Symbol.for(threadKey)] as Int32Array;
  return (BigInt(anchor[3] as number) << 32n) | BigInt((anchor[2] as number) >>> 0);
}
