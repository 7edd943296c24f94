// A call whose method runs: what its server knows of it, and, as `this`, what the method does. The signal is made when it is first asked for.

import { host } from '../host/host.js';
import { SLICE_MS } from '../sync/wait.js';
import { type Channel, callerIndex } from './channel.js';
import { callerGone } from './failures.js';
import { isDead, threadIdOf } from './opening.js';
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

/** What contexts need of their server. */
export interface ContextOwner {
  readonly channel: Channel;
  /** Somebody has asked for a signal: a caller that dies tells nobody. */
  watch(): void;
}

export class Context implements CallContext {
  readonly #owner: ContextOwner;
  readonly #k: number;
  readonly #taken: number;
  readonly #slot: number;
  #controller: AbortController | undefined;
  #over = false;

  constructor(owner: ContextOwner, k: number, taken: number, slot: number) {
    this.#owner = owner;
    this.#k = k;
    this.#taken = taken;
    this.#slot = slot;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (!this.#over) this.#owner.watch();
    }
    if (!this.#over) this.look();
    return this.#controller.signal;
  }

  get caller(): CallContext['caller'] {
    return { slot: this.#slot, threadId: threadIdOf(this.#owner.channel, this.#slot) };
  }

  /** Number of the cell, and its state word while the method runs. */
  static cellOf(context: Context): { readonly k: number; readonly taken: number } {
    return { k: context.#k, taken: context.#taken };
  }

  /** Whether somebody may still look at its signal. */
  static watched(context: Context | undefined): context is Context {
    return context !== undefined && context.#controller !== undefined && !context.#over;
  }

  /** Looks whether the caller has given up; with `deaths`, also whether it lives, which costs a look at /proc. */
  look(deaths = false): void {
    const { channel } = this.#owner;
    const caller = Atomics.load(channel.i64, callerIndex(channel.cells[this.#k] as CellView));
    if (caller < 0n || (deaths && isDead(channel, caller))) this.abort();
  }

  abort(): void {
    this.#controller?.abort(callerGone());
  }

  /** The call has ended: its cell may be another's. */
  end(): void {
    this.#over = true;
  }
}

/** Looks at those whose signal was asked for, every 50 ms, until none is left or it is stopped. */
export function watchContexts(contexts: readonly (Context | undefined)[], onEnd: () => void): () => void {
  const stop = host.every(SLICE_MS, () => {
    const watched = contexts.filter(Context.watched);
    for (const context of watched) context.look(true);
    if (watched.length > 0) return;
    stop();
    onEnd();
  });
  return stop;
}
