// Faults planted on purpose, by one thread, so that the tests see that the checks of the stress command can fail. Each
// does to the shared words what a broken implementation would do.

import type { Ledger } from './stress-ledger.js';
import type { Slots } from './stress-slots.js';

/** In the environment of the stress command: the name of the fault. For the tests alone. */
export const FAULT_VARIABLE = 'COEXIST_STRESS_FAULT';
/** How long the thread keeps still behind its fault, in ms, so that others have to see it. */
const STILL_MS = 4000;

export interface FaultContext {
  readonly me: number;
  /** The slot that the thread holds. */
  readonly slot: number;
  readonly ledger: Ledger;
  readonly slots: Slots;
  /** Counts without an entry in the ledger. */
  count(): void;
}

/** Returns whether the fault was planted and seen: some need another thread's slot, or a free one; some can go under. */
export function plantFault(fault: string, { me, slot, ledger, slots, count }: FaultContext): boolean {
  const { i32, i64 } = slots;
  const all = Array.from({ length: slots.capacity }, (_, k) => k);
  const other = all.find((k) => k !== slot && slots.owner(k) > 0n && slots.cpuId(k) >= 0);
  const free = all.find((k) => slots.owner(k) === 0n);
  switch (fault) {
    case 'count-lost':
      Atomics.sub(i32, slots.index(slot, 'refcount'), 1);
      break;
    case 'slot-stolen':
      if (other === undefined) return false;
      Atomics.store(i64, slots.ownerIndex(other), slots.owner(slot));
      break;
    case 'live-owner-reclaimed':
      if (other === undefined) return false;
      Atomics.store(i64, slots.ownerIndex(other), 0n);
      break;
    case 'slot-left':
      if (free === undefined) return false;
      // An owner of whom nobody can say whether it lives (clause 15).
      Atomics.store(i64, slots.ownerIndex(free), (1n << 61n) | BigInt(me));
      break;
    case 'counted-twice':
      count();
      break;
    case 'hang':
      break;
    default:
      throw new Error(`no fault is called ${fault}`);
  }
  const violations = ledger.violationCount();
  const still = fault === 'hang' ? undefined : STILL_MS;
  return Atomics.wait(ledger.i32, ledger.control.violations, violations, still) !== 'timed-out';
}
