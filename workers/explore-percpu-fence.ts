// Explored: a thread that turns a pointer from one side to the other and fences, against threads that add through the pointer (operation 4,
// clauses 53 and 55). Behind the fence nobody adds to the old side any more, and no addition is lost. Variant: slot (owner-only sections).

import type { PerCpu } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert } from './explore-area.js';
import { dataOf, ended, finished, inRow, own, preparing, rigOf, setOwn, threadsOf, wordAt } from './explore-percpu.js';

export { setup } from './explore-percpu.js';

/** The pointer; then two sides, each a pointer for each thread; then what those lead to. */
const POINTER = 4;
const side = (which: number, thread: number): number => 8 + 8 * which + thread;
const count = (which: number, thread: number): number => 32 + 8 * which + thread;
/** In the row of a thread: what the flipper saw of its old side, + 1; how often it has added. */
const SEEN = 0;
const ADDED = 1;
const TIMES = 2;

export async function prepare(context: ExploreContext): Promise<unknown> {
  const index = dataOf(context).variant === 'slot' ? 'slot' : 'cpu';
  const rig = await preparing((core, area) => new core.PerCpu('words', { bytes: 4, index, area }))(context);
  const at = (k: number): number => rig.area.geometry.heapOffset + 4 * k;
  const { i32 } = context;
  i32[at(POINTER) >>> 2] = at(side(0, 0));
  for (const which of [0, 1])
    for (let thread = 0; thread < context.threads; thread++)
      i32[at(side(which, thread)) >>> 2] = at(count(which, thread));
  return rig;
}

function thread(context: ExploreContext): void {
  const { core, area, object: words } = rigOf<PerCpu>(context);
  const pointer = wordAt(context, POINTER);
  if (context.index === 0) {
    Atomics.store(context.i32, pointer >>> 2, wordAt(context, side(1, 0)));
    core.fence({ area });
    // An operation, so that the word counts as one that two threads use.
    const seen = (k: number): number => Atomics.load(context.i32, wordAt(context, count(0, k)) >>> 2);
    for (let k = 0; k < context.threads; k++) setOwn(context, inRow(k, SEEN), seen(k) + 1);
  } else {
    const { ops } = core;
    for (let n = 0; n < TIMES; n++) {
      while (
        ops.load_add_load_load_add_store(words, pointer, 4 * context.index, 1, words.start(), 'release') !== ops.DONE
      );
      setOwn(context, inRow(context.index, ADDED), n + 1);
    }
  }
  finished(context);
}

export const threads = threadsOf(thread);

export function after(context: ExploreContext): void {
  ended(context, true);
  for (let k = 1; k < context.threads; k++) {
    const [old, now] = [own(context, count(0, k)), own(context, count(1, k))];
    const seen = own(context, inRow(k, SEEN)) - 1;
    assert(seen < 0 || old === seen, `thread ${k} went on adding to the old side: ${old}, ${seen} behind the fence`);
    const added = own(context, inRow(k, ADDED));
    const most = context.killed(k) ? added + 1 : added;
    assert(old + now >= added && old + now <= most, `thread ${k} has added ${added}, the sides hold ${old} and ${now}`);
  }
}

export function names(address: number, context: ExploreContext): string | undefined {
  if (address === wordAt(context, POINTER)) return 'pointer';
  for (const which of [0, 1])
    for (let k = 0; k < context.threads; k++) {
      if (address === wordAt(context, side(which, k))) return `side ${which}[${k}]`;
      if (address === wordAt(context, count(which, k))) return `count ${which}[${k}]`;
    }
  const { slotOffset, slotStride } = rigOf(context).area.geometry;
  const at = address - slotOffset - rigOf(context).core.SLOT.rseq_cs.offset;
  return at >= 0 && at % slotStride === 0 && at / slotStride < context.threads
    ? `rseq_cs[${at / slotStride}]`
    : undefined;
}
