// What the caller's thread and the explored ones post to each other. During a search nothing is posted but the failure.

import type { SharedMemory } from '../core.js';
import type { FailureKind } from './control.js';

/** A program as it travels: source texts, or the URLs of modules. */
export interface Shipped {
  readonly module: string | undefined;
  readonly threads: readonly ({ readonly source: string } | { readonly url: string })[];
  readonly hooks: Readonly<
    Record<'setup' | 'prepare' | 'reset' | 'invariant' | 'observed' | 'after', string | undefined>
  >;
  readonly names: Readonly<Record<string, number>> | string | undefined;
  readonly bytes: number;
}

export interface WorkerData {
  readonly index: number;
  readonly program: Shipped;
  readonly data: unknown;
}

export interface Prepare {
  readonly type: 'prepare';
  readonly control: SharedArrayBuffer;
  readonly stackSize: number;
  readonly marks: SharedArrayBuffer;
  readonly memory: SharedArrayBuffer | SharedMemory;
}

export interface Run {
  readonly type: 'run';
  /** The memory that every schedule starts from. */
  readonly snapshot: SharedArrayBuffer;
}

export type ToWorker = Prepare | Run;

export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
}

export type FromWorker =
  | { readonly type: 'loaded'; readonly threads: number; readonly memory: SharedArrayBuffer | SharedMemory | undefined }
  | { readonly type: 'prepared' }
  | { readonly type: 'line'; readonly order: number; readonly text: string }
  | { readonly type: 'failed'; readonly kind: FailureKind; readonly error: PlainError }
  | { readonly type: 'done' }
  /** The program cannot be run at all. */
  | { readonly type: 'refused'; readonly error: PlainError };

export function plain(error: unknown): PlainError {
  if (error instanceof Error || Object.prototype.toString.call(error) === '[object Error]') {
    const { name, message, stack, code } = error as NodeJS.ErrnoException;
    return { name, message, stack, code };
  }
  return { name: 'Error', message: `${String(error)} was thrown`, stack: undefined, code: undefined };
}
