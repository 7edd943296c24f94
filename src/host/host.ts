// What the library asks of a runtime, one fact per member. It knows nothing of slots or locks. One implementation per
// runtime; today that is Node.

import type { ModuleHost } from './modules.js';
import { nodeHost } from './node/node.js';
import type { CpuSource, Mapped } from './rseq-area.js';

export type { CpuSource };

export type Liveness = 'alive' | 'dead' | 'unknown';

/** A broadcast channel that never keeps its thread alive. */
export interface Channel {
  post(message: unknown): void;
  /** A message that has arrived and was not yet delivered, without turning the event loop. */
  poll(): { readonly message: unknown } | undefined;
  close(): void;
}

/** An expression under way in the main thread. */
export interface Evaluation {
  /** Ends the session with the main thread. Safe to call twice. */
  end(): void;
}

/** Strings in memory, one byte or two for each unit; the offsets count bytes. Writing takes the units' low bytes, as many as fit. */
export interface TextMemory {
  latin1Write(text: string, at: number, bytes: number): number;
  latin1Slice(from: number, to: number): string;
  ucs2Write(text: string, at: number, bytes: number): number;
  ucs2Slice(from: number, to: number): string;
}

/** The engine's structured clone. */
export interface EngineClone {
  /** Whether bytes can carry all of a value, or some of it is not the engine's own (shared memory, what the runtime clones by its own means). */
  foreign(value: unknown): boolean;
  /** What message passing makes of a value, in this thread. Throws where that refuses it. */
  cloned(value: unknown): unknown;
  /** Throws where the engine refuses it. */
  write(value: unknown): Uint8Array;
  /** From memory that nobody else writes. Throws where these bytes are no value. */
  read(bytes: Uint8Array): unknown;
  /** Detaches all of them, or throws and detaches none. */
  detach(buffers: readonly ArrayBuffer[]): void;
  isProxy(value: object): boolean;
  isError(value: unknown): value is Error;
}

export interface Runtime {
  readonly name: string;
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
}

export interface Host {
  readonly name: string;
  /** What the program runs on. */
  runtime(): Runtime;
  readonly isMainThread: boolean;
  /** The runtime's id of this thread. */
  readonly threadId: number;
  /** An environment variable of this thread. */
  setting(name: string): string | undefined;
  /** The value anchored under `Symbol.for(key)` in this thread, for all realms and copies; undefined if none. */
  anchored(key: string): unknown;
  /** Anchors a value unless there is one; returns the one that is there now, undefined if none can be. */
  anchor(key: string, value: unknown): unknown;
  /** Environment data: inherited by every worker that is started later. */
  inherited(key: string): unknown;
  bequeath(key: string, value: unknown): void;
  channel(name: string, onmessage?: (message: unknown) => void): Channel;
  /** Why the bridge into the main thread is not to be had here; undefined where it may be tried. */
  bridgeRefusal(): string | undefined;
  /** Starts a constant expression in the main thread, whatever that is doing. Throws where it is refused. */
  evaluateInMain(expression: string): Evaluation;
  /** This thread's identity (docs/ABI.md, clause 15), freshly determined. */
  identity(): bigint;
  /** Whether the thread of this identity lives (clause 17), asked by a thread whose own identity is `own`. */
  liveness(identity: bigint, own: bigint): Liveness;
  /** The operating system's thread id in an identity, undefined where it holds none. */
  osThreadId(identity: bigint): number | undefined;
  /** Calls back when a worker of this thread has ended, and when this thread ends. A hint, never proof. */
  onThreadEnd(listener: () => void): void;
  /** Whether the engine stores 8 aligned bytes at once without Atomics (clause 39). */
  readonly storesWhole64: boolean;
  /** Where this thread's CPU number comes from (clause 52). Opened anew at each call; never throws. See `Mapped` for `keep`. */
  openCpu(keep?: Mapped): CpuSource;
  /** The highest CPU number this machine can have, + 1; from 1 to 4096. */
  possibleCpus(): number;
  /** Monotonic, in ms. */
  now(): number;
  /** Call back every, or once after, so many ms; each returns the way to stop. Both keep the event loop alive. */
  every(ms: number, listener: () => void): () => void;
  after(ms: number, listener: () => void): () => void;
  /** Calls back once, when the event loop has turned. */
  soon(listener: () => void): void;
  /** Calls back once after so many ms, if the thread still runs by then: does not keep the event loop alive. */
  later(ms: number, listener: () => void): void;
  encodeUtf8(text: string): Uint8Array;
  decodeUtf8(bytes: Uint8Array): string;
  decodeBase64(text: string): Uint8Array;
  /** Strings in this memory. */
  textIn(buffer: ArrayBufferLike): TextMemory;
  readonly clone: EngineClone;
  /** What loading modules needs. */
  readonly modules: ModuleHost;
  warn(message: string, code: string): void;
}

export const host: Host = nodeHost;
