// What a method knows of its call: `this` while it runs. The signal is made when it is first asked for.

import { type Channel, callerIndex } from './channel.js';
import { callerGone } from './failures.js';
import { threadIdOf } from './opening.js';
import type { CellView } from './payload.js';

/** `this` of a method. */
export interface CallContext {
  /**
   * Aborted when the caller has given up or died, or the server was closed. A method that does not let the event loop turn asks
   * `this.signal.aborted` anew each time.
   */
  readonly signal: AbortSignal;
  readonly caller: { readonly slot: number; readonly threadId: number };
}

export class Context implements CallContext {
  readonly #channel: Channel;
  readonly #k: number;
  readonly #slot: number;
  readonly #watch: () => void;
  #controller: AbortController | undefined;
  #over = false;

  constructor(channel: Channel, k: number, slot: number, watch: () => void) {
    this.#channel = channel;
    this.#k = k;
    this.#slot = slot;
    this.#watch = watch;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (!this.#over) this.#watch();
    }
    if (!this.#over) this.look();
    return this.#controller.signal;
  }

  get caller(): CallContext['caller'] {
    return { slot: this.#slot, threadId: threadIdOf(this.#channel, this.#slot) };
  }

  /** Whether anybody has asked for the signal. */
  get asked(): boolean {
    return this.#controller !== undefined;
  }

  /** Looks whether the caller has given up. */
  look(): void {
    const cell = this.#channel.cells[this.#k] as CellView;
    if (Atomics.load(this.#channel.i64, callerIndex(cell)) < 0n) this.abort(callerGone());
  }

  abort(reason: unknown): void {
    this.#controller?.abort(reason);
  }

  /** The call has ended: its cell may be another's. */
  end(): void {
    this.#over = true;
  }
}
