// A client as its user sees it (docs/ABI.md, clause 65): methods of whoever serves a name, called by blocking or in the event loop.

import { invalid } from '../abi/errors.js';
import { dispose } from '../host/dispose.js';
import { requireWaitOptions } from '../sync/wait.js';
import type { Area } from '../thread/area.js';
import { register } from '../thread/registration.js';
import { callerIndex, channelOf } from './channel.js';
import { type CallOptions, Link } from './link.js';
import { threadIdOf } from './opening.js';
import type { Methods, MethodsOf } from './server.js';

export interface ConnectOptions {
  /** ms, for each call; the default of `CallOptions.timeout`. */
  readonly timeout?: number | undefined;
  /** Left out: as many as the channel has, or 16; another number than it has is COEXIST_EKIND. */
  readonly cells?: number | undefined;
  /** Left out: as the channel has, or 8192. */
  readonly cellBytes?: number | undefined;
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

type Parameters_<F> = F extends (...args: infer A) => unknown ? A : never;
type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;

/** What is known of a channel, without any effect; JSON-able. */
export interface ChannelStatus {
  readonly served: boolean;
  readonly epoch: number;
  readonly server: { readonly slot: number; readonly threadId: number } | undefined;
  readonly methods: readonly string[];
  readonly cells: { readonly free: number; readonly total: number; readonly bytes: number };
}

/**
 * Connects this thread to whoever serves a name, now or later. Registers this thread; waits for nobody: a call does.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export function connect<M extends MethodsOf<M> = Methods>(name: string, options: ConnectOptions = {}): Client<M> {
  return connectTo<M>(name, undefined, options);
}

/** As `connect`, to one opening of the channel: once that is over, every call is COEXIST_EGONE. */
export function connectTo<M extends MethodsOf<M> = Methods>(
  name: string,
  epoch: number | undefined,
  options: ConnectOptions = {},
): Client<M> {
  if (typeof options !== 'object' || options === null) throw invalid('options', options, 'an object');
  const { timeout, holder, area } = options;
  requireWaitOptions({ timeout });
  const channel = channelOf(name, options);
  const link = new Link(channel, register({ name: holder, area }), epoch);
  return new Client<M>(link, timeout === undefined ? undefined : { timeout });
}

/**
 * Calls the methods of a server; from `connect()`.
 * @since 0.1.0
 */
export class Client<M extends MethodsOf<M> = Methods> {
  readonly name: string;
  readonly #link: Link;
  readonly #options: CallOptions | undefined;

  /** @internal Use `connect()`. */
  constructor(link: Link, options: CallOptions | undefined) {
    this.name = link.channel.name;
    this.#link = link;
    this.#options = options;
  }

  /**
   * Runs a method in the server's thread and blocks until its result is there; what this thread serves is served meanwhile.
   * @throws what the method threw, as an Error of its name; COEXIST_EGONE where the server is gone, also where that happens during the call,
   * which then may have run or not; COEXIST_ETIMEDOUT, COEXIST_EABORTED; COEXIST_EINVAL where there is no such method, or a value cannot be
   * cloned; COEXIST_EDEADLK where this thread serves it and cannot meanwhile
   */
  callSync<K extends keyof M & string>(method: K, ...args: Parameters_<M[K]>): Result<M[K]> {
    return this.#link.callSync(method, args, this.#options) as Result<M[K]>;
  }

  /**
   * The same in the event loop, which it keeps alive. Any number may be in progress; one that finds no free cell waits for one.
   * @throws (rejects) as `callSync`, but for COEXIST_EDEADLK
   */
  call<K extends keyof M & string>(method: K, ...args: Parameters_<M[K]>): Promise<Result<M[K]>> {
    return this.#link.call(method, args, this.#options) as Promise<Result<M[K]>>;
  }

  /** The same connection, its calls bounded by these options instead. @throws COEXIST_EINVAL */
  with(options: CallOptions): Client<M> {
    requireWaitOptions(options);
    const transfer: unknown = options?.transfer;
    if (transfer !== undefined && !Array.isArray(transfer)) {
      throw invalid('transfer', transfer, 'an array of ArrayBuffers');
    }
    return new Client<M>(this.#link, { ...this.#options, ...options });
  }

  /** Who serves, what, and how many cells are free. No effects. */
  status(): ChannelStatus {
    const { channel } = this.#link;
    const served = this.#link.find();
    const free = channel.cells.filter((cell) => Atomics.load(channel.i64, callerIndex(cell)) === 0n).length;
    return {
      served: served !== undefined,
      epoch: served?.epoch ?? 0,
      server: served && { slot: served.slot, threadId: threadIdOf(channel, served.slot) },
      methods: served === undefined ? [] : [...served.methods.keys()],
      cells: { free, total: channel.cells.length, bytes: channel.cellBytes },
    };
  }

  /** Ends the connection, also of those made by `with()`; asynchronous calls in progress fail with COEXIST_EGONE. */
  close(): void {
    this.#link.close();
  }

  [dispose](): void {
    this.close();
  }
}
