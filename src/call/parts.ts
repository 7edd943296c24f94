// What comes in several parts, as it is put together (docs/ABI.md, clause 66): a request at its server, a reply at its caller.

import { CELL, CELL_DATA_OFFSET } from '../abi/call.js';
import type { CellView } from './payload.js';

export interface Parts {
  /** Of the first part. */
  readonly encoding: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes that have come. */
  done: number;
}

/** Adds the part in a cell to those before it, or begins with it. */
export function addPart(parts: Parts | undefined, cell: CellView): Parts {
  const word = (field: { readonly offset: number }): number => cell.u32[(cell.at + field.offset) >>> 2] as number;
  const all = parts ?? { encoding: word(CELL.encoding), bytes: new Uint8Array(word(CELL.total)), done: 0 };
  const length = Math.min(word(CELL.length), cell.capacity, all.bytes.length - all.done);
  const start = cell.at + CELL_DATA_OFFSET;
  all.bytes.set(cell.u8.subarray(start, start + length), all.done);
  all.done += length;
  return all;
}

export const allThere = ({ bytes, done }: Parts): boolean => done >= bytes.length;
