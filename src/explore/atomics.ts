// The stepping Atomics: every operation on the explored memory is a decision point, then the real operation. Waits and
// notifications are the scheduler's own. Operations on any other memory, and outside the explored functions, are the real ones.

import type { Control } from './control.js';
import { COMPARE_EXCHANGE, LOAD, NOTIFY, OPERATION_NAMES, PAUSE, STORE, WAIT } from './operations.js';
import { QUEUED, READ, type Scheduler, WRITTEN } from './scheduler.js';
import { showWord } from './virtual.js';

type View = Int32Array | BigInt64Array;
type Value = number | bigint;

/** What the explored code's realm is at. */
export interface Realm {
  /** Undefined before the memory is known, as are the next two. */
  control: Control | undefined;
  scheduler: Scheduler | undefined;
  buffer: SharedArrayBuffer | undefined;
  /** Whether operations are stepped now. */
  stepping: boolean;
  /** Where a trace is wanted: a line for an operation that was done. */
  trace: ((operation: number, address: number, text: string) => void) | undefined;
}

/** Waits on another memory than the explored one are sleeps at an address that nobody notifies. */
export const NOWHERE = -1;

/** `unsupported` throws for what cannot be stepped. */
export function createAtomics(realm: Realm, real: Atomics, unsupported: () => never): Atomics {
  const native = real as unknown as Record<string, (...args: unknown[]) => unknown>;

  const addressOf = (view: View, index: number): number =>
    view.buffer === realm.buffer ? view.byteOffset + (index >>> 0) * view.BYTES_PER_ELEMENT : NOWHERE;

  function step(operation: number): (view: View, index: number, a?: Value, b?: Value) => unknown {
    const name = OPERATION_NAMES[operation] as string;
    const inner = native[name] as (view: View, index: number, a?: Value, b?: Value) => Value;
    const args = operation === LOAD ? 0 : operation === COMPARE_EXCHANGE ? 2 : 1;
    const call = (view: View, index: number, a?: Value, b?: Value): Value =>
      args === 0 ? inner(view, index) : args === 1 ? inner(view, index, a) : inner(view, index, a, b);
    return (view, index, a, b) => {
      if (!realm.stepping) return call(view, index, a, b);
      const address = addressOf(view, index);
      if (address === NOWHERE) return call(view, index, a, b);
      const bytes = view.BYTES_PER_ELEMENT;
      const scheduler = realm.scheduler as Scheduler;
      scheduler.point(operation, address, bytes);
      const value = call(view, index, a, b);
      const wrote = operation !== LOAD && (operation !== COMPARE_EXCHANGE || equal(value, a as Value, bytes));
      realm.trace?.(operation, address, operands(operation, value, a, b));
      scheduler.done(address, bytes, wrote ? WRITTEN : READ);
      return value;
    };
  }

  function wait(
    view: View,
    index: number,
    value: Value,
    timeout = Number.POSITIVE_INFINITY,
  ): 'ok' | 'not-equal' | 'timed-out' {
    // The real one throws for what cannot be waited on.
    if (!realm.stepping || !isWaitable(view, index)) return real.wait(view as never, index, value as never, timeout);
    const address = addressOf(view, index);
    const scheduler = realm.scheduler as Scheduler;
    return waitAt(realm, scheduler, address, view.BYTES_PER_ELEMENT, timeout, value, () =>
      real.load(view as never, index) === value ? undefined : String(real.load(view as never, index)),
    );
  }

  function notify(view: View, index: number, count = Number.POSITIVE_INFINITY): number {
    const address = addressOf(view, index);
    if (!realm.stepping || address === NOWHERE) return real.notify(view as never, index, count);
    return notifyAt(realm, address, view.BYTES_PER_ELEMENT, count);
  }

  const stepping: Record<string, unknown> = {
    isLockFree: native['isLockFree'],
    wait,
    notify,
    waitAsync: unsupported,
  };
  for (let operation = LOAD; operation <= COMPARE_EXCHANGE; operation++) {
    stepping[OPERATION_NAMES[operation] as string] = step(operation);
  }
  if (typeof native['pause'] === 'function') stepping['pause'] = (n?: number) => pauseIn(realm, native, n);
  Object.defineProperty(stepping, Symbol.toStringTag, { value: 'Atomics' });
  return stepping as unknown as Atomics;
}

function isWaitable(view: View, index: number): boolean {
  const wide = view instanceof Int32Array || view instanceof BigInt64Array;
  return wide && view.buffer instanceof SharedArrayBuffer && index >= 0 && index < view.length;
}

// As the element type sees it: -1 and 2 ** 32 - 1 are the same 32 bits.
function equal(a: Value, b: Value, bytes: number): boolean {
  if (a === b) return true;
  if (typeof a === 'bigint') return BigInt.asUintN(64, a) === BigInt.asUintN(64, b as bigint);
  return ((a ^ (b as number)) & (bytes < 4 ? 2 ** (8 * bytes) - 1 : -1)) === 0;
}

function pauseIn(realm: Realm, native: Record<string, (...args: unknown[]) => unknown>, n: number | undefined): void {
  if (realm.stepping) pause(realm);
  else native['pause']?.(...(n === undefined ? [] : [n]));
}

/** The thread says that it can do nothing useful now. */
export function pause(realm: Realm): void {
  realm.scheduler?.point(PAUSE, NOWHERE, 0);
  realm.trace?.(PAUSE, NOWHERE, '');
}

/** `differs` tells the value where it is not the expected one. */
export function waitAt(
  realm: Realm,
  scheduler: Scheduler,
  address: number,
  bytes: number,
  timeout: number,
  expected: number | bigint,
  differs: () => string | undefined,
): 'ok' | 'not-equal' | 'timed-out' {
  scheduler.point(WAIT, address, bytes);
  const found = differs();
  const ms = Number.isNaN(timeout) ? Number.POSITIVE_INFINITY : timeout;
  if (found !== undefined || ms <= 0) {
    realm.trace?.(WAIT, address, `${expected} -> ${found === undefined ? 'timed-out' : `not-equal, it is ${found}`}`);
    if (address !== NOWHERE) scheduler.done(address, bytes, QUEUED);
    return found === undefined ? 'timed-out' : 'not-equal';
  }
  realm.trace?.(WAIT, address, `${expected} blocks${ms === Number.POSITIVE_INFINITY ? '' : ` for at most ${ms} ms`}`);
  if (address !== NOWHERE) scheduler.done(address, bytes, QUEUED);
  const notified = scheduler.block(address, ms);
  realm.trace?.(WAIT, address, notified ? '-> ok' : '-> timed-out');
  return notified ? 'ok' : 'timed-out';
}

export function notifyAt(realm: Realm, address: number, bytes: number, count: number): number {
  const scheduler = realm.scheduler as Scheduler;
  scheduler.point(NOTIFY, address, bytes);
  const woken = scheduler.wake(address, count);
  realm.trace?.(NOTIFY, address, `-> ${woken} woken`);
  scheduler.done(address, bytes, woken > 0 ? WRITTEN : QUEUED);
  return woken;
}

/** An operation's values as a trace shows them. */
export function operands(operation: number, value: unknown, a: unknown, b: unknown): string {
  if (operation === LOAD) return `-> ${showWord(value)}`;
  if (operation === STORE) return `= ${showWord(a)}`;
  if (operation !== COMPARE_EXCHANGE) return `${showWord(a)} (was ${showWord(value)})`;
  const change = `${showWord(a)} => ${showWord(b)}`;
  return value === a ? change : `${change} fails, it is ${showWord(value)}`;
}
