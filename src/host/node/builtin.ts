// Node's own modules, by the way that works in every module system and bundle. The global, since importing node:process makes
// Node read every property of process, which opens stdin, stdout and stderr and takes as long as loading the whole library.

export const { process } = globalThis;
export const fs = process.getBuiltinModule('node:fs');
export const timers = process.getBuiltinModule('node:timers');
export const { Buffer } = process.getBuiltinModule('node:buffer');
export const { types } = process.getBuiltinModule('node:util');

let loaded: typeof import('node:worker_threads') | undefined;

/** Loaded at the first use: a main thread that imports the library and never attaches does without it. */
export function workerThreads(): typeof import('node:worker_threads') {
  loaded ??= process.getBuiltinModule('node:worker_threads');
  return loaded;
}

let engine: typeof import('node:v8') | undefined;

export function v8(): typeof import('node:v8') {
  engine ??= process.getBuiltinModule('node:v8');
  return engine;
}
