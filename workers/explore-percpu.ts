// What the explored programs on per-CPU data share: a private area on a machine of one CPU, so that all threads are at one shard; every
// thread registered before it begins, so that registration is not explored again; and words of the heap that a thread writes with ordinary
// stores right behind the call they are about, so that no schedule comes in between.

import type * as Core from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert, loadCore, type ProtocolData } from './explore-area.js';

interface PerCpuData extends ProtocolData {
  readonly kills: number;
  readonly variant?: string | undefined;
}

export interface PerCpuRig<T> {
  readonly core: typeof Core;
  readonly area: Core.Area;
  /** What the program is about, opened by this thread. */
  readonly object: T;
}

/** Bytes at the beginning of the heap that are the program's own. */
const OWN_BYTES = 1024;
const ROW = 8;
const ROWS_AT = 64;
/** A dead owner is found, and the word taken over, within this much virtual time. */
const TAKE_OVER_MS = 200;

export const dataOf = (context: ExploreContext): PerCpuData => context.data as PerCpuData;
export const rigOf = <T>(context: ExploreContext): PerCpuRig<T> => context.state as PerCpuRig<T>;

export async function setup(context: ExploreContext): Promise<Core.AreaValue> {
  const core = await loadCore(context);
  const area = core.createArea({ slots: context.threads, blockBytes: 4096, heapBytes: 4096 });
  core.viewsOf(area.buffer).u32[core.HEADER.heap_used.offset >>> 2] = OWN_BYTES;
  return area.memory ?? area.buffer;
}

/** Opens the area and the object; `first` runs in the first thread, and what it leaves is what every schedule starts from. */
export const preparing =
  <T>(
    open: (core: typeof Core, area: Core.Area) => T,
    first: (context: ExploreContext, object: T) => void = () => {},
  ) =>
  async (context: ExploreContext): Promise<PerCpuRig<T>> => {
    const core = await loadCore(context);
    core.host.possibleCpus = () => 1;
    const area = core.openArea(context.memory as Core.AreaValue);
    const object = open(core, area);
    // Made when first used, which must not be in a schedule: views and wasm for a word that is held.
    core.Mutex.at(context.memory as Core.LockMemory, area.geometry.heapOffset);
    if (context.index === 0) first(context, object);
    return { core, area, object };
  };

/** Byte offset of the program's own word k. */
export const wordAt = (context: ExploreContext, k: number): number => rigOf(context).area.geometry.heapOffset + 4 * k;

/** A word of the program's own, read and written with ordinary accesses. */
export const own = (context: ExploreContext, k: number): number => context.i32[wordAt(context, k) >>> 2] as number;
export function setOwn(context: ExploreContext, k: number, value: number): void {
  context.i32[wordAt(context, k) >>> 2] = value;
}

/** Word j of a thread's row. */
export const inRow = (thread: number, j: number): number => ROWS_AT + thread * ROW + j;

/** Runs a thread's part, and notes that it has come to its end. */
export const DONE = 7;
export function finished(context: ExploreContext): void {
  setOwn(context, inRow(context.index, DONE), 1);
}

/** What every program promises: who was not killed has finished, and nobody slept unless somebody died. Returns how many were killed. */
export function ended(context: ExploreContext, sleeps = false): number {
  let killed = 0;
  for (let thread = 0; thread < context.threads; thread++) {
    if (context.killed(thread)) killed++;
    else assert(own(context, inRow(thread, DONE)) === 1, `thread ${thread} has not finished`);
  }
  const limit = killed > 0 ? TAKE_OVER_MS * killed : 0;
  if (!sleeps || killed > 0)
    assert(
      context.elapsed() <= limit + (sleeps ? TAKE_OVER_MS : 0),
      `${context.elapsed()} ms passed while nobody could run`,
    );
  return killed;
}

/** The nodes, entries or items of a program: which of them are where. Each may be in one place only. */
export class Places {
  readonly #seen = new Map<number, string>();

  put(what: number, where: string): void {
    const before = this.#seen.get(what);
    assert(before === undefined, `${what} is twice: ${before}, and ${where}`);
    this.#seen.set(what, where);
  }

  has(what: number): boolean {
    return this.#seen.has(what);
  }

  get all(): IterableIterator<number> {
    return this.#seen.keys();
  }
}

export const threadsOf =
  (run: (context: ExploreContext) => void) =>
  (data: unknown): ((context: ExploreContext) => void)[] =>
    Array.from({ length: (data as PerCpuData).threads }, () => run);
