// Faults of the library planted on purpose, in the copies of it that the threads use, so that the tests see that the stress command
// finds them. Each takes out of one protocol what makes it right. (Faults of its use are in stress-lock-kinds.ts.)

import { readFileSync, writeFileSync } from 'node:fs';

interface Patch {
  /** Loose about names, which the bundler may number. */
  readonly find: RegExp;
  readonly put: string;
}

const PATCHES: Readonly<Record<string, Patch>> = {
  'no-takeover': {
    find: /host\.liveness\(\w+, place\.ground\.self\) === "dead"/g,
    put: 'false',
  },
  // Of rings.
  'ring-head-not-compared': {
    find: /const found = Atomics\.compareExchange\((\w+), head, seen, next\);/g,
    put: 'const found = seen; Atomics.store($1, head, next);',
  },
  'ring-without-lock': {
    find: /const token = this\.#enter\(slot, limits\);\s*if \(token === 0\) return \[\];/g,
    put: 'return this.#takeOut(slot, limit); const token = 0;',
  },
  'ring-tail-first': {
    find: /(this\.#data\.set\(\w+, place \+ RECORD_BYTES\);)\s*(this\.#steps\.commit\([^;]*;)/g,
    put: '$2 $1',
  },
  // Those below are in the JavaScript twin.
  'check-then-set': {
    find: /if \(Atomics\.compareExchange\((\w+), owner\(at\), 0n, (\w+)\) !== 0n\) return 0;/g,
    put: 'if (Atomics.load($1, owner(at)) !== 0n) return 0; Atomics.store($1, owner(at), $2);',
  },
  'reader-does-not-look': {
    find: /if \(Atomics\.load\(\w+, owner\(at\)\) === 0n\) \{/g,
    put: 'if (readers <= 0) {',
  },
  'wake-not-counted': {
    find: /if \(pending < waiters\) Atomics\.add\([^;]*;/g,
    put: '',
  },
};

/** Changes the copies in these folders, where the fault is one of the library. */
export function plantInCopies(fault: string | undefined, folders: readonly string[]): void {
  const patch = fault === undefined ? undefined : PATCHES[fault];
  if (patch === undefined) return;
  for (const folder of folders) {
    const file = new URL(`${folder}/core.js`);
    const text = readFileSync(file, 'utf8');
    const fits = text.match(patch.find)?.length ?? 0;
    if (fits !== 1) throw new Error(`${fault}: the library has changed, and the patch fits ${fits} times`);
    writeFileSync(file, text.replace(patch.find, patch.put));
  }
}
