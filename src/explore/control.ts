// The control memory: everything the explorer knows about a search, shared by the caller and the explored threads. Exactly one
// thread holds the turn at a time, so all of it is read and written with ordinary accesses; handing the turn over (turns.ts)
// orders them. The explored memory is another one.

export const MAX_THREADS = 8;

let words = 0;
function word(count = 1): number {
  const at = words;
  words += count;
  return at;
}
const LINE = 16;

// ---- what the search is asked for; written by the caller
export const THREADS = word();
export const MODE = word();
export const MAX_PREEMPTIONS = word();
export const MAX_KILLS = word();
export const MAX_OPERATIONS = word();
export const REDUCE = word();
export const EXPIRE_ANY = word();
export const SPIN_LIMIT = word();
export const TRACING = word();
export const SEED = word();
export const STACK_SIZE = word();
/** How many threads may spin for their turn at a time. */
export const MAX_SPINNERS = word();
/** Entries of the schedule to replay. */
export const REPLAY_LENGTH = word();
/** Set by the caller: end after this schedule. */
export const STOP = word();

// ---- the schedule under way
export const PHASE = word();
export const OPERATIONS = word();
/** Counts decision points, whether or not there is anything to decide: names a place in a schedule. */
export const TICK = word();
/** Counts writes that took effect. */
export const WRITES = word();
export const PREEMPTIONS = word();
export const KILLS = word();
export const WAITS = word();
export const FAILURE = word();
export const FAILED_THREAD = word();
/** Who ran last; the others follow in turn from it on. */
export const LAST = word();
export const PRUNE = word();
/** Decision points where there was a choice of threads. */
export const POINTS = word();

// ---- the search
export const LEVEL = word();
/** Decisions of this schedule so far, and how many of them repeat the one before. */
export const DEPTH = word();
export const PREFIX = word();
/** Entries of the replayed schedule used so far. */
export const REPLAYED = word();
/** Another address turned out to be shared. */
export const GREW = word();
/** The preemption bound left something out. */
export const CUT = word();
export const EXHAUSTED = word();
export const COMPLETE = word();
export const RANDOM_STATE = word();
export const LONGEST = word();
/** Lines of the trace so far. */
export const LINES = word();
/** Who has the turn. */
export const CURRENT = word();

// ---- one word per thread
export const STATE = word(MAX_THREADS);
/** Inside its function, so that it must be unwound before the next schedule. */
export const INSIDE = word(MAX_THREADS);
/** Has just been given the turn: its next operation is not a decision point again. */
export const FRESH = word(MAX_THREADS);
/** A kill now differs from a kill at its last offer. */
export const DIRTY = word(MAX_THREADS);
/** Spins; runs again once somebody has written. */
export const YIELDED = word(MAX_THREADS);
export const WAIT_ADDRESS = word(MAX_THREADS);
export const WAIT_ORDER = word(MAX_THREADS);
export const TIMED_OUT = word(MAX_THREADS);
export const SCRATCH = word(MAX_THREADS + 1);
/** PCT: where priorities change, and where kills fall. */
export const CHANGES = word(16);
export const KILL_AT = word(MAX_THREADS);

words = Math.ceil(words / LINE) * LINE;
export const SPINNERS = word(LINE);
/** The turn, one cache line per thread. */
export const TURN = word(MAX_THREADS * LINE);
export const SLEEPING = word(MAX_THREADS * LINE);
export const TURN_STRIDE = LINE;

// ---- 64-bit floats
export const F_CLOCK = 0;
export const F_SCHEDULES = 1;
export const F_ALL_SCHEDULES = 2;
export const F_ALL_OPERATIONS = 3;
export const F_OPERATIONS = 4;
export const F_RESTARTS = 5;
export const F_PRUNED = 6;
export const F_POINTS = 7;
export const F_MAX_SCHEDULES = 8;
/** In ms of `Date.now()`. */
export const F_UNTIL = 9;
export const F_WASM_OPERATIONS = 10;
/** When a blocked thread's wait expires. */
export const F_DEADLINE = 16;
export const F_PRIORITY = F_DEADLINE + MAX_THREADS;
const FLOATS = F_PRIORITY + MAX_THREADS;

// ---- values
export const IDLE = 0;
export const RUN = 1;
/** The schedule is over; threads that are inside their function are unwound one by one. */
export const UNWIND = 2;
export const DONE = 3;

export const NEW = 0;
export const READY = 1;
export const BLOCKED = 2;
export const ENDED = 3;
export const KILLED = 4;

export const EXHAUSTIVE = 0;
export const RANDOM = 1;
export const REPLAY = 2;
/** Exhaustive, then random. */
export const BOTH = 3;

export const FAILURES = [
  'none',
  'exception',
  'invariant',
  'after',
  'deadlock',
  'livelock',
  'nondeterminism',
  'hang',
] as const;
export type FailureKind = Exclude<(typeof FAILURES)[number], 'none'>;

/** Kinds of decisions, as letters of a schedule: preempt, free switch, yield, kill, expire a wait, choose. */
export const KINDS = ['s', 'f', 'y', 'k', 'x', 'c'] as const;
export const PREEMPT = 0;
export const SWITCH = 1;
export const YIELD = 2;
export const KILL = 3;
export const EXPIRE = 4;
export const CHOOSE = 5;

export interface Control {
  readonly memory: SharedArrayBuffer;
  readonly c: Int32Array;
  readonly f: Float64Array;
  /** The decisions of this schedule; one array each, all of the same length. */
  readonly kinds: Int32Array;
  readonly ticks: Int32Array;
  readonly choices: Int32Array;
  readonly counts: Int32Array;
  readonly values: Int32Array;
  /** The schedule to replay. */
  readonly replay: { readonly kinds: Int32Array; readonly ticks: Int32Array; readonly values: Int32Array };
}

const STACKS = 8;
const align8 = (bytes: number): number => Math.ceil(bytes / 8) * 8;

export function controlBytes(stackSize: number): number {
  return align8(words * 4) + FLOATS * 8 + STACKS * stackSize * 4;
}

export function controlOf(memory: SharedArrayBuffer, stackSize: number): Control {
  let at = align8(words * 4);
  const f = new Float64Array(memory, at, FLOATS);
  at += FLOATS * 8;
  const stack = (): Int32Array => {
    const array = new Int32Array(memory, at, stackSize);
    at += stackSize * 4;
    return array;
  };
  return {
    memory,
    c: new Int32Array(memory, 0, words),
    f,
    kinds: stack(),
    ticks: stack(),
    choices: stack(),
    counts: stack(),
    values: stack(),
    replay: { kinds: stack(), ticks: stack(), values: stack() },
  };
}
