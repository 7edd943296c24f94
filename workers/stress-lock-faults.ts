// Faults of the library planted on purpose, in the copies of it that the threads use, so that the tests see that the stress command
// finds them. Each takes out of one protocol what makes it right. (Faults in the use of locks are in stress-lock-kinds.ts.)

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
    find: /const found = Atomics\.compareExchange\((\w+), (\w+), seen, next\);/g,
    put: 'const found = seen; Atomics.store($1, $2, next);',
  },
  // With time for others between reading the count and storing it.
  'ring-without-lock': {
    find: /const token = this\.#enter\(slot, limits\);\s*if \(token === 0\) return \[\];([\s\S]*?)Atomics\.store\((\w+), delivered, Atomics\.load\(\w+, delivered\) \+ (BigInt\(starts\.length\))\);/g,
    put:
      'return this.#takeOut(slot, limit); const token = 0;$1const counted = Atomics.load($2, delivered); ' +
      'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); Atomics.store($2, delivered, counted + $3);',
  },
  'ring-tail-first': {
    find: /(this\.#data\.set\(\w+, place \+ RECORD_BYTES\);)\s*(this\.#steps\.commit\([^;]*;)/g,
    put: '$2 $1',
  },
  // Of per-CPU and per-thread data.
  'gauge-kept': {
    find: /Atomics\.store\(\w+, this\.#index, 0n\);/g,
    put: '',
  },
  'word-not-held': {
    find: /const (\w+) = shards\.byCpu && op !== OPERATIONS\.load_add_load_load_add_store \? wordOf\(shards, shard\) : 0;/g,
    put: 'const $1 = 0;',
  },
  'fence-returns': {
    find: /for \(let slot = 0, end = core\.highWater\(\); slot < end; slot\+\+\) yield\* waitOutSlot\([^;]*;/g,
    put: '',
  },
  'item-not-cleared': {
    find: /this\.#steps\.zero\(item, [^;]*;/g,
    put: '',
  },
  // With time for others between the two looks.
  'freed-for-another': {
    find: /if \(alive === "dead" && this\.#locked\(\(\) => this\.#freeOf\(item, owner\)\)\) freed\+\+;/g,
    put:
      'if (alive !== "dead") continue; Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2); ' +
      'if (this.#locked(() => this.#freeOf(item, threadOf(this.#rows, this.#indexOf(item), "allocated_by")))) freed++;',
  },
  // Of modules.
  'builds-beside': {
    find: /if \(identities\d*\.length > 0\) \{/g,
    put: 'if (false) {',
  },
  'rows-not-left': {
    find: /(function leaveModule\([^)]*\) \{)/g,
    put: '$1 return;',
  },
  // Of singletons.
  'ended-while-held': {
    find: /(function endUnheld\d*\([^)]*\) \{[^}]*?)if \(anyCounts\d*\([^)]*\)\) \{\s*become\d*\([^)]*\);\s*return 0n;\s*\}/g,
    put: '$1',
  },
  'release-not-counted': {
    find: /Atomics\.store\(this\.#i32, this\.#count, count\d* - 1\);/g,
    put: '',
  },
  // Of calls.
  'dead-keep-cells': {
    find: /const dead\d* = caller > 0n && isDead\d*\(\w+, caller\d*\);/g,
    put: 'const dead = false;',
  },
  // Those below are in the JavaScript twin.
  'taken-by-looking': {
    find: /if \(Atomics\.compareExchange\(\w+, state\d*, seen\d*, taken\d*\) !== seen\d*\) return 0;/g,
    put: '',
  },
  'cell-not-atomic': {
    find: /(add64\(at, n\) \{\s*)Atomics\.add\((\w+), at >>> 3, BigInt\(n\)\);/g,
    put: '$1Atomics.store($2, at >>> 3, Atomics.load($2, at >>> 3) + BigInt(n));',
  },
  'copy-torn': {
    find: /copyWithin\(c, d, d \+ limit\)/g,
    put: 'copyWithin(c, d, d + limit / 2)',
  },
  'pool-without-lock': {
    find: /if \(Atomics\.compareExchange\((\w+), owner, 0n, (\w+)\) !== 0n\) return POOL_BUSY;/g,
    put: 'Atomics.store($1, owner, $2);',
  },
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
