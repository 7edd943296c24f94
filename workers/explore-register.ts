// Explored: registering, twice in each thread, and unregistering (docs/ABI.md, clauses 23, 25, 27, 28 and 31).

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
  unregister,
} from './explore-area.js';

export const setup = (context: ExploreContext) => makeArea(context, 4);
export const prepare = (context: ExploreContext) => openRig(context);
export const reset = resetRig;
export const invariant = checkSlots;
export const observed = observedBySlots;
export const after = checkEnd;
export const names = nameInArea;

function thread(context: ExploreContext): void {
  const first = register(context);
  const second = register(context);
  unregister(context, second);
  unregister(context, first);
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
