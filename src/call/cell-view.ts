// A cell as the codec sees it: where its bytes are, and the views they are reached by.

import { CELL_DATA_OFFSET } from '../abi/call.js';
import { host, type TextMemory } from '../host/host.js';

/** One cell and the shared views that it is reached by. */
export interface CellView {
  /** Where it begins, in bytes. */
  readonly at: number;
  /** Most bytes of a part. */
  readonly capacity: number;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly text: TextMemory;
}

/** `count` cells, from `at` on. */
export function cellViews(buffer: SharedArrayBuffer, at: number, cellBytes: number, count: number): CellView[] {
  const u8 = new Uint8Array(buffer);
  const i32 = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
  const u32 = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
  const f64 = new Float64Array(buffer, 0, buffer.byteLength >>> 3);
  const text = host.textIn(buffer);
  const capacity = cellBytes - CELL_DATA_OFFSET;
  return Array.from({ length: count }, (_, k) => ({ at: at + k * cellBytes, capacity, u8, i32, u32, f64, text }));
}
