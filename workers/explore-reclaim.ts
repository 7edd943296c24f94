// Explored: a sweep that races claims (clauses 24, 25 and 30). Thread 0 registers, and is the one worth killing; thread 1
// sweeps and then registers; every further thread registers.

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
export const prepare = (context: ExploreContext) => openRig(context);
export const reset = resetRig;
export const invariant = checkSlots;
export const observed = observedBySlots;
export const after = checkEnd;
export const names = nameInArea;

function thread(context: ExploreContext): void {
  if (context.index === 1) rigOf(context).area.reclaim();
  unregister(context, register(context));
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
