// Node's own modules, by the way that works in every module system, realm and bundle.

import process from 'node:process';

export const workerThreads = process.getBuiltinModule('node:worker_threads');
export const fs = process.getBuiltinModule('node:fs');
export { process };
