// How long one request may take: its time, its signal, and the loader's own end. What it waited for goes on without it.

import { host } from '../host/host.js';
import { onAbort } from '../sync/wait.js';
import { givenUp, late } from './endings.js';
import type { Ending } from './thread-state.js';

export class RequestLimit {
  readonly #timeout: number;
  readonly #deadline: number;
  readonly #controller = new AbortController();
  readonly #over: Promise<false>;
  readonly #stops: (() => void)[] = [];
  #ended = false;
  #why: { readonly reason: unknown } | undefined;

  constructor(timeout: number, signals: readonly (AbortSignal | undefined)[]) {
    this.#timeout = timeout;
    this.#deadline = host.now() + timeout;
    this.#over = new Promise((resolve) => {
      const end = (): void => {
        // A timer may be a little early by the clock.
        this.#ended = true;
        this.#controller.abort(this.#why?.reason);
        resolve(false);
      };
      this.#stops.push(host.after(timeout, end));
      for (const signal of signals) {
        if (signal === undefined) continue;
        const abort = (): void => {
          if (this.#ended) return;
          this.#why = { reason: signal.reason };
          end();
        };
        if (signal.aborted) abort();
        else this.#stops.push(onAbort(signal, abort));
      }
    });
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  isOver(): boolean {
    return this.#ended || host.now() >= this.#deadline;
  }

  /** Whether a signal has ended it, not its time. */
  wasAborted(): boolean {
    return this.#why !== undefined;
  }

  /** By the thread's clock, in ms. */
  get until(): number {
    return this.#deadline;
  }

  /** ms. */
  left(): number {
    return Math.max(0, this.#deadline - host.now());
  }

  /** Whether the promise, which does not reject, settled in time. */
  async within(promise: Promise<unknown>): Promise<boolean> {
    await Promise.race([promise, this.#over]);
    return !this.isOver();
  }

  /** What the request ends with once it is over. */
  ending(module: string, doing: string): Ending {
    this.#controller.abort(this.#why?.reason);
    return this.#why === undefined ? late(module, doing, this.#timeout) : givenUp(module, doing, this.#why.reason);
  }

  /** Forgets timer and signals. */
  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
