// singleton(): declares one instance for the process.

import { invalid } from '../abi/errors.js';
import { type MemoryDeclaration, MemorySingleton } from './memory.js';

/**
 * Declares that there is at most one instance under a key in the process. Constructs nothing.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 * @since 0.1.0
 */
export function singleton(key: string, declaration: MemoryDeclaration): MemorySingleton {
  if (typeof declaration !== 'object' || declaration === null) throw invalid('declaration', declaration, 'an object');
  return new MemorySingleton(key, declaration);
}
