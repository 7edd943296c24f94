// What the per-CPU structures have in common: shards of a version of their own (docs/ABI.md, clause 56), and the loop around an
// operation, which asks for the shard again whenever the operation was aborted.

import { CoexistError, show } from '../abi/errors.js';
import type { STRUCTURES } from '../abi/percpu.js';
import { Limits } from '../sync/wait.js';
import { COMPARE_FAILED, DONE, type Status } from './operations.js';
import { type Shards, shardNow } from './shards.js';

export type StructureName = keyof typeof STRUCTURES;

/** How long a structure waits for a thread that keeps its lock: one that lives is inside for a few steps only. */
export const KEPT_MS = 5000;

/**
 * Operates on the shard of this thread until the operation was not aborted; what it returned then.
 * @throws COEXIST_EUNREGISTERED, COEXIST_ETIMEDOUT; nothing changed
 */
export function onShard(shards: Shards, operate: (shard: number) => Status): typeof DONE | typeof COMPARE_FAILED {
  let limits: Limits | undefined;
  for (;;) {
    requireLive(shards);
    const status = operate(shardNow(shards));
    if (status === DONE || status === COMPARE_FAILED) return status;
    // Aborted: another thread has committed since, or keeps the CPU's word; the operation has waited for that one already.
    limits ??= new Limits({ timeout: KEPT_MS }, false);
    const over = limits.over(show(shards.name));
    if (over !== undefined) throw over;
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
