// A channel's memory (docs/ABI.md, clause 62): the entry of its name, how many cells it has and where they lie.

import { CELL, CELL_ALIGN, CELL_BYTES_MIN, CHANNEL, CHANNEL_CELLS_MAX, CHANNEL_CELLS_OFFSET } from '../abi/call.js';
import { CoexistError, invalid, show } from '../abi/errors.js';
import type { AreaCore } from '../area/core.js';
import { type AreaLike, coreFor } from '../area/current.js';
import { type Entry, lookup } from '../area/directory.js';
import { host } from '../host/host.js';
import type { CallSteps } from '../wasm/call.js';
import { type Bells, bellsOf } from './bell.js';
import { type CellView, cellViews } from './payload.js';

const CELLS_DEFAULT = 16;
const CELL_BYTES_DEFAULT = 8192;
/** How long its creator may be between two steps, in ms. */
const CONSTANTS_MS = 1000;

export interface ChannelOptions {
  /** How many calls can be in progress at a time, 1 to 32. Left out: as many as the channel has, or 16. */
  readonly cells?: number | undefined;
  /** Bytes of a cell, a multiple of 64, at least 128; what is longer goes in parts. Left out: as the channel has, or 8192. */
  readonly cellBytes?: number | undefined;
  readonly area?: AreaLike | undefined;
}

/** A channel as this thread and copy sees it. */
export interface Channel {
  readonly name: string;
  readonly bells: Bells;
  readonly steps: CallSteps;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** Byte offset. */
  readonly at: number;
  readonly cells: readonly CellView[];
  readonly cellBytes: number;
}

/** Index in the 32-bit views of a channel's field. */
export const channelWord = ({ at }: { readonly at: number }, field: { readonly offset: number }): number =>
  (at + field.offset) >>> 2;
/** Index in the 32-bit views of a cell's field. */
export const cellWord = channelWord;
export const callerIndex = ({ at }: { readonly at: number }): number => (at + CELL.caller.offset) >>> 3;
export const serverIndex = ({ at }: { readonly at: number }): number => (at + CHANNEL.server.offset) >>> 3;

/**
 * The channel of this name, made if there is none.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 */
export function channelOf(name: string, { cells, cellBytes, area }: ChannelOptions): Channel {
  requireShape({ cells, cellBytes });
  const core = coreFor(area);
  const { views } = core;
  const { offset: at, size } = entryOf(core, name, cells, cellBytes);
  const shape = shapeOf(core, name, at, size, cells, cellBytes);
  const bells = bellsOf(core);
  return {
    name,
    bells,
    steps: bells.steps,
    i32: views.i32,
    u32: views.u32,
    i64: views.i64,
    u8: views.u8,
    at,
    cells: cellViews(views.buffer, at + CHANNEL_CELLS_OFFSET, shape.cellBytes, shape.cells),
    cellBytes: shape.cellBytes,
  };
}

/** @throws COEXIST_EINVAL */
export function requireShape({ cells, cellBytes }: Pick<ChannelOptions, 'cells' | 'cellBytes'>): void {
  if (cells !== undefined && !(Number.isInteger(cells) && cells >= 1 && cells <= CHANNEL_CELLS_MAX)) {
    throw invalid('cells', cells, `an integer from 1 to ${CHANNEL_CELLS_MAX}`);
  }
  if (
    cellBytes !== undefined &&
    !(Number.isInteger(cellBytes) && cellBytes >= CELL_BYTES_MIN && cellBytes % CELL_ALIGN === 0)
  ) {
    throw invalid('cellBytes', cellBytes, `a multiple of ${CELL_ALIGN}, at least ${CELL_BYTES_MIN}`);
  }
}

function entryOf(core: AreaCore, name: string, cells: number | undefined, cellBytes: number | undefined): Entry {
  const size = CHANNEL_CELLS_OFFSET + (cells ?? CELLS_DEFAULT) * (cellBytes ?? CELL_BYTES_DEFAULT);
  try {
    return lookup(core, { name, kind: 'channel', version: 1, size, flags: 0 });
  } catch (error) {
    const { code, found } = error as CoexistError;
    const entry = found as Entry;
    // Of another size: that is the channel's, unless this one was asked for.
    if (code !== 'COEXIST_EKIND' || entry.kind !== 'channel' || entry.version !== 1) throw error;
    if (cells !== undefined && cellBytes !== undefined) throw error;
    return entry;
  }
}

/** Both constants are stored by CAS; what was not asked for follows from what is there, and the size. */
function shapeOf(
  { views: { i32, u32 } }: AreaCore,
  name: string,
  at: number,
  size: number,
  cells: number | undefined,
  cellBytes: number | undefined,
): { readonly cells: number; readonly cellBytes: number } {
  const room = size - CHANNEL_CELLS_OFFSET;
  const wanted = { cells: cells ?? CELLS_DEFAULT, cellBytes: cellBytes ?? CELL_BYTES_DEFAULT };
  const index = channelWord({ at }, CHANNEL.cells);
  const fits = wanted.cells * wanted.cellBytes === room;
  // Its creator is between two steps, or was cut there: only somebody who asks for a shape of this size can go on.
  for (const deadline = host.now() + CONSTANTS_MS; !fits && Atomics.load(u32, index) === 0; ) {
    if (host.now() > deadline) throw otherShape(name, { size, cells: 0 }, { cells, cellBytes });
    Atomics.wait(i32, index, 0, 1);
  }
  const found = Atomics.compareExchange(u32, index, 0, wanted.cells) || wanted.cells;
  const shape = { cells: found, cellBytes: room / found };
  const differs = (cells ?? shape.cells) !== shape.cells || (cellBytes ?? shape.cellBytes) !== shape.cellBytes;
  if (differs) throw otherShape(name, shape, { cells, cellBytes });
  Atomics.compareExchange(u32, channelWord({ at }, CHANNEL.cell_bytes), 0, shape.cellBytes);
  return shape;
}

function otherShape(name: string, found: object, expected: object): CoexistError {
  return new CoexistError('COEXIST_EKIND', `the channel ${show(name)} is of another shape: ${JSON.stringify(found)}`, {
    found,
    expected,
    remedy: 'Leave cells and cellBytes out, or give the same numbers everywhere.',
  });
}
