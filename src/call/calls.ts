// One call from its caller's side (docs/ABI.md, clause 65), once its cell is claimed: what a caller does until the reply is there, written
// once for the blocking and the asynchronous form.

import { BELL_ASLEEP, CELL, PHASE_MASK, PHASE_REPLY, PHASE_REQUEST, PHASE_TAKEN, PHASE_WANT } from '../abi/call.js';
import { show } from '../abi/errors.js';
import { Looks } from '../sync/owner-word.js';
import type { Limits, Waiting } from '../sync/wait.js';
import { serveOthers } from './bell.js';
import type { Beside } from './beside.js';
import { askAgain, endCell, giveUp, leaveCell, settled } from './cells.js';
import { type Channel, cellWord } from './channel.js';
import { errorOf } from './errors-as-data.js';
import { gone, wouldWaitForItself } from './failures.js';
import { epochOver, type Served } from './opening.js';
import { addPart, allThere, type Parts } from './parts.js';
import { type CellView, isFailed, type Rest, readBytes, readList, wantsPort, writePart } from './payload.js';

/** What is posted beside the cells of this caller; its port has no number until it is needed. */
export interface Port {
  readonly beside: Beside;
  number: number;
}

/** A call whose cell this thread has. */
export interface Call {
  readonly channel: Channel;
  readonly served: Served;
  readonly port: Port;
  /** Slot of this thread. */
  readonly slot: number;
  /** Number of the cell. */
  readonly k: number;
  readonly cell: CellView;
  readonly name: string;
  readonly method: number;
  /** State word of its requests. */
  readonly request: number;
  /** What the further parts of the arguments are written from, if there are any, and how many bytes of them are written. */
  readonly rest: Rest | undefined;
  written: number;
  /** Whether the epoch was seen to be over when it was posted. */
  late: boolean;
}

/** State word that a cell's next request has. */
export const requestIn = (cell: CellView): number =>
  ((cell.u32[(cell.at + CELL.state.offset) >>> 2] as number) & ~PHASE_MASK) | PHASE_REQUEST;

/** Passes the cell on to the server. */
export function post(call: Call): void {
  const { channel, cell, k, served, method, slot, port } = call;
  const { epoch, bell } = served;
  call.late = channel.steps.post(channel.at, cell.at, k, epoch, method, slot, port.number, bell) === 0;
}

/** Ends a call whose result nobody waits for. */
export const abandon = ({ channel, k, request, served }: Call): void => leaveCell(channel, k, request, served.bell);

/**
 * Waits for the result of a call that was posted. The cell is freed, or given up, whatever comes of it.
 * @throws what the method threw; COEXIST_EGONE, COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EDEADLK
 */
export function* complete(call: Call, limits: Limits): Waiting<unknown> {
  const { channel, cell, served, port } = call;
  const { beside } = port;
  const word = (field: { readonly offset: number }): number => channel.i32[cellWord(cell, field)] as number;
  let parts: Parts | undefined;
  for (;;) {
    yield* settle(call, limits);
    const phase = Atomics.load(channel.i32, cellWord(cell, CELL.state)) & PHASE_MASK;
    if (phase === PHASE_WANT && call.rest !== undefined) {
      call.written += writePart(cell, call.rest, call.written, served.port);
      post(call);
      continue;
    }
    if (phase !== PHASE_REPLY) {
      channel.steps.free(channel.at, cell.at);
      throw gone(channel.name);
    }
    const [encoding, length] = [word(CELL.encoding), word(CELL.length)];
    if (parts === undefined && length === word(CELL.total)) {
      return resultOf(call, encoding, () => readList(cell, beside));
    }
    if (parts === undefined && wantsPort(encoding, length)) {
      // The server has something to post beside the cell, and asks where to.
      port.number = beside.port;
    } else {
      let all: Parts;
      try {
        all = addPart(parts, cell);
      } catch (error) {
        channel.steps.free(channel.at, cell.at);
        throw error;
      }
      if (allThere(all)) return resultOf(call, all.encoding, () => readBytes(all.encoding, all.bytes, beside));
      parts = all;
    }
    post(call);
  }
}

/** Frees the cell once the reply is read, and throws it where the call has failed. */
function resultOf({ channel, cell }: Call, encoding: number, read: () => unknown[]): unknown {
  let list: unknown[];
  try {
    list = read();
  } finally {
    channel.steps.free(channel.at, cell.at);
  }
  if (isFailed(encoding)) throw errorOf(list[0]);
  return list[0];
}

const MAY_HAVE_RUN =
  'Whether it has run, or still does, is not known: call again only what may run twice, or wait longer.';

/** Waits until the cell is the caller's again. */
function* settle(call: Call, limits: Limits): Waiting<void> {
  const { channel, cell, k, served, request, slot } = call;
  const { i32, bells } = channel;
  const state = cellWord(cell, CELL.state);
  const own = bells.of(slot) >>> 2;
  const looks = new Looks();
  for (let due = call.late; ; due = looks.due()) {
    // What comes behind this store rings; what this thread serves for others is looked for behind it, too.
    if (!limits.async) {
      Atomics.store(i32, own, BELL_ASLEEP);
      serveOthers();
    }
    if (settled(Atomics.load(i32, state), request)) return;
    const over = limits.over(`a reply of ${show(call.name)} from ${show(channel.name)}`, MAY_HAVE_RUN);
    if (due || over !== undefined) {
      if (epochOver(channel, served.epoch)) {
        endCell(channel, k, request);
        throw gone(channel.name);
      }
      askAgain(channel, k, request, served.slot);
    }
    const itself = served.own && !limits.async;
    if (itself || over !== undefined) {
      const taken = (Atomics.load(i32, state) & PHASE_MASK) === PHASE_TAKEN;
      if (!giveUp(channel, k, request, served.bell)) return;
      throw over ?? wouldWaitForItself(channel.name, call.name, taken);
    }
    looks.woke(yield { index: own, value: BELL_ASLEEP, ms: limits.slice() });
  }
}
