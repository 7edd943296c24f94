// Explored: threads that allocate and free the items of one pool (clause 57). No item is given to two threads, each comes clean, and none is
// lost but with who had it. Variant: dead (the first item belongs to a dead thread, and everybody frees those).

import type { Pool } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert } from './explore-area.js';
import { dataOf, ended, finished, inRow, own, preparing, rigOf, setOwn, threadsOf } from './explore-percpu.js';

export { setup } from './explore-percpu.js';

const BYTES = 8;
const HELD = 0;
const ALLOCATED_BY = 64;

export async function prepare(context: ExploreContext): Promise<unknown> {
  const rig = await preparing((core, area) => {
    return new core.Pool('a pool', { item: BYTES, items: context.threads, robust: true, area });
  })(context);
  if (context.index === 0 && dataOf(context).variant === 'dead') {
    const item = rig.object.alloc();
    context.i64[poolAt(context, rig.core, rig.area) / 8 + ALLOCATED_BY / 8] = context.ghost;
    context.i32[item >>> 2] = -1;
  }
  return rig;
}

type Rig = ReturnType<typeof rigOf<Pool>>;

function poolAt({ i32 }: ExploreContext, core: Rig['core'], area: Rig['area']): number {
  for (let entry = area.geometry.directoryOffset; ; entry += core.ENTRY_BYTES) {
    if (i32[(entry + core.ENTRY.kind.offset) >>> 2] !== core.KINDS.pool.number) continue;
    return i32[(entry + core.ENTRY.offset.offset) >>> 2] as number;
  }
}

function allocate(context: ExploreContext): number {
  const item = rigOf<Pool>(context).object.alloc();
  for (let thread = 0; thread < context.threads; thread++) {
    if (thread === context.index || context.killed(thread)) continue;
    assert(own(context, inRow(thread, HELD)) !== item, `item ${item} is given to ${context.index}, ${thread} has it`);
  }
  setOwn(context, inRow(context.index, HELD), item);
  for (const k of [0, 1]) assert(context.i32[(item >>> 2) + k] === 0, `item ${item} does not come clean`);
  context.i32[item >>> 2] = context.index + 1;
  return item;
}

function free(context: ExploreContext, item: number): void {
  const found = context.i32[item >>> 2];
  assert(found === context.index + 1, `item ${item} of thread ${context.index} was overwritten: ${found}`);
  setOwn(context, inRow(context.index, HELD), 0);
  rigOf<Pool>(context).object.free(item);
}

function thread(context: ExploreContext): void {
  const { object: pool } = rigOf<Pool>(context);
  if (dataOf(context).variant === 'dead') pool.freeDead();
  else free(context, allocate(context));
  allocate(context);
  finished(context);
}

export const threads = threadsOf(thread);

export function after(context: ExploreContext): void {
  const killed = ended(context);
  const { core, area } = rigOf<Pool>(context);
  const at = poolAt(context, core, area);
  const word = (offset: number): number => context.i32[(at + offset) >>> 2] as number;
  let allocated = 0;
  for (let k = 0; k < context.threads; k++) {
    const state = word(core.POOL_BYTES + k * core.POOL_ITEM_BYTES + core.POOL_ITEM.state.offset);
    if (state === core.ITEM_ALLOCATED) allocated++;
    assert(state < core.ITEM_SET_ASIDE, `item ${k} was set aside`);
  }
  let held = 0;
  for (let k = 0; k < context.threads; k++) {
    const item = own(context, inRow(k, HELD));
    if (context.killed(k)) continue;
    held++;
    const found = context.i32[item >>> 2];
    assert(found === k + 1, `item ${item} of thread ${k} was overwritten: ${found}`);
  }
  assert(allocated >= held && allocated <= held + killed, `${allocated} items are allocated, ${held} are held`);
  if (killed > 0) return;
  assert(word(core.POOL.allocated.offset) === allocated, `the count is ${word(core.POOL.allocated.offset)}`);
  assert(word(core.POOL.free.offset) === 0, 'the list of free items is not empty');
  assert(context.i64[at >>> 3] === 0n, `the lock is ${context.i64[at >>> 3]} at the end`);
}
