// What the preload does: declares the packages unique, in every thread that inherits the preload, and reports in the main thread, as the process ends,
// what was merged and what could not be. A bad setting is reported, and the program runs as it would have.

import { graphs } from '../host/graphs.js';
import { fs, process, workerThreads } from '../host/node/builtin.js';
import { unique, uniqueCopies } from './public.js';
import type { UniqueCopy, UniquePolicy } from './types.js';

const path = process.getBuiltinModule('node:path');

/** Names of packages, separated by commas. */
export const UNIQUE = 'COEXIST_UNIQUE';
/** What becomes of a copy out of range: private (the default), warn or throw. */
export const UNIQUE_POLICY = 'COEXIST_UNIQUE_POLICY';
/** Where the report goes: nothing or 1: standard error; 0: nowhere; else a file, as JSON. */
export const UNIQUE_REPORT = 'COEXIST_UNIQUE_REPORT';

export function startDedupe(): void {
  const names = (process.env[UNIQUE] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) {
    process.emitWarning(`coexist/dedupe has nothing to do: ${UNIQUE} names no package`, {
      type: 'CoexistWarning',
      code: 'COEXIST_EINVAL',
    });
    return;
  }
  try {
    unique(names, { policy: (process.env[UNIQUE_POLICY] || 'private') as UniquePolicy, prefer: 'highest' });
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    process.emitWarning(`coexist/dedupe does nothing: ${message}`, {
      type: 'CoexistWarning',
      code: code ?? 'COEXIST_EINVAL',
    });
    return;
  }
  if (!workerThreads().isMainThread) return;
  const given = process.env[UNIQUE_REPORT] ?? '';
  // The program may go to another directory.
  const to = ['', '0', '1'].includes(given) ? given : path.resolve(given);
  graphs.onExit(() => {
    try {
      report(to);
    } catch (error) {
      // The program ends as it would have.
      try {
        fs.writeSync(2, `coexist/dedupe: the report could not be written: ${(error as Error).message}\n`);
      } catch {
        // Standard error is closed.
      }
    }
  });
}

function report(to: string): void {
  if (to === '0') return;
  const copies = uniqueCopies();
  if (to === '' || to === '1') {
    const lines = copies.filter(({ outcome }) => outcome !== 'master').map(lineOf);
    if (lines.length > 0) fs.writeSync(2, `${lines.join('\n')}\n`);
  } else fs.writeFileSync(to, `${JSON.stringify(copies, undefined, 2)}\n`);
}

function lineOf({ name, version, root, outcome, into, importer, range }: UniqueCopy): string {
  const copy = `coexist/dedupe: ${name} ${version} in ${root}`;
  const why = `${importer || 'the program'} wants ${range}`;
  switch (outcome) {
    case 'kept':
      return `${copy}: kept, since ${why}, and the other copy is ${into?.version}`;
    case 'warned':
      return `${copy}: merged into ${into?.version} in ${into?.root}, though ${why}`;
    default:
      return `${copy}: merged into ${into?.version} in ${into?.root} (${why})`;
  }
}
