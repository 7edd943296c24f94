// Two installed copies of the library, as two dependents of a program would have them; for this process alone, since several
// runs may share the package, which may not be writable.

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

/** Makes the copies, removed when the process exits; returns the URLs of their folders. */
export function makeCopies(): string[] {
  const root = new URL('../../', import.meta.url);
  const folder = pathToFileURL(`${mkdtempSync(join(tmpdir(), 'coexist-stress-'))}/`);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return ['a', 'b'].map((name) => {
    const copy = new URL(`${name}/`, folder);
    mkdirSync(copy, { recursive: true });
    cpSync(new URL('dist', root), new URL('dist', copy), { recursive: true });
    cpSync(new URL('package.json', root), new URL('package.json', copy));
    return new URL('dist', copy).href;
  });
}
