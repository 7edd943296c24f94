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
  /** The folder of the same files for plain imports. */
  readonly plain: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly file: string;
  /** What the thread has loaded before, by the same means: the others are no first load of their thread. */
  readonly before: { readonly name: string; readonly file: string } | undefined;
}

const { how, dir, plain, fingerprint, name, file, before } = workerData as LoadingThread;
const require = createRequire(import.meta.url);
using loader = createLoader({ fingerprint, dirs: [dir], host: 'system' });

async function load(one: string, from: string, by: LoadingThread['how']): Promise<void> {
  if (by === 'load') {
    const { outcome, message } = await loader.load(one);
    if (outcome !== 'loaded') throw new Error(message);
    return;
  }
  const path = join(plain, from);
  createHash('sha256').update(readFileSync(path)).digest('hex');
  if (by === 'import') await import(pathToFileURL(path).href);
  else require(path);
}

if (before !== undefined) await load(before.name, before.file, how === 'require' ? 'import' : how);
const started = performance.now();
await load(name, file, how);
parentPort?.postMessage(performance.now() - started);
