// Who serves a channel (docs/ABI.md, clause 63): how a server opens and closes it, and what a caller learns about it. Each opening is an
// epoch of its own; what was under way in an earlier one is over.

import {
  CELL,
  CHANNEL,
  CHANNEL_NAMES_BYTES,
  CHANNEL_NAMES_OFFSET,
  PHASE_GONE,
  PHASE_MASK,
  PHASE_REQUEST,
  PHASE_TAKEN,
  PHASE_WANT,
} from '../abi/call.js';
import { CoexistError, invalid, show } from '../abi/errors.js';
import { SLOT } from '../abi/slot.js';
import { host } from '../host/host.js';
import { type Channel, callerIndex, cellWord, channelWord, serverIndex } from './channel.js';

/** A channel's server, as a caller knows it. */
export interface Served {
  readonly epoch: number;
  /** Whether that is this thread. */
  readonly own: boolean;
  readonly slot: number;
  /** Byte offset of its bell. */
  readonly bell: number;
  readonly port: number;
  /** Numbers of its methods, by name. */
  readonly methods: ReadonlyMap<string, number>;
  /** The method that was asked for last. */
  last: string | undefined;
  lastNumber: number;
}

/** Number of a method; undefined where there is none of that name. */
export function methodOf(served: Served, name: string): number | undefined {
  // hot: the same string as before, most of the time
  if (name === served.last) return served.lastNumber;
  const number = served.methods.get(name);
  if (number === undefined) return undefined;
  served.last = name;
  served.lastNumber = number;
  return number;
}

export const isDead = (channel: Channel, identity: bigint): boolean =>
  identity !== channel.bells.self && host.liveness(identity, channel.bells.self) === 'dead';

/** Whether an epoch is over. Costs a look at /proc. */
export function epochOver(channel: Channel, epoch: number): boolean {
  if (Atomics.load(channel.u32, channelWord(channel, CHANNEL.epoch)) !== epoch) return true;
  const server = Atomics.load(channel.i64, serverIndex(channel));
  return server === 0n || isDead(channel, server);
}

/** What a caller finds: a server; none yet, so that it waits while epoch is this; or none any more. */
export function findServed(channel: Channel): Served | { readonly waitWhile: number } | undefined {
  const { u32, i64 } = channel;
  const read = (field: { readonly offset: number }): number => Atomics.load(u32, channelWord(channel, field));
  for (;;) {
    const epoch = read(CHANNEL.epoch);
    const server = Atomics.load(i64, serverIndex(channel));
    const opening = epoch % 2 !== 0;
    const none = server === 0n || isDead(channel, server);
    // Nobody has served yet; or somebody is about to, whose name is not there yet.
    if (none && server === 0n && (epoch === 0 || opening)) return { waitWhile: epoch };
    if (none) {
      if (read(CHANNEL.epoch) === epoch) return undefined;
      continue;
    }
    if (epoch === 0 || opening) return { waitWhile: epoch };
    const slot = read(CHANNEL.slot);
    const port = read(CHANNEL.port);
    const start = channel.at + CHANNEL_NAMES_OFFSET;
    const length = Math.min(read(CHANNEL.names_length), CHANNEL_NAMES_BYTES);
    const names = host.decodeUtf8(channel.u8.slice(start, start + length));
    if (read(CHANNEL.epoch) !== epoch) continue;
    const methods = new Map(names === '' ? [] : names.split('\0').map((name, k) => [name, k]));
    return {
      epoch,
      own: server === channel.bells.self,
      slot,
      bell: channel.bells.of(slot),
      port,
      methods,
      last: undefined,
      lastNumber: 0,
    };
  }
}

/** Names as the channel holds them. @throws COEXIST_EINVAL */
export function encodeNames(names: readonly string[]): Uint8Array {
  const odd = names.find((name) => name === '' || name.includes('\0') || /\p{Surrogate}/u.test(name));
  if (odd !== undefined) throw invalid('the name of a method', odd, 'a string that is not empty, without a byte 0');
  const bytes = host.encodeUtf8(names.join('\0'));
  if (bytes.length <= CHANNEL_NAMES_BYTES) return bytes;
  throw invalid('methods', bytes.length, `names of ${CHANNEL_NAMES_BYTES} bytes at most, in all`);
}

/**
 * Makes this thread the server; the epoch it serves in.
 * @throws COEXIST_EEXIST; nothing changed
 */
export function openChannel(channel: Channel, slot: number, port: number, names: Uint8Array): number {
  const { u32, i32, i64, u8, bells } = channel;
  const index = serverIndex(channel);
  const epochWord = channelWord(channel, CHANNEL.epoch);
  for (;;) {
    const epoch = Atomics.load(u32, epochWord);
    const found = Atomics.load(i64, index);
    // Its own with an odd epoch: it was cut here.
    const takeable = found === 0n || (found === bells.self ? epoch % 2 !== 0 : isDead(channel, found));
    if (!takeable) throw servedAlready(channel, found);
    // First of all: cut behind this, it finds its own word under an odd epoch.
    if (epoch % 2 === 0 && Atomics.compareExchange(u32, epochWord, epoch, epoch + 1) !== epoch) continue;
    if (Atomics.compareExchange(i64, index, found, bells.self) === found) break;
  }
  // Another one may have opened and closed it meanwhile.
  const before = Atomics.load(u32, epochWord);
  const opening = before % 2 === 0 ? before + 1 : before;
  Atomics.store(u32, epochWord, opening);
  Atomics.store(u32, channelWord(channel, CHANNEL.slot), slot);
  Atomics.store(u32, channelWord(channel, CHANNEL.port), port);
  u8.set(names, channel.at + CHANNEL_NAMES_OFFSET);
  Atomics.store(u32, channelWord(channel, CHANNEL.names_length), names.length);
  endCells(channel, [PHASE_REQUEST, PHASE_TAKEN], undefined);
  Atomics.store(u32, epochWord, opening + 1);
  Atomics.notify(i32, epochWord);
  return opening + 1;
}

/** Ends this thread's epoch. False where it was over. */
export function closeChannel(channel: Channel, epoch: number): boolean {
  const { i64, bells } = channel;
  if (Atomics.load(channel.u32, channelWord(channel, CHANNEL.epoch)) !== epoch) return false;
  if (Atomics.compareExchange(i64, serverIndex(channel), bells.self, 0n) !== bells.self) return false;
  endCells(channel, [PHASE_REQUEST, PHASE_TAKEN, PHASE_WANT], epoch);
  return true;
}

/** Tells every caller whose cell is in one of these phases, and frees what was given up: in one epoch, or in any. */
function endCells(channel: Channel, phases: readonly number[], epoch: number | undefined): void {
  const { i32, u32, i64, steps, bells } = channel;
  for (const cell of channel.cells) {
    const index = cellWord(cell, CELL.state);
    for (;;) {
      const state = Atomics.load(i32, index);
      if (!phases.includes(state & PHASE_MASK)) break;
      // Behind the state: of a later epoch, it is a request to the next server.
      if (epoch !== undefined && Atomics.load(u32, cellWord(cell, CELL.epoch)) !== epoch) break;
      if (Atomics.compareExchange(i32, index, state, (state & ~PHASE_MASK) | PHASE_GONE) !== state) continue;
      bells.ring(Atomics.load(u32, cellWord(cell, CELL.slot)));
      break;
    }
    const caller = Atomics.load(i64, callerIndex(cell));
    const late = caller < 0n && (epoch === undefined || -caller >> 28n === BigInt(epoch));
    if (late && Atomics.compareExchange(i64, callerIndex(cell), caller, 0n) === caller) steps.freed(channel.at);
  }
}

function servedAlready(channel: Channel, server: bigint): CoexistError {
  const slot = Atomics.load(channel.u32, channelWord(channel, CHANNEL.slot));
  const where = server === channel.bells.self ? 'this thread' : `thread ${threadIdOf(channel, slot)}, slot ${slot},`;
  return new CoexistError('COEXIST_EEXIST', `${where} serves ${show(channel.name)} already`, {
    found: server,
    expected: 'a name that nobody serves, or whose server is proven dead',
    remedy: 'Close that server first, or choose another name.',
  });
}

/** The runtime's id of the thread that has this slot. */
export function threadIdOf({ bells: { core } }: Channel, slot: number): number {
  if (slot >= core.geometry.slotCapacity) return -1;
  return Atomics.load(core.views.i32, (core.slotAt(slot) + SLOT.thread_id.offset) >>> 2);
}
