// Reclaim (docs/ABI.md, clauses 17 and 30): frees the slots of threads that are proven dead. One CAS of the owner word per
// slot, complete in itself: no lock, no order, any number of sweepers, stopped anywhere.

import type { AreaCore } from '../area/core.js';
import { high, identityIn, low } from '../area/thread-anchor.js';
import { host } from '../host/host.js';

/** Frees every slot whose owner is proven dead; returns how many this call freed. */
export function sweep(core: AreaCore): number {
  const own = identityIn(core.anchor);
  let freed = 0;
  for (let i = 0, end = core.highWater(); i < end; i++) {
    const owner = Atomics.load(core.views.i64, core.ownerIndex(i));
    const identity = owner < 0n ? -owner : owner;
    if (owner === 0n || identity === own || host.liveness(identity, own) !== 'dead') continue;
    // Exactly the owner that was judged: if the slot has changed hands meanwhile, the CAS fails.
    freed += core.transitions.release(core.slotAt(i), i, low(owner), high(owner));
  }
  return freed;
}
