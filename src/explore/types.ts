// What users of coexist/explore write and get: the explored program, its context, the options and the result.

import type { Assembler, Host, SharedMemory } from '../core.js';
import type { FailureKind } from './control.js';

export type { FailureKind };

/** Another loaded copy of the library, by what the explorer replaces in it. */
export interface Instrumentable {
  readonly host: Host;
  readonly assembler: Assembler;
}

/** What every function of an explored program gets. One object per explored thread. */
export interface ExploreContext {
  /** Which thread this is, from 0. */
  readonly index: number;
  /** How many there are. */
  readonly threads: number;
  /** What `setup` returned, or the memory made for the program: a `SharedArrayBuffer` or a shared `WebAssembly.Memory`. */
  readonly memory: SharedArrayBuffer | SharedMemory;
  /** Its buffer. Operations on it are stepped; go through this object, not through another wrapper of the same memory. */
  readonly buffer: SharedArrayBuffer;
  /** Views over the whole buffer. */
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** `data` of the options. */
  readonly data: unknown;
  /** What `prepare` returned in this thread. */
  readonly state: unknown;
  /** An explored choice: every number from 0 to `count` - 1 is tried. */
  choose(count: number): number;
  /** Virtual time since the schedule began, in ms. It moves only when nobody can run. */
  elapsed(): number;
  /** Whether that thread was killed in this schedule. */
  killed(index: number): boolean;
  /** As `Atomics.pause` where there is none: this thread can do nothing useful now. */
  pause(): void;
  /** What the library takes for the identity of a thread that is dead in every schedule. */
  readonly ghost: bigint;
  /** Puts a line into the trace. */
  log(...values: readonly unknown[]): void;
  /** Makes another loaded copy of the library run under the explorer: pass what importing its core gave. */
  instrument(copy: Instrumentable): void;
}

export type ExploreFunction = (context: ExploreContext) => unknown;

/** The parts of an explored program. A module exports them under these names. */
export interface ExploreProgram<Part, Observed = Part, Name = Part> {
  /**
   * Runs once, in the first thread, not stepped; may be asynchronous. Writes the initial content of the memory, or returns
   * another memory to explore.
   */
  readonly setup?: Part | undefined;
  /**
   * Runs once in each thread, one after the other, not stepped, when the memory is there; may be asynchronous. What it returns is
   * `context.state`. The memory as it is after the last one is what every schedule starts from.
   */
  readonly prepare?: Part | undefined;
  /** Runs in each thread before its function, in every schedule, not stepped: restores what the thread keeps outside the memory. */
  readonly reset?: Part | undefined;
  /** Runs after each operation in the thread that did it, not stepped. Throws, or returns false, where it does not hold. */
  readonly invariant?: Part | undefined;
  /**
   * Whether the invariant reads the word at a byte offset, the first argument; the context is the second. Writes elsewhere are
   * then no reason to preempt; without it, every write is.
   */
  readonly observed?: Observed | undefined;
  /** Runs at the end of each schedule in the thread that ended last, not stepped. Throws, or returns false, if something is wrong. */
  readonly after?: Part | undefined;
  /** Byte offsets by name, for traces; or a function of the byte offset and the context that returns the name. */
  readonly names?: Readonly<Record<string, number>> | Name | undefined;
}

export interface ExploreBudget {
  /** Schedules in all. Default 1 million. */
  readonly schedules?: number | undefined;
  /** Wall time in ms. Default 60,000. */
  readonly ms?: number | undefined;
  /** Operations in one schedule; more is a livelock. Default 10,000. */
  readonly operations?: number | undefined;
  /** Wall time in ms without any operation after which a thread counts as hung. Default 5000. */
  readonly hang?: number | undefined;
}

export interface ExploreProgress {
  readonly schedules: number;
  readonly operations: number;
  /** The preemption bound being searched; undefined in random schedules. */
  readonly preemptions: number | undefined;
}

/** A function of a byte offset in the explored memory. */
export type AddressFunction<Result> = (address: number, context: ExploreContext) => Result;

export interface ExploreOptions
  extends ExploreProgram<
    ExploreFunction | string,
    AddressFunction<boolean> | string,
    AddressFunction<string | undefined> | string
  > {
  /**
   * One function per thread (2 to 8), or its source text, or the URL of a module whose export `thread` it is. Functions are
   * shipped as source text: they see nothing but their argument. Left out with `module`.
   */
  readonly threads?: readonly (ExploreFunction | string | URL)[] | undefined;
  /** A module that exports the whole program: `threads` (an array, or a function of `data` that returns it), `setup`, ... */
  readonly module?: URL | string | undefined;
  /** Bytes of shared memory to make for the program. Default 4096. */
  readonly bytes?: number | undefined;
  /** Anything that can be posted; `context.data` in every thread. */
  readonly data?: unknown;
  /** Environment of the explored threads; that of the caller if left out. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** How many times at most a thread is preempted in a schedule, all threads together, 0 to 16. Default 2. */
  readonly maxPreemptions?: number | undefined;
  /** How many threads are killed at most in a schedule, less than there are threads. Default 0. */
  readonly kills?: number | undefined;
  /**
   * `idle` (default): a wait times out only when nobody can run. `any`: it may also time out at any decision point, which costs
   * a preemption.
   */
  readonly timeouts?: 'idle' | 'any' | undefined;
  /**
   * `exhaustive` (default): every schedule up to the bound. `random`: random priorities (PCT) with `maxPreemptions` changes.
   * `both`: first the one, then the other.
   */
  readonly mode?: 'exhaustive' | 'random' | 'both' | undefined;
  /** Offer preemptions only before operations on shared addresses, and kills only after writes. Default true. */
  readonly reduce?: boolean | undefined;
  /** How many times a thread may look at an unchanged word before that counts as endless. Default 100. */
  readonly spin?: number | undefined;
  /** Seed of random schedules and of `Math.random` in the explored threads. Default 1. */
  readonly seed?: number | undefined;
  /** The `schedule` of a failure: runs just that one. */
  readonly replay?: string | undefined;
  readonly budget?: ExploreBudget | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called some times a second. */
  readonly onProgress?: ((progress: ExploreProgress) => void) | undefined;
}

export interface ExploreFailure {
  readonly kind: FailureKind;
  /** The thread that had the turn. */
  readonly thread: number;
  readonly error: Error;
  /** Give it to `replay` to run just this schedule again. */
  readonly schedule: string;
}

export interface ExploreResult {
  readonly failure: ExploreFailure | undefined;
  /** The failed schedule, or the replayed one, one line per operation; otherwise empty. */
  readonly trace: readonly string[];
  /** Schedules of the last search: at the bound that was reached, with all shared addresses known. */
  readonly schedules: number;
  /** Operations of those. */
  readonly operations: number;
  /** Decision points of those where a preemption was offered. */
  readonly points: number;
  /** Schedules given up half-way since they only spun. */
  readonly pruned: number;
  /** Schedules run in all, with those of lower bounds and of searches that began again with more shared addresses. */
  readonly allSchedules: number;
  readonly allOperations: number;
  /** How many of these the library's wasm did, waits and notifications aside. */
  readonly wasmOperations: number;
  /** Searches that began again. */
  readonly restarts: number;
  /** The bound that was reached. */
  readonly preemptions: number;
  /** Whether every schedule up to `maxPreemptions` was run. */
  readonly exhausted: boolean;
  /** Whether the bound left nothing out: every schedule there is. */
  readonly complete: boolean;
  readonly seed: number;
  /** Wall time. */
  readonly ms: number;
}
