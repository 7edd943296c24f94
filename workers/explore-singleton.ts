// Explored: threads that acquire, use and release one singleton (clauses 67 and 68), whose instance is a word of memory. Each generation is
// constructed once, is finalized once at most, and never while somebody holds it; what one holds is constructed and not finalized.
// Variants: get (all but the first only look), throws (the first constructor throws, the others retry), loan (the first thread lends
// to the second), revoke (it may take the loan back), reclaim (a dead thread holds it; all reclaim), discard (it goes with its
// creator, who is dead), nested (one takes two references, the others reclaim), twice (each thread acquires twice).

import type { AreaValue, KindName, MemoryReference, MemorySingleton } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { anyKilled, assert, loadCore } from './explore-area.js';
import { dataOf, finished, inRow, own, preparing, rigOf, setOwn, threadsOf, wordAt } from './explore-percpu.js';

/** A loan takes a row as well. */
const SLOTS_MORE = 2;
const OWN_BYTES = 1024;

export async function setup(context: ExploreContext): Promise<AreaValue> {
  const core = await loadCore(context);
  const area = core.createArea({ slots: context.threads + SLOTS_MORE, blockBytes: 4096, heapBytes: 4096 });
  core.viewsOf(area.buffer).u32[core.HEADER.heap_used.offset >>> 2] = OWN_BYTES;
  return area.memory ?? area.buffer;
}

const KEY = 'one';
const BYTES = 8;
const LATE_MS = 200;

/** Words of a thread's row. */
const HOLDS = 0;
const HELD_GENERATION = 1;
const DONE = 7;
/** Of the program: how often the constructor and the finalizer of a generation have begun, and the loan. */
const CONSTRUCTED = 0;
const FINALIZED = 8;
const LOAN_ROW = 16;
const LOAN_NUMBER = 17;
const THREW = 18;
const MOST_GENERATIONS = 8;

interface One {
  singleton: MemorySingleton;
  readonly at: number;
}

type Rig = ReturnType<typeof rigOf<One>>;

const oneOf = (context: ExploreContext): One => rigOf<One>(context).object;

function word(context: ExploreContext, name: 'state' | 'holders_used'): number {
  const { core, object } = rigOf<One>(context);
  return context.i32[(object.at + core.SINGLETON[name].offset) >>> 2] as number;
}
const phaseOf = (context: ExploreContext): number => word(context, 'state') & rigOf(context).core.SINGLETON_PHASE_MASK;
const generationOf = (context: ExploreContext): number =>
  word(context, 'state') >>> rigOf(context).core.SINGLETON_GENERATION_SHIFT;
const bump = (context: ExploreContext, k: number): number => {
  setOwn(context, k, own(context, k) + 1);
  return own(context, k);
};

function declare(context: ExploreContext, core: Rig['core'], area: Rig['area'], at: () => number): MemorySingleton {
  const { variant } = dataOf(context);
  const generation = (): number =>
    (context.i32[(at() + core.SINGLETON.state.offset) >>> 2] as number) >>> core.SINGLETON_GENERATION_SHIFT;
  return core.singleton(KEY, {
    bytes: BYTES,
    area,
    onOwnerDeath: variant === 'discard' ? 'discard' : 'keep',
    create({ i32 }) {
      const g = generation();
      assert(g < MOST_GENERATIONS, `generation ${g}`);
      assert(bump(context, CONSTRUCTED + g) === 1, `generation ${g} is constructed twice`);
      assert(Atomics.load(i32, 0) === 0, 'the constructor finds memory that is not zeroed');
      if (variant === 'throws' && context.index === 0 && own(context, THREW) === 0) {
        setOwn(context, THREW, 1);
        throw new RangeError('planned');
      }
      Atomics.store(i32, 0, g + 1);
    },
    finalize({ i32 }) {
      const g = generation();
      assert(bump(context, FINALIZED + g) === 1, `generation ${g} is finalized twice`);
      assert(own(context, CONSTRUCTED + g) === 1, `generation ${g} is finalized and was never constructed`);
      for (let thread = 0; thread < context.threads; thread++) {
        if (context.killed(thread) || own(context, inRow(thread, HOLDS)) === 0) continue;
        const held = own(context, inRow(thread, HELD_GENERATION));
        assert(held !== g, `generation ${g} is finalized, thread ${thread} holds it`);
      }
      assert(Atomics.load(i32, 0) === g + 1, 'the finalizer finds another instance');
      Atomics.store(i32, 0, -1);
    },
  });
}

export async function prepare(context: ExploreContext): Promise<unknown> {
  const rig = await preparing<One>((core, area) => {
    // Nothing runs behind the end of a schedule.
    core.host.later = () => {};
    let at = 0;
    const singleton = declare(context, core, area, () => at);
    at = entryOf(context, core, area, 'singleton').at;
    return { singleton, at };
  })(context);
  const { core, object, area } = rig;
  const { variant } = dataOf(context);
  if (context.index === 0 && (variant === 'reclaim' || variant === 'discard')) {
    // What a thread left that acquired it, and has died.
    const { i32, i64 } = context;
    const field = (name: keyof typeof core.SINGLETON): number => object.at + core.SINGLETON[name].offset;
    const [type, row] = [entryOf(context, core, area, 'type'), object.at + core.HOLDERS_OFFSET];
    i64[field('actor') >>> 3] = i64[row >>> 3] = context.ghost;
    i32[field('type') >>> 2] = type.number + 1;
    i32[field('kind') >>> 2] = variant === 'discard' ? core.INSTANCE_MEMORY_OF_CREATOR : core.INSTANCE_MEMORY;
    i32[field('state') >>> 2] = i32[(row + core.HOLDER.phase.offset) >>> 2] = core.SINGLETON_LIVE;
    i32[field('holders_used') >>> 2] = i32[(row + core.HOLDER.count.offset) >>> 2] = 1;
    i32[type.at >>> 2] = 1;
    i32[(area.geometry.heapOffset >>> 2) + CONSTRUCTED] = 1;
  }
  return rig;
}

/** What a copy keeps outside the memory: which row is this thread's. */
export function reset(context: ExploreContext): void {
  const { core, area, object } = rigOf<One>(context);
  object.singleton = declare(context, core, area, () => object.at);
}

function entryOf({ i32 }: ExploreContext, core: Rig['core'], area: Rig['area'], kind: KindName) {
  const { directoryOffset } = area.geometry;
  for (let number = 0; ; number++) {
    const entry = directoryOffset + number * core.ENTRY_BYTES;
    if (i32[(entry + core.ENTRY.kind.offset) >>> 2] !== core.KINDS[kind].number) continue;
    return { number, at: i32[(entry + core.ENTRY.offset.offset) >>> 2] as number };
  }
}

/** Notes a reference that this thread has just got. */
function note(context: ExploreContext, { generation }: MemoryReference): void {
  setOwn(context, inRow(context.index, HOLDS), 1);
  setOwn(context, inRow(context.index, HELD_GENERATION), generation);
}

/** Looks at the instance, twice. One that goes with its creator is gone where that was killed. */
function use(context: ExploreContext, reference: MemoryReference): void {
  note(context, reference);
  const { generation } = reference;
  const mayGo = (): boolean => dataOf(context).variant === 'discard' && anyKilled(context);
  for (let look = 0; look < 2; look++) {
    let found = 0;
    try {
      found = Atomics.load(reference.memory.i32, 0);
    } catch (error) {
      if ((error as { code?: string }).code !== 'COEXIST_EGONE' || !mayGo()) throw error;
      return;
    }
    if (found !== generation + 1) assert(mayGo(), `a reference to generation ${generation} finds ${found}`);
  }
}

function letGo(context: ExploreContext, reference: MemoryReference): void {
  setOwn(context, inRow(context.index, HOLDS), 0);
  reference.release();
}

function acquire(context: ExploreContext): MemoryReference | undefined {
  const { variant } = dataOf(context);
  try {
    return oneOf(context).singleton.acquire({
      retry: variant === 'throws',
      ...(variant === 'timeout' && context.index === 0 && { timeout: 30 }),
    });
  } catch (error) {
    if (variant === 'throws' && error instanceof RangeError) return undefined;
    if (variant === 'timeout' && (error as { code?: string }).code === 'COEXIST_ETIMEDOUT') return undefined;
    throw error;
  }
}

function lender(context: ExploreContext): void {
  const reference = acquire(context) as MemoryReference;
  use(context, reference);
  const loan = reference.lend();
  setOwn(context, LOAN_NUMBER, loan.number);
  Atomics.store(context.i32, wordAt(context, LOAN_ROW) >>> 2, loan.row + 1);
  if (dataOf(context).variant === 'revoke') reference.revoke(loan);
  letGo(context, reference);
}

function borrower(context: ExploreContext): void {
  let row = 0;
  while (row === 0) {
    row = Atomics.load(context.i32, wordAt(context, LOAN_ROW) >>> 2);
    if (row !== 0) break;
    if (context.killed(0)) return;
    context.pause();
  }
  const { singleton } = oneOf(context);
  let reference: MemoryReference;
  try {
    reference = singleton.adopt({ key: KEY, generation: 0, row: row - 1, number: own(context, LOAN_NUMBER) });
  } catch (error) {
    if ((error as { code?: string }).code !== 'COEXIST_EGONE') throw error;
    const mayFail = dataOf(context).variant === 'revoke' || context.killed(0);
    assert(mayFail, `a loan that nobody took back was void: ${(error as Error).message}`);
    return;
  }
  use(context, reference);
  letGo(context, reference);
}

function run(context: ExploreContext): void {
  const { variant } = dataOf(context);
  const { singleton } = oneOf(context);
  if (variant === 'nested') {
    // One that holds takes another reference while the others ask whether anybody holds.
    if (context.index === 0) {
      const reference = acquire(context) as MemoryReference;
      use(context, reference);
      const again = singleton.get();
      assert(again !== undefined, 'get gave nothing to a thread that holds');
      again.release();
      use(context, reference);
      letGo(context, reference);
    } else singleton.reclaim();
  } else if (variant === 'reclaim') {
    if (context.index === 1) {
      const reference = singleton.get();
      if (reference !== undefined) {
        use(context, reference);
        letGo(context, reference);
      }
    } else singleton.reclaim();
  } else if ((variant === 'loan' || variant === 'revoke') && context.index < 2) {
    if (context.index === 0) lender(context);
    else borrower(context);
  } else if ((variant === 'get' && context.index > 0) || variant === 'loan' || variant === 'revoke') {
    // The first takes a row, under the lock; the second is the fast path.
    for (let round = 0; round < 2; round++) {
      const reference = singleton.get();
      if (reference === undefined) continue;
      use(context, reference);
      letGo(context, reference);
    }
  } else {
    for (let round = variant === 'twice' ? 2 : 1; round > 0; round--) {
      const reference = acquire(context);
      if (reference === undefined) continue;
      use(context, reference);
      letGo(context, reference);
    }
  }
  finished(context);
}

export const threads = threadsOf(run);

export function after(context: ExploreContext): void {
  const { core, object } = rigOf<One>(context);
  const { variant } = dataOf(context);
  let killed = 0;
  for (let thread = 0; thread < context.threads; thread++) {
    if (context.killed(thread)) killed++;
    else if (!(variant === 'loan' || variant === 'revoke') || !context.killed(0))
      assert(own(context, inRow(thread, DONE)) === 1, `thread ${thread} has not finished`);
  }
  const ghost = variant === 'reclaim' || variant === 'discard';
  const limit = variant === 'timeout' ? Number.POSITIVE_INFINITY : LATE_MS * killed;
  assert(context.elapsed() <= limit, `${context.elapsed()} ms passed while nobody could run`);
  if (killed > 0 && !context.killed(context.index)) object.singleton.reclaim();
  // The ghost's reference is found by whoever looks; nobody has to.
  else if (ghost && killed === 0) object.singleton.reclaim();
  const phase = core.SINGLETON_PHASES[phaseOf(context)];
  const generation = generationOf(context);
  if (context.killed(context.index)) return;
  if (phase === 'CONSTRUCTING') {
    // Its constructor is dead; nobody came who wanted one.
    assert(killed > 0, 'CONSTRUCTING at the end');
    const reference = object.singleton.acquire({ retry: true });
    assert(reference.created, 'an unfinished instance was joined');
    reference.release();
  } else {
    // What was lent to a thread that died before it adopted it stays lent, until it is revoked.
    const lent = (variant === 'loan' || variant === 'revoke') && context.killed(1) && phase === 'LIVE';
    assert(lent || phase === 'EMPTY' || phase === 'FAILED', `it is ${phase} at the end, of generation ${generation}`);
  }
  assert(context.i64[object.at >>> 3] === 0n, `the inner lock is ${context.i64[object.at >>> 3]} at the end`);
  for (let k = 0; k < word(context, 'holders_used'); k++) {
    const row = object.at + core.HOLDERS_OFFSET + k * core.HOLDER_BYTES;
    const [identity, count] = [context.i64[row >>> 3] as bigint, context.i32[(row + 8) >>> 2] as number];
    if (killed === 0 && !ghost) assert(identity === 0n || count === 0, `row ${k} counts ${count} at the end`);
  }
  if (killed > 0 || variant === 'discard') return;
  for (let g = 0; g < generation; g++) {
    const threw = variant === 'throws' && own(context, FINALIZED + g) === 0;
    assert(threw || own(context, FINALIZED + g) === 1, `generation ${g} was never finalized`);
    assert(own(context, CONSTRUCTED + g) === 1, `generation ${g} was never constructed`);
  }
}

/** Names of the words, for traces. */
export function names(address: number, context: ExploreContext): string | undefined {
  const { core, object, area } = rigOf<One>(context);
  const inside = address - object.at;
  if (inside < 0 || inside >= 320 + 16 * area.geometry.slotCapacity) {
    return address === wordAt(context, LOAN_ROW) ? 'loan' : undefined;
  }
  if (inside >= core.HOLDERS_OFFSET) {
    const [k, at] = [Math.floor((inside - 64) / 16), (inside - 64) % 16];
    return `row[${k}].${at === 0 ? 'identity' : at === 8 ? 'count' : at === 12 ? 'phase' : at}`;
  }
  for (const [name, { offset }] of Object.entries(core.SINGLETON)) if (offset === inside) return name;
  return `+${inside}`;
}
