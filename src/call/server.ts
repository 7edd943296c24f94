// A server as its user sees it (docs/ABI.md, clause 63): opened under a name, it takes requests whenever the bell of its thread was rung:
// in the event loop, while its thread blocks in a call of its own, and in `run()`.

import { BELL_ASLEEP, CHANNEL } from '../abi/call.js';
import { invalid } from '../abi/errors.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import { Spinner } from '../sync/spin.js';
import { block, Limits, requireWaitOptions, type Waiting, type WaitOptions } from '../sync/wait.js';
import type { Area } from '../thread/area.js';
import { type Registration, register } from '../thread/registration.js';
import { type Looking, serveOthers, servingMeanwhile } from './bell.js';
import { Beside } from './beside.js';
import { type Channel, channelOf, channelWord } from './channel.js';
import type { CallContext } from './context.js';
import { closeChannel, encodeNames, openChannel } from './opening.js';
import { type Method, Service } from './service.js';

/** What a server runs. Arguments and results pass as structured clones; `this` says who calls. */
export type Methods = Readonly<Record<string, (this: CallContext, ...args: never[]) => unknown>>;

/** The same of an interface, which has no index signature. */
export type MethodsOf<M> = { readonly [K in keyof M]: (this: CallContext, ...args: never[]) => unknown };

export interface ServeOptions {
  /** How many calls can be in progress at a time, 1 to 32. Left out: as many as the channel has, or 16. */
  readonly cells?: number | undefined;
  /** Bytes of a cell, a multiple of 64, at least 128; what is longer goes in parts. Left out: as the channel has, or 8192. */
  readonly cellBytes?: number | undefined;
  /** Whether methods also run while this thread blocks in a call of its own. Default true. */
  readonly nested?: boolean | undefined;
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

/** ms that a server looks for more before it lets its event loop turn. */
const TURN_MS = 2;
/** Most calls between two looks at the clock. */
const CLOCK_EVERY = 256;
const NEVER_MS = 2 ** 31 - 1;

/**
 * Serves these methods under a name, in this thread, until it is closed or the thread ends. Registers this thread and, like a listening
 * socket, keeps it alive.
 * @throws COEXIST_EEXIST where a living thread serves the name; COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and
 * as `register()`
 * @since 0.1.0
 */
export function serve(name: string, methods: Methods, options: ServeOptions = {}): Server {
  if (typeof options !== 'object' || options === null) throw invalid('options', options, 'an object');
  const { nested = true, holder, area } = options;
  if (typeof nested !== 'boolean') throw invalid('nested', nested, 'true or false');
  const entries = methodsIn(methods);
  const bytes = encodeNames(entries.map(([key]) => key));
  const channel = channelOf(name, options);
  const registration = register({ name: holder, area });
  const beside = new Beside(channel.bells.core.id);
  try {
    const epoch = openChannel(channel, registration.slot, beside.port, bytes);
    return new Server({ channel, registration, beside, epoch, entries, nested });
  } catch (error) {
    beside.close();
    registration[dispose]();
    throw error;
  }
}

/** What a server is made of. */
interface Opened {
  readonly channel: Channel;
  readonly registration: Registration;
  readonly beside: Beside;
  readonly epoch: number;
  readonly entries: readonly (readonly [string, Method])[];
  readonly nested: boolean;
}

/**
 * An open server; from `serve()`.
 * @since 0.1.0
 */
export class Server {
  readonly name: string;
  readonly methods: readonly string[];
  /** Number of this opening: what was asked of an earlier one is never answered by this. */
  readonly epoch: number;
  readonly #channel: Channel;
  readonly #service: Service;
  readonly #registration: Registration;
  readonly #beside: Beside;
  readonly #spinner = new Spinner('event');
  readonly #looking: Looking;
  readonly #unattend: () => void;
  #release: (() => void) | undefined;
  #open = true;

  /** @internal Use `serve()`. */
  constructor({ channel, registration, beside, epoch, entries, nested }: Opened) {
    const { steps, bells } = channel;
    this.name = channel.name;
    this.methods = entries.map(([key]) => key);
    this.epoch = epoch;
    this.#channel = channel;
    this.#registration = registration;
    this.#beside = beside;
    const service = new Service(
      channel,
      epoch,
      beside,
      this.methods,
      entries.map(([, method]) => method),
    );
    this.#service = service;
    const looking = { spin: (at: number, _: number, times: number): number => steps.spin_ready(at, times) };
    this.#looking = servingMeanwhile(looking, { nested, served: () => service.served });
    const whileBlocked = (): void => {
      if (service.serve()) service.sweepSoon();
    };
    this.#unattend = bells.attend(registration.slot, () => this.#poll(), nested ? whileBlocked : undefined);
    this.ref();
  }

  /**
   * Serves by blocking this thread, until its time is over, its signal was aborted, or a method has closed the server; how many calls it
   * has begun. With a timeout of 0 it serves what is there now. Methods that return promises are answered once the event loop turns.
   * @throws COEXIST_EINVAL
   */
  run(options?: WaitOptions): number {
    const before = this.#service.served;
    requireWaitOptions(options);
    if (options?.signal?.aborted) return 0;
    this.#service.sweepSoon();
    block(this.#running(new Limits(options, false)), this.#channel.i32);
    return this.#service.served - before;
  }

  /** Keeps the thread alive while it is open, which is the default. */
  ref(): this {
    if (this.#open) this.#release ??= host.every(NEVER_MS, () => {});
    return this;
  }

  /** Lets the thread end although it is open. */
  unref(): this {
    this.#release?.();
    this.#release = undefined;
    return this;
  }

  /** Ends it: calls in progress fail with COEXIST_EGONE. Does nothing the second time. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#unattend();
    this.unref();
    this.#service.end();
    closeChannel(this.#channel, this.epoch);
    this.#beside.close();
    this.#registration[dispose]();
  }

  [dispose](): void {
    this.close();
  }

  // In the event loop. One that has served looks for more, so that a caller in a loop meets it awake; but it lets the loop turn where
  // somebody's promise waits for that, and after a while in any case.
  #poll(): boolean {
    const service = this.#service;
    service.sweep();
    if (!service.serve()) return false;
    let last = host.now();
    const end = last + TURN_MS;
    for (let every = 1, left = 1; this.#open && service.promised === 0; ) {
      if (!this.#spinner.look(this.#looking, this.#channel.at, 0)) return false;
      service.serve();
      if (--left > 0) continue;
      const now = host.now();
      if (now >= end) return true;
      every = now - last < TURN_MS / 8 ? Math.min(2 * every, CLOCK_EVERY) : 1;
      last = now;
      left = every;
    }
    return false;
  }

  *#running(limits: Limits): Waiting<void> {
    const { i32, bells } = this.#channel;
    const service = this.#service;
    const own = bells.of(this.#registration.slot) >>> 2;
    const ready = channelWord(this.#channel, CHANNEL.ready);
    for (let left = CLOCK_EVERY; this.#open; ) {
      if (service.serve()) {
        if (--left > 0) continue;
        left = CLOCK_EVERY;
        if (limits.over(this.name) !== undefined) return;
      }
      if (this.#spinner.look(this.#looking, this.#channel.at, 0)) continue;
      Atomics.store(i32, own, BELL_ASLEEP);
      serveOthers();
      if (Atomics.load(i32, ready) !== 0) continue;
      if (!this.#open || limits.over(this.name) !== undefined) return;
      yield { index: own, value: BELL_ASLEEP, ms: limits.slice() };
    }
  }
}

function methodsIn(methods: Methods): (readonly [string, Method])[] {
  if (typeof methods !== 'object' || methods === null) throw invalid('methods', methods, 'an object of functions');
  const entries = Object.entries(methods);
  const odd = entries.find(([, method]) => typeof method !== 'function');
  if (odd !== undefined) throw invalid(`method ${odd[0]}`, odd[1], 'a function');
  return entries as unknown as (readonly [string, Method])[];
}
