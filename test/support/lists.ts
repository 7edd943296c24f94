// Lists through one cell of plain shared memory, as a caller and a server pass them in turn, without a channel around it.

import { CELL, CELL_DATA_OFFSET } from 'coexist/abi';
import { Beside } from '../../src/call/beside.js';
import {
  type CellView,
  cellViews,
  isFailed,
  type Rest,
  readBytes,
  readList,
  wantsPort,
  writeList,
  writePart,
} from '../../src/call/payload.js';

const CELL_AT = 64;
const LARGEST = 8192;

const buffer = new SharedArrayBuffer(CELL_AT + LARGEST);
const words = new Int32Array(buffer);
const bytes = new Uint8Array(buffer);

export const field = (name: keyof typeof CELL): number => words[(CELL_AT + CELL[name].offset) >>> 2] as number;
export const setField = (name: keyof typeof CELL, value: number): void => {
  words[(CELL_AT + CELL[name].offset) >>> 2] = value;
};
export const data = bytes.subarray(CELL_AT + CELL_DATA_OFFSET);

export const cellOf = (size: number): CellView => {
  const [cell] = cellViews(buffer, CELL_AT, size, 1);
  if (cell === undefined) throw new Error('no cell');
  return cell;
};

export interface Passed {
  readonly list: unknown[];
  readonly encoding: number;
  readonly failed: boolean;
  readonly parts: number;
}

interface Way {
  /** Bytes of the cell. */
  readonly size?: number;
  readonly failed?: boolean;
  /** Whether the receiver has no port until it is asked for one. */
  readonly asks?: boolean;
}

/** Writes a list and reads it back, in as many parts as the cell makes of it. */
export const pass = (list: readonly unknown[], way: Way = {}): Passed => begin(list, way)();

/** Writes a list; what is returned takes the parts and reads it. */
export function begin(
  list: readonly unknown[],
  { size = LARGEST, failed = false, asks = true }: Way = {},
): () => Passed {
  const cell = cellOf(size);
  data.fill(0xa5);
  const [sender, receiver] = [new Beside(4711), new Beside(4711)];
  const close = (): void => {
    sender.close();
    receiver.close();
  };
  let rest: Rest | undefined;
  try {
    rest = writeList(cell, list, failed, sender, asks ? 0 : receiver.port);
  } catch (error) {
    close();
    throw error;
  }
  return () => {
    try {
      const word = field('encoding');
      const told = { encoding: word & 0xff, failed: isFailed(word) };
      if (rest === undefined) return { ...told, list: readList(cell, receiver), parts: 1 };
      const all = new Uint8Array(field('total'));
      const take = (from: number): number => {
        all.set(data.subarray(0, field('length')), from);
        return from + field('length');
      };
      const port = wantsPort(word, field('length')) ? receiver.port : 0;
      let parts = 1;
      for (let read = take(0); read < all.length; read = take(read)) {
        data.fill(0xa5);
        writePart(cell, rest, read, port);
        parts++;
      }
      return { ...told, list: readBytes(word, all, receiver), parts };
    } finally {
      close();
    }
  };
}
