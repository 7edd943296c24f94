// Explored: creating keys in the directory (clauses 33 to 36). All threads make the counter `a`; thread 1 makes `b` before, so that
// they contend for entries under different names as well. Threads are registered before, so that only the directory is explored.

import type { ExploreContext } from '../src/explore.js';
import {
  anyKilled,
  assert,
  makeArea,
  nameInArea,
  openRig,
  type ProtocolData,
  resetRig,
  rigOf,
} from './explore-area.js';

const READY = 2;

export const setup = (context: ExploreContext) => makeArea(context, context.threads);
export const prepare = (context: ExploreContext) => openRig(context, ({ core, area }) => core.register({ area }));
export const reset = resetRig;
export const names = nameInArea;

/** What each thread has added, in the ledger's row of it. */
const ADDED = 4;
const ROW = 8;
const NAMES = ['a', 'b'];

function thread(context: ExploreContext): void {
  const { core, area, ledger } = rigOf(context);
  for (const name of context.index === 1 ? ['b', 'a'] : ['a']) {
    const counter = new core.Counter(name, { area });
    counter.add(1);
    ledger[context.index * ROW + ADDED + NAMES.indexOf(name)]! -= 1;
  }
}

export function after(context: ExploreContext): void {
  const { core, area, ledger, inner } = rigOf(context);
  const { u32, u8 } = inner.views;
  const { directoryOffset } = area.geometry;
  const seen = new Map<string, number>();
  let free = false;
  for (let k = 0; k < context.threads + 2; k++) {
    const at = directoryOffset + k * core.ENTRY_BYTES;
    const field = (name: 'state' | 'offset' | 'name_length'): number =>
      u32[(at + core.ENTRY[name].offset) >>> 2] as number;
    if (field('state') !== READY) {
      free = true;
      continue;
    }
    assert(!free, `entry ${k} is ready behind one that is not`);
    const name = String.fromCharCode(
      ...u8.subarray(at + core.ENTRY.name.offset, at + core.ENTRY.name.offset + field('name_length')),
    );
    assert(NAMES.includes(name), `entry ${k} has the name ${JSON.stringify(name)}`);
    assert(!seen.has(name), `two entries have the name ${name}`);
    for (const offset of seen.values()) assert(offset !== field('offset'), 'two keys have one range');
    seen.set(name, field('offset'));
  }
  // Whoever waits for an unfinished entry is woken, unless its creator died.
  if (!anyKilled(context)) assert(context.elapsed() === 0, `a waiter slept for ${context.elapsed()} ms unnoticed`);
  for (const [k, name] of NAMES.entries()) {
    let added = 0;
    for (let row = 0; row < context.threads; row++) added -= ledger[row * ROW + ADDED + k] as number;
    const offset = seen.get(name);
    if (added > 0) assert(offset !== undefined, `${name} was counted in, and has no entry`);
    if (offset === undefined) continue;
    const sum = inner.transitions.sum(offset);
    assert(sum === BigInt(added), `${added} were added to ${name}, its sum is ${sum}`);
  }
}

export const threads = ({ threads: count }: ProtocolData) => Array.from({ length: count }, () => thread);
