// Explored: thread 0 was cut in the middle of a claim, which left a slot held as minus its identity; it registers again while
// others claim (clause 24).

import type { ExploreContext } from '../src/explore.js';
import {
  checkEnd,
  checkSlots,
  makeArea,
  nameInArea,
  observedBySlots,
  openRig,
  type ProtocolData,
  type Rig,
  register,
  resetRig,
  unregister,
} from './explore-area.js';

const BUSY = 1;

export const setup = (context: ExploreContext) => makeArea(context, (context.data as ProtocolData).threads);
export const prepare = (context: ExploreContext) =>
  openRig(context, ({ core, inner, identity }: Rig) => {
    if (context.index !== 0) return;
    inner.anchor[BUSY] = 1;
    inner.views.i64[inner.ownerIndex(0)] = -identity;
    inner.views.u32[core.HEADER.slot_high_water.offset >>> 2] = 1;
  });
export const reset = resetRig;
export const invariant = checkSlots;
export const observed = observedBySlots;
export const after = checkEnd;
export const names = nameInArea;

const thread = (context: ExploreContext): void => unregister(context, register(context));

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
