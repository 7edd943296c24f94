// Asynchronous calls in progress. Each is a wait that would sleep on the bell of this thread; here it is resumed whenever that was rung and
// its cell is the caller's again, every 50 ms, and when its time or its signal ends it. A timer keeps the event loop alive meanwhile.

import { CELL } from '../abi/call.js';
import { host } from '../host/host.js';
import { type Limits, onAbort, SLICE_MS, type Sleep, type Waiting } from '../sync/wait.js';
import type { Bells } from './bell.js';
import { abandon, type Call, complete } from './calls.js';
import { settled } from './cells.js';
import { cellWord } from './channel.js';

interface Pending {
  readonly call: Call;
  resume(timedOut: boolean): void;
  /** Ends it as if its signal had been aborted; its cell is given up. */
  fail(error: Error): void;
}

export class PendingCalls {
  readonly #bells: Bells;
  readonly #calls = new Set<Pending>();
  #unattend: (() => void) | undefined;
  #stopTicks: (() => void) | undefined;

  constructor(bells: Bells) {
    this.#bells = bells;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** The result of a call that was posted. */
  wait(call: Call, limits: Limits, timeout: number | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal } = limits;
      const waiting: Waiting<unknown> = complete(call, limits);
      const stopTimer =
        timeout === undefined ? undefined : host.after(Math.min(timeout, 2 ** 31 - 1), () => step(false));
      const abort = (): void => step(false);
      const end = (settle: () => void): void => {
        this.#remove(pending);
        stopTimer?.();
        stopAbort?.();
        settle();
      };
      const step = (timedOut: boolean): void => {
        try {
          const { done, value } = waiting.next(timedOut);
          if (done) end(() => resolve(value));
        } catch (error) {
          end(() => reject(error));
        }
      };
      const pending: Pending = {
        call,
        resume: step,
        fail: (error) => end(() => reject(error)),
      };
      const stopAbort = signal && onAbort(signal, abort);
      this.#add(pending);
      step(false);
    });
  }

  /** Ends all of them with this error. */
  end(error: () => Error): void {
    for (const pending of [...this.#calls]) {
      abandon(pending.call);
      pending.fail(error());
    }
    this.#unattend?.();
    this.#unattend = undefined;
  }

  #add(pending: Pending): void {
    this.#calls.add(pending);
    const poll = (): boolean => this.#poll();
    // Also while this thread blocks, perhaps for a cell that a call of its own holds whose reply is there.
    this.#unattend ??= this.#bells.attend(pending.call.slot, poll, poll);
    this.#stopTicks ??= host.every(SLICE_MS, () => {
      for (const each of [...this.#calls]) each.resume(true);
    });
  }

  // The bell is attended on: the next call needs it, and attending keeps nothing alive.
  #remove(pending: Pending): void {
    this.#calls.delete(pending);
    if (this.#calls.size > 0) return;
    this.#stopTicks?.();
    this.#stopTicks = undefined;
  }

  #poll(): boolean {
    for (const pending of this.#calls) {
      const { channel, cell, request } = pending.call;
      if (settled(Atomics.load(channel.i32, cellWord(cell, CELL.state)), request)) pending.resume(false);
    }
    return false;
  }
}

/** A wait that has yielded its first sleep already. */
export function* resumed<T>(first: Sleep, waiting: Waiting<T>): Waiting<T> {
  for (let sleep = first; ; ) {
    const step = waiting.next(yield sleep);
    if (step.done) return step.value;
    sleep = step.value;
  }
}
