// singleton(): declares one instance for the process.

import { invalid } from '../abi/errors.js';
import { type HostedDeclaration, HostedSingleton } from './hosted.js';
import type { HostedMethods } from './hosted-reference.js';
import { type MemoryDeclaration, MemorySingleton } from './memory.js';

/**
 * Declares that there is at most one instance under a key in the process: bytes that every thread sees, or an object in the thread
 * that makes it, reached by calls. Constructs nothing.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export function singleton(key: string, declaration: MemoryDeclaration): MemorySingleton;
export function singleton<T, M extends HostedMethods<T>>(
  key: string,
  declaration: HostedDeclaration<T, M>,
): HostedSingleton<T, M>;
export function singleton<T, M extends HostedMethods<T>>(
  key: string,
  declaration: MemoryDeclaration | HostedDeclaration<T, M>,
): MemorySingleton | HostedSingleton<T, M> {
  if (typeof declaration !== 'object' || declaration === null) throw invalid('declaration', declaration, 'an object');
  if (declaration.bytes !== undefined) return new MemorySingleton(key, declaration);
  return new HostedSingleton<T, M>(key, declaration);
}
