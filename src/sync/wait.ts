// Waiting on a futex word, with a deadline and a signal, blocking or not. What waits is written once, as a generator that
// yields each sleep: `block` runs it with Atomics.wait, `suspend` with Atomics.waitAsync. Every sleep is short, so that a
// waiter finds out by itself about a dead owner, and about a wake-up that died with the thread it had woken.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { host } from '../host/host.js';

/** Longest sleep between two looks, in ms. */
export const SLICE_MS = 50;

export interface WaitOptions {
  /** ms; 0 tries once. Without it the wait has no end but the signal's. */
  readonly timeout?: number | undefined;
  /** Ends the wait. A blocking wait sees only what was aborted before it, since its event loop stands still. */
  readonly signal?: AbortSignal | undefined;
}

/** Sleep while the word is this value, for so many ms at most; `index` counts 32-bit words. */
export interface Sleep {
  readonly index: number;
  readonly value: number;
  readonly ms: number;
}

/** What a wait is written as: it yields sleeps, and is told of each whether it lasted as long as it could. */
export type Waiting<T> = Generator<Sleep, T, boolean>;

/** @throws COEXIST_EINVAL */
export function requireWaitOptions(options: WaitOptions | null | undefined): void {
  // A bare number would be a wait without end.
  if (options !== undefined && typeof options !== 'object') {
    throw invalid('options', options, 'an object', 'Write a time as { timeout: 50 }.');
  }
  const { timeout, signal } = options ?? {};
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0)) {
    throw invalid('timeout', timeout, 'a number of ms, 0 or more', 'Leave it out to wait without end.');
  }
  if (signal !== undefined && typeof signal?.aborted !== 'boolean') throw invalid('signal', signal, 'an AbortSignal');
}

/** When a wait must end, and why. */
export class Limits {
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;
  readonly #timeout: number | undefined;
  /** Whether the wait turns the event loop. */
  readonly async: boolean;

  /** @throws COEXIST_EINVAL, COEXIST_EABORTED where the signal is aborted already */
  constructor(options: WaitOptions | undefined, async: boolean) {
    requireWaitOptions(options);
    const { timeout, signal } = options ?? {};
    if (signal?.aborted) throw aborted(signal);
    this.#timeout = timeout;
    this.#signal = signal;
    this.#deadline = timeout === undefined ? Number.POSITIVE_INFINITY : host.now() + timeout;
    this.async = async;
  }

  get signal(): AbortSignal | undefined {
    return this.#signal;
  }

  /** The error that ends the wait now; undefined while it may go on. `remedy`: where more than time may have passed. */
  over(what: string, remedy?: string): CoexistError | undefined {
    if (this.#signal?.aborted) return aborted(this.#signal, remedy);
    if (this.#timeout === undefined || host.now() < this.#deadline) return undefined;
    return new CoexistError('COEXIST_ETIMEDOUT', `${what} was not to be had within ${this.#timeout} ms`, {
      found: this.#timeout,
      expected: 'to have it in time',
      remedy: remedy ?? 'Nothing has changed by it: try again, or wait longer.',
    });
  }

  /** How long the next sleep may be, in ms. */
  slice(): number {
    if (this.#timeout === undefined) return SLICE_MS;
    return Math.max(0, Math.min(SLICE_MS, this.#deadline - host.now()));
  }
}

/** Runs a wait by blocking this thread. */
export function block<T>(waiting: Waiting<T>, i32: Int32Array<SharedArrayBuffer>): T {
  let timedOut = false;
  for (;;) {
    const step = waiting.next(timedOut);
    if (step.done) return step.value;
    const { index, value, ms } = step.value;
    try {
      timedOut = Atomics.wait(i32, index, value, ms) === 'timed-out';
    } catch (error) {
      // The host lets nobody block here, as a browser's main thread: the wait has to clean up behind itself.
      waiting.return(undefined as never);
      throw new CoexistError('COEXIST_EUNSUPPORTED', 'this thread may not block', {
        found: (error as Error).message,
        expected: 'a thread in which Atomics.wait works',
        remedy: 'Use the asynchronous form.',
        cause: error,
      });
    }
  }
}

/** Runs a wait without blocking; keeps the event loop alive as long as it lasts. The signal cuts a sleep short. */
export async function suspend<T>(
  waiting: Waiting<T>,
  i32: Int32Array<SharedArrayBuffer>,
  signal: AbortSignal | undefined,
): Promise<T> {
  let timedOut = false;
  for (;;) {
    const step = waiting.next(timedOut);
    if (step.done) return step.value;
    timedOut = await sleepAsync(i32, step.value, signal);
  }
}

// Atomics.waitAsync does not keep the event loop alive, nor can it be cancelled: a timer does the one, and a wake-up that
// reaches a sleep nobody waits for any more is handed on.
function sleepAsync(
  i32: Int32Array<SharedArrayBuffer>,
  { index, value, ms }: Sleep,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const outcome = Atomics.waitAsync(i32, index, value, ms);
  if (!outcome.async) return Promise.resolve(outcome.value === 'timed-out');
  return new Promise((resolve) => {
    let awake = false;
    const wake = (timedOut: boolean): void => {
      awake = true;
      stop();
      stopAbort?.();
      resolve(timedOut);
    };
    const abort = (): void => wake(false);
    const stop = host.after(ms, () => wake(true));
    const stopAbort = signal && onAbort(signal, abort);
    outcome.value.then((result) => {
      if (!awake) wake(result === 'timed-out');
      else if (result === 'ok') Atomics.notify(i32, index, 1);
    });
  });
}

const aborts = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when the signal is aborted, until the returned function is called. However many wait for one signal, it has one listener: Node
 * warns of a leak where there are more than ten.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  let listeners = aborts.get(signal);
  if (listeners === undefined) {
    const all = new Set<() => void>();
    signal.addEventListener('abort', () => {
      for (const each of [...all]) each();
    });
    aborts.set(signal, all);
    listeners = all;
  }
  const all = listeners;
  // Of its own: one function may be given twice.
  const own = (): void => listener();
  all.add(own);
  return () => all.delete(own);
}

function aborted(signal: AbortSignal, remedy = 'Nothing has changed by the wait.'): CoexistError {
  return new CoexistError(
    'COEXIST_EABORTED',
    `the wait was aborted: ${show(signal.reason?.message ?? signal.reason)}`,
    {
      found: signal.reason,
      expected: 'a signal that is not aborted',
      remedy,
      cause: signal.reason,
    },
  );
}
