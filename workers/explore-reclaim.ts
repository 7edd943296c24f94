// Explored: a sweep that races claims (clauses 24, 25 and 30). Slot 0 belongs to a dead thread when it begins;
// every thread sweeps and then registers.

import type { ExploreContext } from '../src/explore.js';
import {
  checkEnd,
  checkSlots,
  makeArea,
  nameInArea,
  observedBySlots,
  openRig,
  type ProtocolData,
  register,
  resetRig,
  rigOf,
  unregister,
} from './explore-area.js';

export const setup = (context: ExploreContext) => makeArea(context, (context.data as ProtocolData).threads);
export const prepare = (context: ExploreContext) =>
  openRig(context, ({ core, inner }) => {
    inner.views.i64[inner.ownerIndex(0)] = context.ghost;
    inner.views.u32[core.HEADER.slot_high_water.offset >>> 2] = 1;
    inner.views.u32[core.HEADER.slot_hint.offset >>> 2] = 1;
  });
export const reset = resetRig;
export const invariant = checkSlots;
export const observed = observedBySlots;
export const after = checkEnd;
export const names = nameInArea;

function thread(context: ExploreContext): void {
  rigOf(context).area.reclaim();
  unregister(context, register(context));
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
