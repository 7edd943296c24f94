// Two installed copies of the library, as two dependents of a program would have them; for this process alone, since several
// runs may share the checkout.

import { cpSync, mkdirSync, rmSync } from 'node:fs';
import process from 'node:process';

/** Makes the copies, removed when the process exits; returns the URLs of their folders. */
export function makeCopies(): string[] {
  const root = new URL('../../', import.meta.url);
  const folder = new URL(`build/stress-copies/${process.pid}/`, root);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return ['a', 'b'].map((name) => {
    const copy = new URL(`${name}/`, folder);
    mkdirSync(copy, { recursive: true });
    cpSync(new URL('dist', root), new URL('dist', copy), { recursive: true });
    cpSync(new URL('package.json', root), new URL('package.json', copy));
    return new URL('dist', copy).href;
  });
}
