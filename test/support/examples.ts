// Vitest's global setup for the example libraries: each gets its own installed copy of what was built. Quick when they have it.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const INSTALL_MS = 120_000;

export default function setup(): void {
  const script = fileURLToPath(new URL('../../scripts/install-examples.js', import.meta.url));
  const { status, stderr, error } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: INSTALL_MS });
  if (status !== 0) throw new Error(`the examples could not be installed: ${error?.message ?? stderr}`);
}

/** URL of a module of an example, for workers. */
export function exampleUrl(path: string): string {
  return new URL(`../../examples/${path}`, import.meta.url).href;
}
