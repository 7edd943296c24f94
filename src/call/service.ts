// What a server does with its cells (docs/ABI.md, clauses 64 to 66), whoever makes it look: it takes a request, gathers its parts, runs the
// method, writes the reply, and passes it on in parts if it has to.

import { CELL, givenUp, PHASE_REPLY, PHASE_WANT, TICKET_SHIFT } from '../abi/call.js';
import { host } from '../host/host.js';
import { SLICE_MS } from '../sync/wait.js';
import { LEFT_GIVEN_UP } from '../wasm/call.js';
import type { Beside } from './beside.js';
import { type Channel, callerIndex } from './channel.js';
import { Context } from './context.js';
import { callerGone, cutOff, resultNotCloned } from './failures.js';
import { isDead } from './opening.js';
import { addPart, allThere, type Parts } from './parts.js';
import { type CellView, type Rest, readBytes, readList, writeFailure, writeList, writePart } from './payload.js';

export type Method = (this: Context, ...args: unknown[]) => unknown;

/** A request that has come in part. */
interface Request extends Parts {
  readonly ticket: number;
}

/** A reply of which parts are left. */
interface Reply {
  readonly ticket: number;
  readonly encoding: number;
  readonly rest: Rest;
  done: number;
}

/** A method that runs; the state word of its cell. */
interface Running {
  readonly k: number;
  readonly taken: number;
}

const STATE = CELL.state.offset >>> 2;
const METHOD = CELL.method.offset >>> 2;
const SLOT = CELL.slot.offset >>> 2;
const PORT = CELL.port.offset >>> 2;
const ENCODING = CELL.encoding.offset >>> 2;
const LENGTH = CELL.length.offset >>> 2;
const TOTAL = CELL.total.offset >>> 2;

export class Service {
  readonly channel: Channel;
  readonly #epoch: number;
  readonly #beside: Beside;
  readonly #names: readonly string[];
  readonly #methods: readonly Method[];
  /** Both by number of the cell. */
  readonly #requests: (Request | undefined)[];
  readonly #replies: (Reply | undefined)[];
  readonly #contexts: (Context | undefined)[];
  /** Methods that run now, the innermost last. What a cut has left here is answered when the event loop turns. */
  readonly #running: Running[] = [];
  #sweeping = false;
  #stopWatching: (() => void) | undefined;
  #open = true;
  /** Calls whose method has begun. */
  served = 0;
  /** Methods whose promise has not settled. */
  promised = 0;

  constructor(channel: Channel, epoch: number, beside: Beside, names: readonly string[], methods: readonly Method[]) {
    this.channel = channel;
    this.#epoch = epoch;
    this.#beside = beside;
    this.#names = names;
    this.#methods = methods;
    this.#requests = channel.cells.map(() => undefined);
    this.#replies = channel.cells.map(() => undefined);
    this.#contexts = channel.cells.map(() => undefined);
  }

  /** Looks at the cells that somebody asks it to look at; whether there were any. Throws nothing. hot: one wasm call, where there are none */
  serve(): boolean {
    const { steps, at } = this.channel;
    let bits = this.#open ? steps.ready(at) : 0;
    if (bits === 0) return false;
    while (bits !== 0 && this.#open) {
      const k = 31 - Math.clz32(bits);
      bits &= ~(1 << k);
      this.#look(k);
    }
    return true;
  }

  /** From here on nothing is written into cells. */
  end(): void {
    this.#open = false;
    this.#stopWatching?.();
    for (const context of this.#contexts) {
      context?.end();
      context?.abort(callerGone());
    }
  }

  /** Answers calls whose method was cut by a vm timeout. Only where no method can be running: from the event loop. */
  sweep(): void {
    while (this.#running.length > 0) this.#cut(this.#running.pop() as Running);
  }

  /** The same when the event loop turns next: whoever serves while its thread blocks may be cut. */
  sweepSoon(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    host.soon(() => {
      this.#sweeping = false;
      this.sweep();
    });
  }

  // hot: two wasm calls besides the method, for a call in one part
  #look(k: number): void {
    const { i32, steps, cells } = this.channel;
    const cell = cells[k] as CellView;
    const taken = steps.take(cell.at, this.#epoch);
    if (taken === 0) {
      this.#contexts[k]?.look();
      return;
    }
    const word = cell.at >>> 2;
    const whole = i32[word + LENGTH] === i32[word + TOTAL];
    const begun = this.#requests[k] !== undefined || this.#replies[k] !== undefined;
    if ((!whole || begun) && this.#part(k, cell, taken)) return;
    this.#read(k, taken, () => readList(cell, this.#beside));
  }

  // A part of a request or of a reply; false where the cell holds a whole request after all.
  #part(k: number, cell: CellView, taken: number): boolean {
    const { i32 } = this.channel;
    const word = cell.at >>> 2;
    const ticket = taken >>> TICKET_SHIFT;
    const reply = this.#replies[k];
    const request = this.#requests[k];
    this.#replies[k] = undefined;
    this.#requests[k] = undefined;
    if (reply?.ticket === ticket) {
      this.#nextPart(k, cell, taken, reply);
      return true;
    }
    const begun = request?.ticket === ticket;
    if (!begun && i32[word + LENGTH] === i32[word + TOTAL]) return false;
    const all: Request = Object.assign(addPart(begun ? request : undefined, cell), { ticket });
    if (allThere(all)) {
      this.#read(k, taken, () => readBytes(all.encoding, all.bytes, this.#beside));
    } else {
      this.#requests[k] = all;
      this.#leave(k, taken, PHASE_WANT);
    }
    return true;
  }

  #nextPart(k: number, cell: CellView, taken: number, reply: Reply): void {
    const { i32 } = this.channel;
    const word = cell.at >>> 2;
    try {
      reply.done += writePart(cell, reply.rest, reply.done, cell.u32[word + PORT] as number);
      i32[word + ENCODING] = reply.encoding;
    } catch (error) {
      this.#fail(k, taken, error);
      return;
    }
    if (reply.done < reply.rest.length) this.#replies[k] = reply;
    this.#leave(k, taken, PHASE_REPLY);
  }

  #read(k: number, taken: number, read: () => unknown[]): void {
    let args: unknown[];
    try {
      args = read();
    } catch (error) {
      this.#fail(k, taken, error);
      return;
    }
    this.#run(k, taken, args);
  }

  #run(k: number, taken: number, args: unknown[]): void {
    const word = this.#word(k);
    const { i32 } = this.channel;
    const method = this.#methods[i32[word + METHOD] as number] as Method;
    const context = new Context(this.channel, k, i32[word + SLOT] as number, this.#watch);
    this.#contexts[k] = context;
    const depth = this.#running.push({ k, taken });
    this.served++;
    try {
      const result = method.apply(context, args);
      if (isThenable(result)) this.#promise(k, taken, result);
      else this.#reply(k, taken, result);
    } catch (error) {
      this.#fail(k, taken, error);
    }
    // What is above was cut, in a part of this method that has ended since.
    while (this.#running.length > depth) this.#cut(this.#running.pop() as Running);
    this.#running.pop();
  }

  #promise(k: number, taken: number, promise: PromiseLike<unknown>): void {
    this.promised++;
    const settle = (answer: () => void): void => {
      this.promised--;
      answer();
    };
    Promise.resolve(promise).then(
      (result) => settle(() => this.#reply(k, taken, result)),
      (error: unknown) => settle(() => this.#fail(k, taken, error)),
    );
  }

  #reply(k: number, taken: number, result: unknown): void {
    this.#answer(k, taken, (cell, port) => {
      try {
        return writeList(cell, [result], false, this.#beside, port);
      } catch (error) {
        return writeFailure(cell, resultNotCloned(this.#nameAt(k), result, error), this.#beside, port);
      }
    });
  }

  #fail(k: number, taken: number, error: unknown): void {
    this.#answer(k, taken, (cell, port) => writeFailure(cell, error, this.#beside, port));
  }

  #answer(k: number, taken: number, write: (cell: CellView, port: number) => Rest | undefined): void {
    if (!this.#open) return;
    const { i32, cells } = this.channel;
    const cell = cells[k] as CellView;
    const word = cell.at >>> 2;
    this.#contexts[k]?.end();
    this.#contexts[k] = undefined;
    const rest = write(cell, cell.u32[word + PORT] as number);
    if (rest !== undefined) {
      const [encoding, done] = [i32[word + ENCODING] as number, i32[word + LENGTH] as number];
      this.#replies[k] = { ticket: taken >>> TICKET_SHIFT, encoding, rest, done };
    }
    this.#leave(k, taken, PHASE_REPLY);
  }

  #cut({ k, taken }: Running): void {
    if (Atomics.load(this.channel.i32, this.#word(k) + STATE) === taken) this.#fail(k, taken, cutOff(this.#nameAt(k)));
  }

  #word(k: number): number {
    return (this.channel.cells[k] as CellView).at >>> 2;
  }

  #nameAt(k: number): string | undefined {
    return this.#names[this.channel.i32[this.#word(k) + METHOD] as number];
  }

  // Nothing of the cell is this thread's behind this.
  #leave(k: number, taken: number, phase: number): void {
    const { steps, at, i64, cells } = this.channel;
    const cell = cells[k] as CellView;
    if (steps.leave(cell.at, taken, phase) !== LEFT_GIVEN_UP) return;
    this.#replies[k] = undefined;
    this.#requests[k] = undefined;
    const mark = givenUp(this.#epoch, taken >>> TICKET_SHIFT);
    if (Atomics.compareExchange(i64, callerIndex(cell), mark, 0n) === mark) steps.freed(at);
  }

  // While somebody has asked for a signal: a caller that dies tells nobody.
  readonly #watch = (): void => {
    this.#stopWatching ??= host.every(SLICE_MS, () => {
      let asked = 0;
      for (const [k, context] of this.#contexts.entries()) {
        if (context === undefined || !context.asked) continue;
        asked++;
        const caller = Atomics.load(this.channel.i64, callerIndex(this.channel.cells[k] as CellView));
        if (caller < 0n || isDead(this.channel, caller)) context.abort(callerGone());
      }
      if (asked > 0) return;
      this.#stopWatching?.();
      this.#stopWatching = undefined;
    });
  };
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
