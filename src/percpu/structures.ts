// What the per-CPU structures have in common: shards of a version of their own (docs/ABI.md, clause 56), and the loop around an
// operation, which asks for the shard again whenever the operation was aborted.

import { CoexistError, show } from '../abi/errors.js';
import type { STRUCTURES } from '../abi/percpu.js';
import { ABORTED, type Status, UNREGISTERED, UNSUPPORTED } from './operations.js';
import { type Shards, shardNow } from './shards.js';

export type StructureName = keyof typeof STRUCTURES;

/**
 * Operates on the shard of this thread until the operation was not aborted; what it returned then.
 * @throws COEXIST_EUNREGISTERED, COEXIST_EUNSUPPORTED; nothing changed
 */
export function onShard(shards: Shards, operate: (shard: number) => Status): Status {
  for (;;) {
    requireLive(shards);
    const status = operate(shardNow(shards));
    // Aborted: another thread has committed since, or keeps the CPU's word; the operation has waited for that one already.
    if (status === ABORTED) continue;
    if (status === UNREGISTERED || status === UNSUPPORTED) throw unsupported(shards.name);
    return status;
  }
}

/** @throws COEXIST_EUNREGISTERED */
export function requireLive(shards: Shards): void {
  if (shards.live) return;
  throw new CoexistError('COEXIST_EUNREGISTERED', `the accessor of ${show(shards.name)} was disposed of`, {
    found: 'a disposed accessor',
    expected: 'a live one',
    remedy: 'Construct a new one.',
  });
}

function unsupported(name: string): CoexistError {
  return new CoexistError(
    'COEXIST_EUNSUPPORTED',
    `${show(name)} needs critical sections, which slots of this area cannot announce`,
    {
      found: 'slots without rseq_cs',
      expected: 'feature_size 16 or more',
      remedy: 'Let a newer copy of the library, or another implementation, create the area.',
    },
  );
}
