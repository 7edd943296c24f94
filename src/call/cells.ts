// Cells from their callers' side (docs/ABI.md, clause 64): claiming one, waiting for one, giving one up, and recovering those of the
// dead. The states are in src/abi/call.ts. A thread may be terminated after any single operation here.

import {
  CELL,
  CHANNEL,
  givenUp,
  PHASE_GONE,
  PHASE_IDLE,
  PHASE_MASK,
  PHASE_REQUEST,
  PHASE_TAKEN,
  TICKET_SHIFT,
} from '../abi/call.js';
import { show } from '../abi/errors.js';
import type { Limits, Waiting } from '../sync/wait.js';
import { CLAIM_NONE, CLAIM_OVER } from '../wasm/call.js';
import { serveOthers } from './bell.js';
import { type Channel, callerIndex, cellWord, channelWord } from './channel.js';
import { epochOver, isDead } from './opening.js';
import type { CellView } from './payload.js';

/** Whether a state is neither REQUEST nor TAKEN of this request's call. */
export const settled = (state: number, request: number): boolean => (state - request) >>> 0 > 1;

/**
 * Claims a cell, waiting for one as long as its client is open; its number, or CLAIM_OVER.
 * @throws COEXIST_ETIMEDOUT, COEXIST_EABORTED
 */
export function* claimCell(
  channel: Channel,
  epoch: number,
  hint: number,
  limits: Limits,
  open: () => boolean,
): Waiting<number> {
  const { steps, at, cells, cellBytes, i32 } = channel;
  const freed = channelWord(channel, CHANNEL.freed);
  for (let due = false; ; ) {
    if (!open()) return CLAIM_OVER;
    const seen = Atomics.load(i32, freed);
    Atomics.store(i32, channelWord(channel, CHANNEL.waiters), 1);
    // Behind the mark: whoever frees one from now on wakes.
    const k = steps.claim(at, cells.length, cellBytes, hint, epoch);
    if (k !== CLAIM_NONE) return k;
    const over = limits.over(`a free cell of ${show(channel.name)}`);
    if (due || over !== undefined) {
      // Of a server that is dead no cell will do, and those that have one may hold it for ever.
      if (epochOver(channel, epoch)) return CLAIM_OVER;
      const recovered = recoverCell(channel);
      if (recovered !== CLAIM_NONE) return recovered;
    }
    if (over !== undefined) throw over;
    if (!limits.async) serveOthers();
    due = yield { index: freed, value: seen, ms: limits.slice() };
  }
}

/** Claims a cell that nobody will leave any more, its caller or its epoch being dead; CLAIM_NONE where there is none. */
export function recoverCell(channel: Channel): number {
  const { i64, i32, bells } = channel;
  for (const [k, cell] of channel.cells.entries()) {
    const state = Atomics.load(i32, cellWord(cell, CELL.state));
    const caller = Atomics.load(i64, callerIndex(cell));
    if (!recoverable(channel, cell, state, caller)) continue;
    if (Atomics.compareExchange(i64, callerIndex(cell), caller, bells.self) !== caller) continue;
    const index = cellWord(cell, CELL.state);
    Atomics.store(i32, index, (Atomics.load(i32, index) + (1 << TICKET_SHIFT)) & ~PHASE_MASK);
    return k;
  }
  return CLAIM_NONE;
}

function recoverable(channel: Channel, cell: CellView, state: number, caller: bigint): boolean {
  const { i32, u32, bells } = channel;
  if (caller === 0n || caller === bells.self) return false;
  const index = cellWord(cell, CELL.state);
  const phase = state & PHASE_MASK;
  const dead = caller > 0n && isDead(channel, caller);
  const epoch = Atomics.load(u32, cellWord(cell, CELL.epoch));
  // The state was read before the caller and is the same behind its death: it is that of this caller's call, which moves on no more but by its
  // server. Read once, it could be an earlier call's, and the server be at work on this one, or a later call's, and its request be taken back.
  if (Atomics.load(i32, index) !== state) return false;
  if (caller < 0n) return phase !== PHASE_TAKEN || epochOver(channel, Number(-caller >> 28n));
  if (!dead) return false;
  if (phase === PHASE_TAKEN) return epochOver(channel, epoch);
  if (phase !== PHASE_REQUEST) return true;
  return Atomics.compareExchange(i32, index, state, (state & ~PHASE_MASK) | PHASE_IDLE) === state;
}

/**
 * Gives up a call whose request had this state word. False where it turns out to be settled: nothing has changed then. A request that
 * was not taken is taken back.
 */
export function giveUp(channel: Channel, k: number, request: number, bell: number): boolean {
  const { i32, i64, steps, bells } = channel;
  const cell = channel.cells[k] as CellView;
  const index = cellWord(cell, CELL.state);
  if (Atomics.compareExchange(i32, index, request, (request & ~PHASE_MASK) | PHASE_IDLE) === request) {
    steps.free(channel.at, cell.at);
    return true;
  }
  const taken = request + 1;
  if (Atomics.load(i32, index) !== taken) return false;
  const mark = givenUp(Atomics.load(channel.u32, cellWord(cell, CELL.epoch)), request >>> TICKET_SHIFT);
  if (Atomics.compareExchange(i64, callerIndex(cell), bells.self, mark) !== bells.self) return true;
  // The server leaves TAKEN and looks at the caller word then; this thread does the two in the other order.
  if (Atomics.load(i32, index) !== taken) {
    if (Atomics.compareExchange(i64, callerIndex(cell), mark, 0n) === mark) steps.freed(channel.at);
    return true;
  }
  Atomics.or(i32, channelWord(channel, CHANNEL.ready), 1 << k);
  steps.ring(bell);
  return true;
}

/** Leaves a cell, whatever its phase, if it still carries this thread's call of that request. */
export function leaveCell(channel: Channel, k: number, request: number, bell: number): void {
  const { i32, i64, steps, bells } = channel;
  const cell = channel.cells[k] as CellView;
  const same = (): boolean =>
    (Atomics.load(i32, cellWord(cell, CELL.state)) & ~PHASE_MASK) === (request & ~PHASE_MASK) &&
    Atomics.load(i64, callerIndex(cell)) === bells.self;
  if (same() && !giveUp(channel, k, request, bell) && same()) steps.free(channel.at, cell.at);
}

/** Frees a cell whose epoch is over, so that nobody but its caller leaves it. */
export function endCell(channel: Channel, k: number, request: number): void {
  const cell = channel.cells[k] as CellView;
  const index = cellWord(cell, CELL.state);
  for (const state of [request, request + 1]) {
    Atomics.compareExchange(channel.i32, index, state, (request & ~PHASE_MASK) | PHASE_GONE);
  }
  channel.steps.free(channel.at, cell.at);
}

/** Asks the server once more, whatever its bell says: who rang may have died half-way, or the server have been cut. */
export function askAgain(channel: Channel, k: number, request: number, slot: number): void {
  const cell = channel.cells[k] as CellView;
  if (Atomics.load(channel.i32, cellWord(cell, CELL.state)) !== request) return;
  Atomics.or(channel.i32, channelWord(channel, CHANNEL.ready), 1 << k);
  channel.bells.ringHard(slot);
}
