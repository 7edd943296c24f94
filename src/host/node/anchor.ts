// A property on the CommonJS exports object of node:worker_threads: one such object per thread, the same for all realms,
// vm contexts, module systems and copies. Defining it non-writable and non-configurable is a test-and-set that nothing
// can interrupt or undo (docs/ABI.md, clause 4).

import { workerThreads } from './builtin.js';

const shelf = () => workerThreads() as unknown as Record<symbol, unknown>;

export function anchored(key: string): unknown {
  return shelf()[Symbol.for(key)];
}

export function anchor(key: string, value: unknown): unknown {
  // No check of the result: whoever was first, what counts is what can be read now.
  Reflect.defineProperty(shelf(), Symbol.for(key), {
    value,
    writable: false,
    configurable: false,
    enumerable: false,
  });
  return shelf()[Symbol.for(key)];
}
