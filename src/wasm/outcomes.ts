// What a critical section of src/wasm/percpu.ts returns, and how it commits. scripts/build.js puts the numbers into the wasm.

export const COMMIT_PLAIN = 0;
export const COMMIT_RELEASE = 1;
export const COMMIT_CAS = 2;

export const RUN_DONE = 0;
export const RUN_COMPARE_FAILED = -1;
export const RUN_ABORTED = -2;
/** The word is held; nothing was read. */
export const RUN_BUSY = -3;
/** A pointer leads out of the memory; nothing was committed. */
export const RUN_FAULT = -4;

// What the transitions of src/wasm/pool.ts return in place of an index, or of 0.
/** The lock is held; nothing was read. */
export const POOL_BUSY = -1;
/** All items are allocated. */
export const POOL_EMPTY = -2;
/** The pool was destroyed. */
export const POOL_GONE = -3;
/** The free list leads to what is no free item. */
export const POOL_CORRUPT = -4;
/** The item is not allocated. */
export const POOL_NOT_ALLOCATED = -5;
