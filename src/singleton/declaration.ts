// What a user says of a singleton: how it is declared, and what becomes of that before anything lives.

import { type CoexistError, invalid } from '../abi/errors.js';
import { host } from '../host/host.js';
import type { WaitOptions } from '../sync/wait.js';
import type { Area } from '../thread/area.js';
import type { Refusal } from './errors.js';
import { type Record, recordOf } from './record.js';
import type { Wanted } from './transitions.js';
import { type InstanceType, requireKey, typeOf } from './types.js';

export interface Declaration {
  /** Version of what the instance is, 0 to 65535; another one under the same key and type is COEXIST_EKIND. Default 1. */
  readonly version?: number | undefined;
  /** Name of its class; two types under one key conflict. Default: the key. */
  readonly type?: string | undefined;
  /** Where it may be made. Default 'any'. */
  readonly thread?: 'any' | 'main' | undefined;
  /** A private area; the process's own if left out. */
  readonly area?: Area | undefined;
}

export interface AcquireInstanceOptions extends WaitOptions {
  /** Construct anew though a constructor has thrown. */
  readonly retry?: boolean | undefined;
}

/** The object and the type of a declaration, and why it cannot construct in this thread, if it cannot. */
export interface Declared {
  readonly record: Record;
  readonly type: InstanceType;
  readonly refusal: Refusal | undefined;
}

/** @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()` */
export function declare(key: string, declaration: Declaration, bytes: number, abstract: boolean): Declared {
  requireKey(key);
  const { thread = 'any', area } = declaration;
  if (thread !== 'any' && thread !== 'main') throw invalid('thread', thread, "'any' or 'main'");
  const record = recordOf(key, area);
  const type = typeOf(record.core, key, declaration, bytes);
  return { record, type, refusal: refusalOf(abstract, thread) };
}

function refusalOf(abstract: boolean, thread: 'any' | 'main'): Refusal | undefined {
  if (abstract) {
    const remedy = 'Create it where it is declared with create; here, use get() or wait until it lives.';
    return { code: 'COEXIST_EREFUSED', reason: 'this declaration is abstract: it has no create', remedy };
  }
  if (thread === 'any' || host.isMainThread) return undefined;
  const reason = `it is declared for the main thread, and this is thread ${host.threadId}`;
  return { code: 'COEXIST_EREFUSED', reason, remedy: 'Acquire it in the main thread first.' };
}

/** @throws COEXIST_EINVAL */
export function wantedOf(options: AcquireInstanceOptions | undefined, fresh: boolean): Wanted {
  const retry = options?.retry ?? false;
  if (typeof retry !== 'boolean') throw invalid('retry', retry, 'true or false');
  return { fresh, retry };
}

/** @throws COEXIST_EINVAL */
export function requireFunctions(declaration: object, names: readonly string[]): void {
  for (const name of names) {
    const found = (declaration as Readonly<{ [name: string]: unknown }>)[name];
    if (found !== undefined && typeof found !== 'function') throw invalid(name, found, 'a function');
  }
}

/** Refuses what an asynchronous constructor returns to a call that cannot wait for it. @throws COEXIST_EINVAL */
export function requirePlain(made: unknown, key: string): void {
  if (isThenable(made)) throw promised(made, 'create', key, 'Use acquireAsync().');
}

/** Refuses what an asynchronous finalizer of memory returns: the next instance would not wait for it. @throws COEXIST_EINVAL */
export function requireFinalized(returned: unknown, key: string): void {
  if (isThenable(returned)) throw promised(returned, 'finalize', key, 'Finalize memory before it returns.');
}

function promised(promise: unknown, name: string, key: string, remedy: string): CoexistError {
  // Nobody else will.
  Promise.resolve(promise).catch(() => {});
  return invalid(`what ${name} of ${JSON.stringify(key)} returned`, promise, 'no promise', remedy);
}

const isThenable = (value: unknown): boolean =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
