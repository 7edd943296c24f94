// Explored: threads that push and pop one list of a shard (clause 56). The first pushes a node of its own and pops; the others pop two nodes and
// push the first of them again, as a node comes back under the eyes of one that pops. No node is lost but with who had it, none is doubled.

import type { PerCpuList } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert } from './explore-area.js';
import { ended, finished, inRow, own, Places, preparing, rigOf, setOwn, threadsOf, wordAt } from './explore-percpu.js';

export { setup } from './explore-percpu.js';

/** Words of the nodes: two on the list, and one for each thread that pushes its own. */
const NODES = 16;
const node = (context: ExploreContext, k: number): number => wordAt(context, NODES + 4 * k);
const LISTED = 2;

const open = preparing((core, area) => new core.PerCpuList('a list', { area }));

export async function prepare(context: ExploreContext): Promise<unknown> {
  const rig = await open(context);
  const { heapOffset } = rig.area.geometry;
  if (context.index === 0) for (const k of [1, 0]) rig.object.push(heapOffset + 4 * (NODES + 4 * k));
  return rig;
}

function pop(context: ExploreContext, k: number): number {
  const got = rigOf<PerCpuList>(context).object.pop();
  setOwn(context, inRow(context.index, k), got);
  return got;
}

function thread(context: ExploreContext): void {
  const { object: list } = rigOf<PerCpuList>(context);
  if (context.index % 2 === 0) {
    list.push(node(context, LISTED + context.index));
    pop(context, 0);
  } else {
    const first = pop(context, 0);
    pop(context, 1);
    if (first !== 0) {
      setOwn(context, inRow(context.index, 0), 0);
      list.push(first);
    }
  }
  finished(context);
}

export const threads = threadsOf(thread);

export function after(context: ExploreContext): void {
  const killed = ended(context);
  const { object: list } = rigOf<PerCpuList>(context);
  const places = new Places();
  for (const at of list.nodes(0)) places.put(at, 'on the list');
  for (let thread = 0; thread < context.threads; thread++) {
    for (const k of [0, 1]) {
      const got = own(context, inRow(thread, k));
      if (got !== 0) places.put(got, `with thread ${thread}`);
    }
  }
  const known = [0, 1, ...Array.from({ length: context.threads }, (_, k) => LISTED + k)].map((k) => node(context, k));
  for (const at of places.all) assert(known.includes(at), `${at} is no node`);
  let lost = 0;
  for (const k of [0, 1, 2, 3, 4, 5]) {
    const pusher = k - LISTED;
    const used = k < LISTED || (pusher < context.threads && pusher % 2 === 0);
    if (used && !places.has(node(context, k))) lost++;
  }
  assert(lost <= 2 * killed, `${lost} nodes are lost, ${killed} threads were killed`);
}

export function names(address: number, context: ExploreContext): string | undefined {
  for (let k = 0; k < 6; k++) if (address === node(context, k)) return `node ${k}.next`;
  const list = rigOf(context).area.geometry;
  return address < list.heapOffset ? undefined : `heap+${address - list.heapOffset}`;
}
