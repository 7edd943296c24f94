// A connection to a channel from one thread and copy: what its clients share. The blocking call's fast path is here: claim a cell, write
// the arguments, post, look until the reply is there, read, free.

import { CELL, CHANNEL, PHASE_MASK, PHASE_REPLY } from '../abi/call.js';
import { show } from '../abi/errors.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import { Spinner } from '../sync/spin.js';
import { block, Limits, suspend, type Waiting, type WaitOptions } from '../sync/wait.js';
import type { Registration } from '../thread/registration.js';
import { CLAIM_NONE, CLAIM_OVER } from '../wasm/call.js';
import { type Looking, serveOthers, servingMeanwhile } from './bell.js';
import { Beside } from './beside.js';
import { type Call, complete, type Port, post, requestIn } from './calls.js';
import { claimCell, leaveCell, settled } from './cells.js';
import { type Channel, channelWord, serverIndex } from './channel.js';
import { closed, gone, notCloned, unknownMethod } from './failures.js';
import { findServed, methodOf, type Served } from './opening.js';
import { type CellView, type Rest, readList, writeList } from './payload.js';
import { PendingCalls, resumed } from './pending.js';
import { checkTransfer, detach } from './transfer.js';

export interface CallOptions extends WaitOptions {
  /** Copied with the arguments, then detached here. */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
}

const STATE = CELL.state.offset >>> 2;
const ENCODING = CELL.encoding.offset >>> 2;
const LENGTH = CELL.length.offset >>> 2;
const TOTAL = CELL.total.offset >>> 2;

export class Link {
  readonly channel: Channel;
  /** The only epoch it calls in; undefined: whichever there is. */
  readonly #pinned: number | undefined;
  readonly #registration: Registration;
  readonly #slot: number;
  readonly #port: Port;
  readonly #spinner = new Spinner('event');
  readonly #looking: Looking;
  readonly #pending: PendingCalls;
  /** Cells of blocking calls in progress, the innermost last. What a cut has left here is given up when the event loop turns. */
  readonly #blocking: number[] = [];
  /** State words of the requests in the cells. */
  readonly #requests: Int32Array;
  #sweeping = false;
  #served: Served | undefined;
  #hint = 0;
  #open = true;

  constructor(channel: Channel, registration: Registration, pinned: number | undefined) {
    this.channel = channel;
    this.#registration = registration;
    this.#slot = registration.slot;
    this.#pinned = pinned;
    this.#requests = new Int32Array(channel.cells.length);
    this.#looking = servingMeanwhile(channel.steps);
    this.#port = { beside: new Beside(channel.bells.core.id), number: 0 };
    this.#pending = new PendingCalls(channel.bells);
  }

  // hot: four wasm calls and plain accesses, as long as the server looks
  callSync(name: string, args: readonly unknown[], options: CallOptions | undefined): unknown {
    const { channel } = this;
    const { steps, at, cells } = channel;
    let served = this.#served;
    let method = served === undefined ? undefined : methodOf(served, name);
    let k = CLAIM_OVER;
    if (served !== undefined && method !== undefined && options?.signal === undefined) {
      k = steps.claim(at, cells.length, channel.cellBytes, this.#hint, served.epoch);
    }
    let limits: Limits | undefined;
    if (k < 0) {
      limits = new Limits(options, false);
      k = block(this.#begin(name, limits), channel.i32);
      served = this.#served as Served;
      method = served.methods.get(name) as number;
    }
    const { epoch, bell, own } = served as Served;
    const cell = cells[k] as CellView;
    const request = requestIn(cell);
    this.#hint = k;
    if (this.#blocking.length > 0) this.#sweepSoon();
    const depth = this.#blocking.push(k);
    this.#requests[k] = request;
    const rest = this.#write(cell, name, args, options, (served as Served).port, depth);
    const posted = steps.post(at, cell.at, k, epoch, method as number, this.#slot, this.#port.number, bell);
    const state = cell.at + CELL.state.offset;
    if (
      posted !== 0 &&
      (own ? serveItself(channel, state, request) : this.#spinner.look(this.#looking, state, request))
    ) {
      const { i32 } = channel;
      const word = cell.at >>> 2;
      const whole = i32[word + LENGTH] === i32[word + TOTAL];
      // A failed call's encoding has bit 31.
      if (
        whole &&
        ((i32[word + STATE] as number) & PHASE_MASK) === PHASE_REPLY &&
        (i32[word + ENCODING] as number) >= 0
      ) {
        try {
          return readList(cell, this.#port.beside)[0];
        } finally {
          steps.free(at, cell.at);
          this.#leave(depth);
        }
      }
    }
    const call = this.#callOf(served as Served, k, name, method as number, request, rest);
    call.late = posted === 0;
    this.#sweepSoon();
    try {
      return block(complete(call, limits ?? new Limits(options, false)), channel.i32);
    } finally {
      this.#leave(depth);
    }
  }

  // Posted before it returns, if there is a cell: what blocks this thread next may have to take the reply out of it.
  async call(name: string, args: readonly unknown[], options: CallOptions | undefined): Promise<unknown> {
    const limits = new Limits(options, true);
    const given = { args };
    const posting = this.#post(name, given, options, limits);
    const first = posting.next(false);
    if (first.done) return first.value;
    // It waits for a server or a cell, and its caller goes on: what is passed is what was given. Buffers to transfer stay whose they are until
    // they are sent, so those calls are read then.
    if (options?.transfer === undefined) {
      try {
        given.args = copied(args);
      } catch (error) {
        posting.return(undefined as never);
        throw notCloned(this.channel.name, name, args, error);
      }
    }
    return suspend(resumed(first.value, posting), this.channel.i32, limits.signal);
  }

  /** Ends the connection; asynchronous calls in progress fail with COEXIST_EGONE. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#served = undefined;
    this.#pending.end(() => closed(this.channel.name));
    this.#port.beside.close();
    this.#registration[dispose]();
  }

  /** The server as it is now; undefined where nobody serves (in the epoch that this is for). */
  find(): Served | undefined {
    const found = findServed(this.channel);
    if (found === undefined || 'waitWhile' in found) return undefined;
    return this.#pinned === undefined || found.epoch === this.#pinned ? found : undefined;
  }

  // Claims a cell of a server that has the method, waiting for both.
  *#begin(name: string, limits: Limits): Waiting<number> {
    const { channel } = this;
    const { steps, at, cells, cellBytes } = channel;
    for (;;) {
      if (!this.#open) throw closed(channel.name);
      const served = yield* this.#find(limits);
      if (!served.methods.has(name)) throw unknownMethod(channel.name, name, [...served.methods.keys()]);
      let k = steps.claim(at, cells.length, cellBytes, this.#hint, served.epoch);
      if (k === CLAIM_NONE) k = yield* claimCell(channel, served.epoch, this.#hint, limits, () => this.#open);
      // While it waited, the client may have been closed, or another of its calls have found another server.
      if (k !== CLAIM_OVER && this.#open && this.#served === served) return k;
      if (k !== CLAIM_OVER) steps.free(at, (cells[k] as CellView).at);
    }
  }

  *#find(limits: Limits): Waiting<Served> {
    const { channel } = this;
    const { u32, i64, name } = channel;
    const epoch = channelWord(channel, CHANNEL.epoch);
    for (let before: number | undefined; ; ) {
      if (!this.#open) throw closed(name);
      const found = findServed(channel);
      if (found === undefined) throw gone(name);
      if ('epoch' in found) {
        if (this.#pinned !== undefined && found.epoch !== this.#pinned) throw gone(name);
        this.#served = found.epoch === this.#served?.epoch ? this.#served : found;
        return this.#served;
      }
      if (this.#pinned !== undefined && Atomics.load(u32, epoch) !== this.#pinned) throw gone(name);
      const over = limits.over(`a server of ${show(name)}`);
      if (over !== undefined) throw over;
      if (!limits.async) serveOthers();
      const { waitWhile } = found;
      // Whoever makes it odd and does not put its name there has died: nobody serves, as before.
      if (before === waitWhile && waitWhile > 1 && Atomics.load(i64, serverIndex(channel)) === 0n) throw gone(name);
      before = (yield { index: epoch, value: waitWhile | 0, ms: limits.slice() }) ? waitWhile : undefined;
    }
  }

  *#post(
    name: string,
    given: { readonly args: readonly unknown[] },
    options: CallOptions | undefined,
    limits: Limits,
  ): Waiting<Promise<unknown>> {
    const k = yield* this.#begin(name, limits);
    const served = this.#served as Served;
    const cell = this.channel.cells[k] as CellView;
    const rest = this.#write(cell, name, given.args, options, served.port, 0);
    const call = this.#callOf(served, k, name, served.methods.get(name) as number, requestIn(cell), rest);
    post(call);
    return this.#pending.wait(call, limits, options?.timeout);
  }

  // Writes the arguments; what it cannot write it leaves no trace of.
  #write(
    cell: CellView,
    name: string,
    args: readonly unknown[],
    options: CallOptions | undefined,
    port: number,
    depth: number,
  ): Rest | undefined {
    try {
      const transfer = options?.transfer;
      if (transfer !== undefined) checkTransfer(transfer);
      const rest = writeList(cell, args, false, this.#port.beside, port);
      if (transfer !== undefined) detach(transfer);
      return rest;
    } catch (error) {
      this.channel.steps.free(this.channel.at, cell.at);
      if (depth > 0) this.#leave(depth);
      throw notCloned(this.channel.name, name, args, error);
    }
  }

  #callOf(served: Served, k: number, name: string, method: number, request: number, rest: Rest | undefined): Call {
    const { channel } = this;
    const cell = channel.cells[k] as CellView;
    const written = rest === undefined ? 0 : (channel.i32[(cell.at >>> 2) + LENGTH] as number);
    const port = this.#port;
    return { channel, served, port, slot: this.#slot, k, cell, name, method, request, rest, written, late: false };
  }

  // The blocking call of this depth has ended; what is above was cut inside it.
  #leave(depth: number): void {
    if (this.#blocking.length > depth) this.#abandon(depth);
    this.#blocking.pop();
  }

  #abandon(depth: number): void {
    const { u32, bells } = this.channel;
    const bell = bells.of(Atomics.load(u32, channelWord(this.channel, CHANNEL.slot)));
    for (const k of this.#blocking.splice(depth)) leaveCell(this.channel, k, this.#requests[k] as number, bell);
  }

  // A vm timeout skips every `finally`. When the event loop turns, no blocking call is in progress: what is left was cut.
  #sweepSoon(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    host.soon(() => {
      this.#sweeping = false;
      this.#abandon(0);
    });
  }
}

function copied(args: readonly unknown[]): readonly unknown[] {
  const { foreign, cloned, read, write } = host.clone;
  return (foreign(args) ? cloned(args) : read(write(args))) as unknown[];
}

// In the server's own thread nobody else would do it meanwhile.
function serveItself({ i32 }: Channel, state: number, request: number): boolean {
  serveOthers();
  return settled(Atomics.load(i32, state >>> 2), request);
}
