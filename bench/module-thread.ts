// A fresh worker of the topic module: loads one part by a loader that it has made before, or reads, hashes and imports the same files without
// one, and sends how many ms that took.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { createLoader } from 'coexist/module';

export interface LoadingThread {
  readonly how: 'load' | 'import' | 'require';
  readonly dir: string;
  readonly fingerprint: string;
  readonly name: string;
  /** The files that have to be read: what it depends on, then itself. */
  readonly chain: readonly string[];
}

const { how, dir, fingerprint, name, chain } = workerData as LoadingThread;
const file = join(dir, chain.at(-1) as string);
const require = createRequire(import.meta.url);
using loader = createLoader({ fingerprint, dirs: [dir], host: 'system' });

const started = performance.now();
if (how === 'load') {
  const { outcome, message } = await loader.load(name);
  if (outcome !== 'loaded') throw new Error(message);
} else {
  for (const one of chain)
    createHash('sha256')
      .update(readFileSync(join(dir, one)))
      .digest('hex');
  if (how === 'import') await import(pathToFileURL(file).href);
  else require(file);
}
parentPort?.postMessage(performance.now() - started);
