// Explored: threads that push into and pop from one bounded buffer of a shard (clause 56). Every entry is pushed once: none is lost but with
// who popped it, none is doubled, and none is there that nobody pushed.

import type { PerCpuBuffer } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert } from './explore-area.js';
import { ended, finished, inRow, own, Places, preparing, rigOf, setOwn, threadsOf } from './explore-percpu.js';

export { setup } from './explore-percpu.js';

const CAPACITY = 3;
const FIRST = [1, 2];
const GOT = 0;
const PUSHED = 1;
const entryOf = (thread: number): number => 10 + thread;

export const prepare = preparing(
  (core, area) => new core.PerCpuBuffer('a buffer', { capacity: CAPACITY, area }),
  (_, buffer) => {
    for (const entry of FIRST) buffer.push(entry);
  },
);

function thread(context: ExploreContext): void {
  const { object: buffer } = rigOf<PerCpuBuffer>(context);
  const pop = (): void => setOwn(context, inRow(context.index, GOT), buffer.pop() ?? 0);
  const push = (): void => setOwn(context, inRow(context.index, PUSHED), buffer.push(entryOf(context.index)) ? 1 : 2);
  for (const step of context.index % 2 === 0 ? [push, pop] : [pop, push]) step();
  finished(context);
}

export const threads = threadsOf(thread);

export function after(context: ExploreContext): void {
  const killed = ended(context);
  const places = new Places();
  for (const entry of rigOf<PerCpuBuffer>(context).object.entries(0)) places.put(entry, 'in the buffer');
  const expected = [...FIRST];
  const possible = [...FIRST];
  for (let thread = 0; thread < context.threads; thread++) {
    const got = own(context, inRow(thread, GOT));
    if (got !== 0) places.put(got, `with thread ${thread}`);
    const pushed = own(context, inRow(thread, PUSHED));
    if (pushed === 1) expected.push(entryOf(thread));
    if (pushed === 1 || (pushed === 0 && context.killed(thread))) possible.push(entryOf(thread));
  }
  for (const entry of places.all) assert(possible.includes(entry), `nobody pushed ${entry}`);
  const lost = expected.filter((entry) => !places.has(entry)).length;
  assert(lost <= killed, `${lost} entries are lost, ${killed} threads were killed`);
}
