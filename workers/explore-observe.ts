// Explored: thread 1 looks at the slots while the others register and unregister (clause 31). Nobody here is permanent, so a row
// that says so was half read.

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

export const setup = (context: ExploreContext) => makeArea(context, 2);
export const prepare = (context: ExploreContext) => openRig(context);
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
    assert(row.refcount > 0, `the row of slot ${row.slot} shows a permanent owner`);
    assert(row.cpuId === row.slot && row.generation > 0, `the row of slot ${row.slot} shows cpu ${row.cpuId}`);
  }
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
