// Explored: thread 1 looks at the slots while the others register once and unregister (clauses 20 and 31). Slot 0 is as a sweep leaves
// that of a dead thread: free, with whatever it held. A row that shows anything but one registration was half read.

import type { ExploreContext } from '../src/explore.js';
import {
  assert,
  checkEnd,
  makeArea,
  nameInArea,
  openRig,
  type ProtocolData,
  register,
  resetRig,
  rigOf,
  unregister,
} from './explore-area.js';

export const setup = (context: ExploreContext) => makeArea(context, (context.data as ProtocolData).threads);
export const prepare = (context: ExploreContext) =>
  openRig(context, ({ core, area, inner }) => {
    const at = area.geometry.slotOffset;
    inner.views.i32[(at + core.SLOT.cpu_id.offset) >>> 2] = 0;
    inner.views.i32[(at + core.SLOT.refcount.offset) >>> 2] = 7;
    inner.views.i32[(at + core.SLOT.generation.offset) >>> 2] = 3;
    inner.views.u32[core.HEADER.slot_high_water.offset >>> 2] = 1;
  });
export const reset = resetRig;
export const after = checkEnd;
export const names = nameInArea;

function thread(context: ExploreContext): void {
  if (context.index !== 1) {
    unregister(context, register(context));
    return;
  }
  const { area } = rigOf(context);
  for (const row of area.inspect().slots) {
    assert(row.refcount === 1, `the row of slot ${row.slot} shows ${row.refcount} registrations`);
    assert(row.cpuId === row.slot && row.generation > 0, `the row of slot ${row.slot} shows cpu ${row.cpuId}`);
  }
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
