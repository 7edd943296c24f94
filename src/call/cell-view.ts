// A cell as the codec sees it: where its bytes are, and the views they are reached by.

import type { Views } from '../abi/views.js';
import { host, type TextMemory } from '../host/host.js';

/** One cell and the shared views that it is reached by. */
export interface CellView {
  /** Where it begins, in bytes. */
  readonly at: number;
  /** Most bytes of a part. */
  readonly capacity: number;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly text: TextMemory;
}

/** Cells that begin at these places. */
export function cellViewsOf(
  views: Omit<Views, 'i64' | 'memory'>,
  places: readonly number[],
  capacity: number,
): CellView[] {
  const { buffer, i32, u32, u8 } = views;
  const f64 = new Float64Array(buffer, 0, buffer.byteLength >>> 3);
  const text = host.textIn(buffer);
  return places.map((at) => ({ at, capacity, i32, u32, f64, u8, text }));
}
