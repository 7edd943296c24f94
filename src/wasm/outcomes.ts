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
