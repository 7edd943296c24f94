// What comes in several parts, as it is put together (docs/ABI.md, clause 66): a request at its server, a reply at its caller.

import { CELL, CELL_DATA_OFFSET, TOTAL_MAX } from '../abi/call.js';
import { invalid } from '../abi/errors.js';
import type { CellView } from './payload.js';

export interface Parts {
  /** Of the first part. */
  readonly encoding: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes that have come. */
  done: number;
}

/**
 * Adds the part in a cell to those before it, or begins with it.
 * @throws COEXIST_EINVAL where the other side wrote sizes that cannot be
 */
export function addPart(parts: Parts | undefined, cell: CellView): Parts {
  const word = (field: { readonly offset: number }): number => cell.u32[(cell.at + field.offset) >>> 2] as number;
  const [length, total] = [word(CELL.length), word(CELL.total)];
  if (parts === undefined && total > TOTAL_MAX) throw invalid('total', total, `at most ${TOTAL_MAX}`);
  const all = parts ?? { encoding: word(CELL.encoding), bytes: new Uint8Array(total), done: 0 };
  // None would never come to an end.
  if (length < 1 || length > Math.min(cell.capacity, all.bytes.length - all.done)) {
    throw invalid('length', length, `1 to what is left of ${total} bytes, and fits into a cell`);
  }
  const start = cell.at + CELL_DATA_OFFSET;
  all.bytes.set(cell.u8.subarray(start, start + length), all.done);
  all.done += length;
  return all;
}

export const allThere = ({ bytes, done }: Parts): boolean => done >= bytes.length;
