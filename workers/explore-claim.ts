// Explored: claiming where there is one slot less than threads (clauses 23 to 26). Whoever finds the table full gets
// COEXIST_EFULL, and only then.

import type { ExploreContext } from '../src/explore.js';
import {
  anyKilled,
  assert,
  checkEnd,
  checkSlots,
  everOf,
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

export const setup = (context: ExploreContext) => makeArea(context, (context.data as ProtocolData).threads - 1);
export const prepare = (context: ExploreContext) => openRig(context);
export const reset = resetRig;
export const invariant = checkSlots;
export const observed = observedBySlots;
export const names = nameInArea;

export function after(context: ExploreContext): void {
  let got = 0;
  for (let thread = 0; thread < context.threads; thread++) got += everOf(rigOf(context), thread);
  if (!anyKilled(context)) assert(got >= context.threads - 1, `only ${got} threads found a slot`);
  checkEnd(context);
}

function thread(context: ExploreContext): void {
  let registration: ReturnType<typeof register>;
  try {
    registration = register(context);
  } catch (error) {
    if ((error as { code?: string }).code !== 'COEXIST_EFULL') throw error;
    return;
  }
  unregister(context, registration);
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
