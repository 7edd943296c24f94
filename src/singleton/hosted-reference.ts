// One reference to a hosted instance: the object itself in the thread and copy that made it, calls everywhere.

import type { CoexistError } from '../abi/errors.js';
import type { Client } from '../call/client.js';
import type { CallContext } from '../call/context.js';
import type { CallOptions } from '../call/link.js';
import { dispose } from '../host/dispose.js';
import { gone, released } from './errors.js';
import { type Loan, lend, revoke } from './loans.js';
import type { Machine } from './machine.js';
import { generationOf } from './record.js';

/** What others can ask of an instance. */
export type HostedMethods<T> = Readonly<Record<string, (this: CallContext, instance: T, ...args: never[]) => unknown>>;

/** The methods as callers see them. */
export type Remote<M> = {
  readonly [K in keyof M]: M[K] extends (instance: never, ...args: infer A) => infer R ? (...args: A) => R : never;
};

type Arguments<F> = F extends (...args: infer A) => unknown ? A : never;
type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;

/** Calls of an instance's methods under their own limits; from `with()`. */
export interface HostedCalls<M> {
  callSync<K extends keyof M & string>(method: K, ...args: Arguments<Remote<M>[K]>): Result<M[K]>;
  call<K extends keyof M & string>(method: K, ...args: Arguments<Remote<M>[K]>): Promise<Result<M[K]>>;
}

/** What a reference is made of. */
export interface Holding<T, M> {
  readonly machine: Machine;
  readonly word: number;
  readonly created: boolean;
  readonly instance: T | undefined;
  client(): Client<Remote<M>>;
  released(): void;
}

/** One reference of this thread to an instance, which lives at least as long as its thread does. */
export class HostedReference<T, M> implements HostedCalls<M> {
  /** Whether the call that gave it constructed the instance. */
  readonly created: boolean;
  readonly #holding: Holding<T, M>;
  #held = true;

  /** @internal */
  constructor(holding: Holding<T, M>) {
    this.created = holding.created;
    this.#holding = holding;
  }

  /** Counts the instances of the key: another one is another generation. */
  get generation(): number {
    return generationOf(this.#holding.word);
  }

  get released(): boolean {
    return !this.#held;
  }

  /**
   * The instance, in the thread and copy that made it; undefined elsewhere.
   * @throws COEXIST_ENOTOWNER (released), COEXIST_EGONE
   */
  get instance(): T | undefined {
    this.#require();
    return this.#holding.instance;
  }

  /**
   * Runs a method of the instance in its thread, and blocks until its result is there.
   * @throws COEXIST_EGONE where the instance is gone, also with its thread during the call, which then may have run or not;
   * COEXIST_ENOTOWNER, and as `Client.callSync()`
   */
  callSync<K extends keyof M & string>(method: K, ...args: Arguments<Remote<M>[K]>): Result<M[K]> {
    return this.#callSync(undefined, method, args) as Result<M[K]>;
  }

  /** The same in the event loop. Release the reference only when the call has ended. @throws (rejects) as `callSync()` */
  call<K extends keyof M & string>(method: K, ...args: Arguments<Remote<M>[K]>): Promise<Result<M[K]>> {
    return this.#call(undefined, method, args) as Promise<Result<M[K]>>;
  }

  /** Calls bounded by these options. */
  with(options: CallOptions): HostedCalls<M> {
    return {
      callSync: (method, ...args) => this.#callSync(options, method, args) as never,
      call: (method, ...args) => this.#call(options, method, args) as never,
    };
  }

  /**
   * Takes one more reference for a thread that does not run yet; give the loan to its `workerData` and call `adopt()` there.
   * @throws COEXIST_EFULL, COEXIST_ENOTOWNER, COEXIST_EGONE
   */
  lend(): Loan {
    this.#require();
    return lend(this.#holding.machine, this.#holding.word);
  }

  /** Takes back what this thread has lent; false where it was adopted, or revoked, before. */
  revoke(loan: Loan): boolean {
    return revoke(this.#holding.machine, loan);
  }

  /**
   * Gives the reference back; behind the last one the thread that made the instance finalizes it: at once if it is this one, whose
   * finalizer's error passes on then.
   * @throws COEXIST_ENOTOWNER where it was released already; nothing changed
   */
  release(): void {
    const { machine, word } = this.#holding;
    if (!this.#held) throw released(machine.record, this.generation);
    this.#held = false;
    this.#holding.released();
    machine.release(word);
  }

  /** As `release()`, but does nothing the second time. */
  [dispose](): void {
    if (this.#held) this.release();
  }

  #callSync(options: CallOptions | undefined, method: string, args: readonly unknown[]): unknown {
    this.#require();
    try {
      return this.#client(options).callSync(method, ...(args as never[]));
    } catch (error) {
      throw this.#explained(error);
    }
  }

  async #call(options: CallOptions | undefined, method: string, args: readonly unknown[]): Promise<unknown> {
    this.#require();
    try {
      return await this.#client(options).call(method, ...(args as never[]));
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #client(options: CallOptions | undefined): Client {
    const client = this.#holding.client();
    return (options === undefined ? client : client.with(options)) as never;
  }

  // A channel that is over says so; where that is because the instance is, this names the instance.
  #explained(error: unknown): unknown {
    const { machine, word } = this.#holding;
    const over = (error as CoexistError | null)?.code === 'COEXIST_EGONE' && machine.lostCreator(word);
    return over ? gone(machine.record, generationOf(word), error) : error;
  }

  #require(): void {
    const { machine, word } = this.#holding;
    if (!this.#held) throw released(machine.record, this.generation);
    if (machine.isGone(word)) throw gone(machine.record, this.generation);
  }
}
