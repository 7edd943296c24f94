// Two installed copies of the library, as two dependents of a program would have them. Made once for a test run.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

export type CopyName = 'a' | 'b';

/** URL of a copy's entry: 'index.js', 'percpu.js', 'core.js' (everything, internals too). */
export function copyUrl(copy: CopyName, entry = 'index.js'): string {
  return new URL(`build/copies/${copy}/dist/${entry}`, root).href;
}

/** Vitest's global setup. */
export default function setup(): void {
  rmSync(new URL('build/copies', root), { recursive: true, force: true });
  for (const copy of ['a', 'b']) {
    const folder = new URL(`build/copies/${copy}/`, root);
    mkdirSync(folder, { recursive: true });
    cpSync(fileURLToPath(new URL('dist', root)), fileURLToPath(new URL('dist', folder)), { recursive: true });
    cpSync(fileURLToPath(new URL('package.json', root)), fileURLToPath(new URL('package.json', folder)));
  }
}
