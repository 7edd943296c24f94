// What a server does with its cells (docs/ABI.md, clauses 64 to 66), whoever makes it look: it takes a request, gathers its parts, runs the
// method, writes the reply, and passes it on in parts if it has to.

import { CELL, givenUp, PHASE_REPLY, PHASE_WANT, TICKET_SHIFT } from '../abi/call.js';
import { host } from '../host/host.js';
import { LEFT_GIVEN_UP } from '../wasm/call.js';
import type { Beside } from './beside.js';
import { type Channel, callerIndex } from './channel.js';
import { Context, type ContextOwner, watchContexts } from './context.js';
import { cutOff, resultNotCloned } from './failures.js';
import { allThere } from './parts.js';
import { type CellView, type Rest, readBytes, readList, writeFailure, writeList, writePart } from './payload.js';
import { type Reply, Unfinished } from './unfinished.js';

export type Method = (this: Context, ...args: unknown[]) => unknown;

const STATE = CELL.state.offset >>> 2;
const METHOD = CELL.method.offset >>> 2;
const SLOT = CELL.slot.offset >>> 2;
const PORT = CELL.port.offset >>> 2;
const ENCODING = CELL.encoding.offset >>> 2;
const LENGTH = CELL.length.offset >>> 2;
const TOTAL = CELL.total.offset >>> 2;

export class Service implements ContextOwner {
  readonly channel: Channel;
  readonly #epoch: number;
  readonly #beside: Beside;
  readonly #names: readonly string[];
  readonly #methods: readonly Method[];
  readonly #unfinished = new Unfinished();
  /** Calls whose method runs, or whose promise has not settled, by number of the cell. */
  readonly #contexts: (Context | undefined)[];
  /** Those whose method runs, the innermost last. What a cut has left here is answered when the event loop turns. */
  readonly #running: Context[] = [];
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
    this.#contexts = channel.cells.map(() => undefined);
  }

  /** Looks at the cells that somebody asks it to look at; whether there were any. Throws nothing. */
  serve(): boolean {
    // hot: one wasm call, where there are none
    const { steps, at, cells } = this.channel;
    let bits = this.#open ? steps.ready(at) : 0;
    if (bits === 0) return false;
    while (bits !== 0 && this.#open) {
      const k = 31 - Math.clz32(bits);
      bits &= ~(1 << k);
      // What is of no cell means nothing.
      if (k < cells.length) this.#look(k);
    }
    return true;
  }

  /** From here on nothing is written into cells. */
  end(): void {
    this.#open = false;
    this.#stopWatching?.();
    for (const context of this.#contexts) {
      context?.end();
      context?.abort();
    }
  }

  /** Answers calls whose method was cut by a vm timeout. Only where no method can be running: from the event loop. */
  sweep(): void {
    while (this.#running.length > 0) this.#cut(this.#running.pop() as Context);
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

  watch(): void {
    this.#stopWatching ??= watchContexts(this.#contexts, () => {
      this.#stopWatching = undefined;
    });
  }

  // hot: two wasm calls besides the method, for a call in one part
  #look(k: number): void {
    const { i32, steps, cells } = this.channel;
    const cell = cells[k];
    // Somebody else has set a bit of no cell.
    if (cell === undefined) return;
    const taken = steps.take(cell.at, this.#epoch);
    if (taken === 0) {
      this.#contexts[k]?.look();
      return;
    }
    const word = cell.at >>> 2;
    const whole = i32[word + LENGTH] === i32[word + TOTAL];
    if (!(whole && this.#unfinished.none) && this.#part(k, cell, taken, whole)) return;
    let args: unknown[];
    try {
      args = readList(cell, this.#beside);
    } catch (error) {
      this.#fail(k, taken, error);
      return;
    }
    this.#run(k, taken, args);
  }

  // A part of a request or of a reply; false where the cell holds a whole request after all.
  #part(k: number, cell: CellView, taken: number, whole: boolean): boolean {
    const unfinished = this.#unfinished;
    const ticket = taken >>> TICKET_SHIFT;
    const reply = unfinished.takeReply(k, ticket);
    if (reply !== undefined) {
      this.#nextPart(k, cell, taken, reply);
      return true;
    }
    if (whole && !unfinished.hasRequest(k, ticket)) {
      unfinished.drop(k);
      return false;
    }
    let args: unknown[];
    try {
      const all = unfinished.addToRequest(k, cell, ticket);
      if (!allThere(all)) {
        this.#leave(k, taken, PHASE_WANT);
        return true;
      }
      args = readBytes(all.encoding, all.bytes, this.#beside);
    } catch (error) {
      this.#fail(k, taken, error);
      return true;
    }
    this.#run(k, taken, args);
    return true;
  }

  #nextPart(k: number, cell: CellView, taken: number, reply: Reply): void {
    const word = cell.at >>> 2;
    try {
      reply.done += writePart(cell, reply.rest, reply.done, cell.u32[word + PORT] as number);
    } catch (error) {
      this.#fail(k, taken, error);
      return;
    }
    cell.u32[word + ENCODING] = reply.encoding;
    if (reply.done < reply.rest.length) this.#unfinished.keep(k, reply);
    this.#leave(k, taken, PHASE_REPLY);
  }

  #run(k: number, taken: number, args: unknown[]): void {
    const { i32, cells } = this.channel;
    const word = (cells[k] as CellView).at >>> 2;
    const method = this.#methods[i32[word + METHOD] as number] as Method;
    const context = new Context(this, k, taken, i32[word + SLOT] as number);
    this.#contexts[k] = context;
    const depth = this.#running.push(context);
    this.served++;
    try {
      const result = method.apply(context, args);
      if (isThenable(result)) this.#promise(k, taken, result);
      else this.#reply(k, taken, result);
    } catch (error) {
      this.#fail(k, taken, error);
    }
    // What is above was cut, in a part of this method that has ended since.
    while (this.#running.length > depth) this.#cut(this.#running.pop() as Context);
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
    if (!this.#open) return;
    const cell = this.channel.cells[k] as CellView;
    const port = cell.u32[(cell.at >>> 2) + PORT] as number;
    let rest: Rest | undefined;
    try {
      rest = writeList(cell, [result], false, this.#beside, port);
    } catch (error) {
      rest = writeFailure(cell, resultNotCloned(this.#nameAt(k), result, error), this.#beside, port);
    }
    this.#pass(k, cell, taken, rest);
  }

  #fail(k: number, taken: number, error: unknown): void {
    if (!this.#open) return;
    const cell = this.channel.cells[k] as CellView;
    const port = cell.u32[(cell.at >>> 2) + PORT] as number;
    this.#pass(k, cell, taken, writeFailure(cell, error, this.#beside, port));
  }

  // The reply is in the cell, or its first part is.
  #pass(k: number, cell: CellView, taken: number, rest: Rest | undefined): void {
    this.#contexts[k]?.end();
    this.#contexts[k] = undefined;
    if (rest !== undefined) {
      const word = cell.at >>> 2;
      const [encoding, done] = [cell.u32[word + ENCODING] as number, cell.u32[word + LENGTH] as number];
      this.#unfinished.keep(k, { ticket: taken >>> TICKET_SHIFT, encoding, rest, done });
    }
    this.#leave(k, taken, PHASE_REPLY);
  }

  // Nothing of the cell is this thread's behind this.
  #leave(k: number, taken: number, phase: number): void {
    const { steps, at, i64, cells } = this.channel;
    const cell = cells[k] as CellView;
    if (steps.leave(cell.at, taken, phase) !== LEFT_GIVEN_UP) return;
    this.#unfinished.drop(k);
    const mark = givenUp(this.#epoch, taken >>> TICKET_SHIFT);
    if (Atomics.compareExchange(i64, callerIndex(cell), mark, 0n) === mark) steps.freed(at);
  }

  #cut(context: Context): void {
    const { k, taken } = Context.cellOf(context);
    const { i32, cells } = this.channel;
    if (Atomics.load(i32, ((cells[k] as CellView).at >>> 2) + STATE) !== taken) return;
    this.#fail(k, taken, cutOff(this.#nameAt(k)));
  }

  #nameAt(k: number): string | undefined {
    const { i32, cells } = this.channel;
    return this.#names[i32[((cells[k] as CellView).at >>> 2) + METHOD] as number];
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
