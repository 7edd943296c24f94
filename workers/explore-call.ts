// Explored: threads that call one server (clauses 61 to 65), by blocking; the first thread serves. Each call is answered once, by its own
// reply; a method runs once at most for each; nobody sleeps in vain, and no cell is lost. Variants: open (opening and connecting are
// explored, too), one (one cell for all), timeout (the second thread's call may end in between), close (the server closes behind the
// first call, and may open again), dead-request, dead-reply, given-up (one cell, which a dead caller left in that state), heir (the
// last thread serves when the first one is dead; the second calls once more then).

import type { AreaValue, Client, Server } from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';
import { assert, loadCore } from './explore-area.js';
import { dataOf, finished, inRow, own, preparing, rigOf, setOwn, threadsOf, wordAt } from './explore-percpu.js';
import { type RawChannel, rawChannel } from './raw-call.js';

const NAME = 'calc';
const CELL_BYTES = 128;
const OWN_BYTES = 1024;
/** The first. */
const EPOCH = 2;
const HEAP_BYTES = 8192;
const SLICE_MS = 60;
const LATE_MS = 200;

/** Words of a thread's row. */
const OUTCOME = 0;
const IDENTITY = 2;
const DONE = 7;
/** How often the method has run, by argument. */
const RAN = 0;
const CALLS_MOST = 16;
/** Whether the server has closed, and opened again. */
const CLOSED = 24;
const FOR_GOOD = 1;
const [ANSWERED, GONE, TIMED_OUT] = [1, 2, 3];

interface Side {
  readonly at: number;
  server: Server | undefined;
  client: Client<{ twice(n: number): number }> | undefined;
}

type Rig = ReturnType<typeof rigOf<Side>>;

const oneCell = (variant: string | undefined): boolean =>
  variant === 'one' || variant === 'dead-request' || variant === 'dead-reply' || variant === 'given-up';
const optionsOf = (context: ExploreContext, area: Rig['area']) => ({
  area,
  cells: oneCell(dataOf(context).variant) ? 1 : 2,
  cellBytes: CELL_BYTES,
});

export async function setup(context: ExploreContext): Promise<AreaValue> {
  const core = await loadCore(context);
  const area = core.createArea({ slots: context.threads, blockBytes: 4096, heapBytes: HEAP_BYTES });
  core.viewsOf(area.buffer).u32[core.HEADER.heap_used.offset >>> 2] = OWN_BYTES;
  return area.memory ?? area.buffer;
}

export async function prepare(context: ExploreContext): Promise<unknown> {
  const rig = await preparing<Side>((core, area) => {
    // Nothing runs behind the end of a schedule, and nothing goes beside the memory.
    Object.assign(core.host, {
      soon() {},
      later() {},
      every: () => () => {},
      channel: () => ({ post() {}, poll() {}, close() {} }),
    });
    core.register({ area, permanent: true });
    core.connect(NAME, optionsOf(context, area)).close();
    return { at: channelAt(context, core, area), server: undefined, client: undefined };
  })(context);
  const { core, area } = rig;
  const { i64, index } = context;
  i64[(area.geometry.heapOffset + 4 * inRow(index, IDENTITY)) >>> 3] = core
    .coreOf(area.buffer)
    .anchor.reduceRight((identity, half, k) => (k < 2 ? identity : (identity << 32n) | BigInt(half >>> 0)), 0n);
  return rig;
}

function channelAt({ i32 }: ExploreContext, core: Rig['core'], area: Rig['area']): number {
  for (let entry = area.geometry.directoryOffset; ; entry += core.ENTRY_BYTES) {
    if (i32[(entry + core.ENTRY.kind.offset) >>> 2] !== core.KINDS.channel.number) continue;
    return i32[(entry + core.ENTRY.offset.offset) >>> 2] as number;
  }
}

function serve(context: ExploreContext): Server {
  const { core, area } = rigOf<Side>(context);
  const twice = (n: number): number => {
    assert(Number.isInteger(n) && n >= 0 && n < CALLS_MOST, `the method is called with ${n}`);
    setOwn(context, RAN + n, own(context, RAN + n) + 1);
    assert(own(context, RAN + n) === 1, `call ${n} runs twice`);
    return 2 * n;
  };
  return core.serve(NAME, { twice }, { ...optionsOf(context, area), nested: false });
}

function connect(context: ExploreContext): Client<{ twice(n: number): number }> {
  const { core, area } = rigOf<Side>(context);
  return core.connect(NAME, optionsOf(context, area));
}

/** What a dead caller has left in the only cell, since it was opened. */
function plant(context: ExploreContext): void {
  const { core, object } = rigOf<Side>(context);
  const { i32, i64, ghost } = context;
  const cell = object.at + core.CHANNEL_CELLS_OFFSET;
  const leave = (caller: bigint, phase: number): void => {
    i64[(cell + core.CELL.caller.offset) >>> 3] = caller;
    i32[(cell + core.CELL.state.offset) >>> 2] = (7 << core.TICKET_SHIFT) | phase;
    i32[(cell + core.CELL.epoch.offset) >>> 2] = EPOCH;
  };
  const { variant } = dataOf(context);
  if (variant === 'dead-request') leave(ghost, core.PHASE_REQUEST);
  else if (variant === 'dead-reply') leave(ghost, core.PHASE_REPLY);
  // Its caller died between giving up and looking whether the server was through with it.
  else if (variant === 'given-up') leave(core.givenUp(EPOCH, 7), core.PHASE_REPLY);
}

/** What a copy keeps outside the memory. Opening and connecting are no steps, unless they are explored. */
export function reset(context: ExploreContext): void {
  const { core, object } = rigOf<Side>(context);
  const served = core.host.anchored(core.SERVING_KEY);
  if (Array.isArray(served)) served.length = 0;
  object.server = undefined;
  object.client = undefined;
  if (dataOf(context).variant === 'open') return;
  if (context.index === 0) {
    object.server = serve(context);
    plant(context);
  } else if (!isHeir(context, context.index)) object.client = connect(context);
}

/** Calls that a caller makes: two, so that cells are used again, where there is only one caller. */
const callsOf = (context: ExploreContext): number =>
  context.threads === 2 || dataOf(context).variant === 'heir' ? 2 : 1;

const bounded = (context: ExploreContext): boolean => dataOf(context).variant === 'timeout' && context.index === 1;

function call(context: ExploreContext, round: number): void {
  const { object } = rigOf<Side>(context);
  const { variant } = dataOf(context);
  object.client ??= connect(context);
  const n = context.index + round * context.threads;
  const outcome = inRow(context.index, OUTCOME + round);
  try {
    // Who waits for a server that died before it had opened waits for ever.
    const timeout = bounded(context) ? 30 : variant === 'open' ? LATE_MS : undefined;
    const client = timeout === undefined ? object.client : object.client.with({ timeout });
    const result = client.callSync('twice', n);
    assert(result === 2 * n, `call ${n} was answered by ${result}`);
    assert(own(context, RAN + n) === 1, `call ${n} was answered, and ran ${own(context, RAN + n)} times`);
    setOwn(context, outcome, ANSWERED);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'COEXIST_EGONE') setOwn(context, outcome, GONE);
    else if (code === 'COEXIST_ETIMEDOUT' && (bounded(context) || context.killed(0)))
      setOwn(context, outcome, TIMED_OUT);
    else throw error;
  }
}

/** Waits for the server where its opening is no step, which wakes nobody; false where it was killed before. */
function opened(context: ExploreContext): boolean {
  const { core, object } = rigOf<Side>(context);
  if (dataOf(context).variant === 'open') return true;
  while (Atomics.load(context.i32, (object.at + core.CHANNEL.epoch.offset) >>> 2) === 0) {
    if (context.killed(0)) return false;
    context.pause();
  }
  return true;
}

/** Whether a thread serves when the first one is dead. */
const isHeir = (context: ExploreContext, thread: number): boolean =>
  dataOf(context).variant === 'heir' && thread === context.threads - 1;

/** Whether every caller has ended; to ask whether one was killed is a step. */
function over(context: ExploreContext): boolean {
  for (let thread = 1; thread < context.threads; thread++) {
    if (!isHeir(context, thread) && own(context, inRow(thread, DONE)) === 0 && !context.killed(thread)) return false;
  }
  return true;
}

function server(context: ExploreContext): void {
  const { object } = rigOf<Side>(context);
  object.server ??= serve(context);
  const expected = callsOf(context) * (context.threads - (dataOf(context).variant === 'heir' ? 2 : 1));
  const ran = (): number => {
    let sum = 0;
    for (let n = 0; n < CALLS_MOST; n++) sum += own(context, RAN + n);
    return sum;
  };
  const { variant } = dataOf(context);
  let closed = variant !== 'close';
  const signal = {
    get aborted() {
      return ran() === expected || (!closed && ran() > 0);
    },
    reason: new Error('all have ended'),
  } as AbortSignal;
  while (ran() < expected && !over(context)) {
    object.server.run({ timeout: SLICE_MS, signal });
    if (closed || ran() === 0) continue;
    closed = true;
    object.server.close();
    setOwn(context, CLOSED, 1 + context.choose(2));
    if (own(context, CLOSED) === FOR_GOOD) return;
    object.server = serve(context);
  }
}

/** Waits until the first server is killed, and serves in its place until all callers have ended. */
function heir(context: ExploreContext): void {
  const { object } = rigOf<Side>(context);
  while (!context.killed(0)) {
    if (over(context)) return;
    // A word that somebody writes, so that the turn passes on.
    Atomics.load(context.i32, (object.at + rigOf<Side>(context).core.CHANNEL.epoch.offset) >>> 2);
    context.pause();
  }
  const server = serve(context);
  while (!over(context)) server.run({ timeout: SLICE_MS });
}

function run(context: ExploreContext): void {
  if (isHeir(context, context.index)) {
    heir(context);
    finished(context);
    return;
  }
  if (context.index === 0) server(context);
  else if (opened(context)) for (let round = 0; round < callsOf(context); round++) call(context, round);
  finished(context);
}

export const threads = threadsOf(run);

const identityOf = (context: ExploreContext, thread: number): bigint =>
  context.i64[wordAt(context, inRow(thread, IDENTITY)) >>> 3] as bigint;

/** A thread that looks at what is left, and takes for dead who was killed. */
function judge(context: ExploreContext): RawChannel {
  const { core, object, area } = rigOf<Side>(context);
  const dead = new Set([context.ghost]);
  for (let thread = 0; thread < context.threads; thread++) {
    if (context.killed(thread)) dead.add(identityOf(context, thread));
  }
  const { i32, i64, u8 } = context;
  return rawChannel({
    abi: core,
    i32,
    i64,
    u8,
    at: object.at,
    self: 1n << 60n,
    slot: 0,
    isDead: (identity) => dead.has(identity),
    bellAt: () => area.geometry.heapOffset + OWN_BYTES - 8,
  });
}

export function after(context: ExploreContext): void {
  const { core } = rigOf<Side>(context);
  const { variant } = dataOf(context);
  let killed = 0;
  for (let thread = 0; thread < context.threads; thread++) {
    if (context.killed(thread)) killed++;
    else if (!context.killed(0)) assert(own(context, inRow(thread, DONE)) === 1, `thread ${thread} has not finished`);
  }
  for (let thread = 1; thread < context.threads; thread++) {
    if (context.killed(thread) || own(context, inRow(thread, DONE)) === 0) continue;
    for (let round = 0; round < callsOf(context) && !isHeir(context, thread); round++) {
      const outcome = own(context, inRow(thread, OUTCOME + round));
      const allowed = outcome === ANSWERED || outcome === TIMED_OUT || variant === 'close' || context.killed(0);
      assert(allowed, `call ${round} of thread ${thread} found nobody, and the server lives`);
    }
  }
  const limit =
    variant === 'timeout'
      ? Number.POSITIVE_INFINITY
      : (LATE_MS + SLICE_MS) * (variant === 'open' || variant === 'heir' ? 2 : 1) * killed;
  // A dead caller's cell is recovered behind a sleep.
  const ghost = variant?.startsWith('dead') || variant === 'given-up';
  // A dead caller's cell is recovered behind a sleep; a server that opened again does not hear that its callers have ended.
  const sleeps = ghost || own(context, CLOSED) > FOR_GOOD ? LATE_MS : 0;
  assert(context.elapsed() <= limit + sleeps, `${context.elapsed()} ms passed while nobody could run`);
  const raw = judge(context);
  const cells = raw.get('cells');
  for (let k = 0; k < cells; k++) {
    const [caller, phase] = [raw.callerOf(k), raw.phase(k)];
    const free = caller === 0n || killed > 0 || ghost;
    assert(free, `cell ${k} stays with ${caller}, in phase ${phase}`);
  }
  for (let k = 0; k < cells; k++) assert(raw.claim() !== undefined, `only ${k} of ${cells} cells can be claimed`);
  if (!context.killed(0)) {
    assert(raw.get('epoch') % 2 === 0, `the epoch is ${raw.get('epoch')} at the end`);
    const owner = context.i64[(raw.at + core.CHANNEL.server.offset) >>> 3];
    assert(
      owner === (own(context, CLOSED) === FOR_GOOD ? 0n : identityOf(context, 0)),
      `the server is ${owner} at the end`,
    );
  }
}

/** Names of the words, for traces. */
export function names(address: number, context: ExploreContext): string | undefined {
  const { core, object, area } = rigOf<Side>(context);
  const { blockOffset, blockStride } = area.geometry;
  if (address >= blockOffset && (address - blockOffset) % blockStride < 64) {
    const slot = Math.floor((address - blockOffset) / blockStride);
    if (slot < context.threads) return `bell[${slot}]`;
  }
  const inside = address - object.at;
  const nameIn = (table: Readonly<Record<string, { offset: number }>>, offset: number): string | undefined =>
    Object.keys(table).find((name) => table[name]?.offset === offset);
  if (inside < 0) return undefined;
  if (inside < core.CHANNEL_CELLS_OFFSET) return nameIn(core.CHANNEL, inside);
  const [k, offset] = [
    Math.floor((inside - core.CHANNEL_CELLS_OFFSET) / CELL_BYTES),
    (inside - core.CHANNEL_CELLS_OFFSET) % CELL_BYTES,
  ];
  return k < 2 ? `cell[${k}].${nameIn(core.CELL, offset) ?? `+${offset}`}` : undefined;
}
