// coexist/call: calls between threads over shared memory, synchronous and asynchronous.

export type { WaitOptions } from './core.js';
