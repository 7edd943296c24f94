// What a stress run can add up: the counters and the registrations, by the area, against the ledgers of all threads, dead ones
// included. How far they may differ: by the add that a thread was in when it died, and by one registration for each thread
// that ended and each vm timeout, which may fall between the library's count and the ledger's.

import { type Area, register } from 'coexist';
import { Counter } from 'coexist/percpu';
import type { Fleet } from './stress-fleet.js';
import type { Slots } from './stress-slots.js';
import type { Watch } from './stress-watch.js';

const COUNTERS = ['stress/0', 'stress/1'];

export interface Accounts {
  /** Checks the counters, at any time; returns their sum. */
  checkCounters(): bigint;
  /** Checks everything once all threads have ended: nothing is left, and the table can be used. Returns the sum. */
  checkEnd(): bigint;
}

export function createAccounts(area: Area, slots: Slots, fleet: Fleet, watch: Watch): Accounts {
  const counters: Counter[] = [];

  // Constructing a counter registers this thread; only sums are wanted here. Later, where the table is full now.
  function openCounters(): boolean {
    try {
      for (const name of COUNTERS.slice(counters.length)) {
        const counter = new Counter(name);
        counter.dispose();
        counters.push(counter);
      }
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'COEXIST_EFULL') return false;
      throw error;
    }
  }

  function checkCounters(): bigint {
    if (!openCounters()) return 0n;
    // Cells only grow: what was added before the sum is in it, and what is in it was being added by the time it was done.
    const { added: least } = fleet.totals();
    const sum = counters.reduce((total, counter) => total + counter.sum(), 0n);
    const { added, adding } = fleet.totals();
    if (sum < BigInt(least)) watch.violate('counter not exact', -1, least, Number(sum));
    if (sum > BigInt(added + adding)) watch.violate('counter not exact', -1, added + adding, Number(sum));
    return sum;
  }

  return {
    checkCounters,
    checkEnd() {
      watch.pass(fleet.live());
      area.reclaim();
      let registered = 0;
      for (let slot = 0; slot < slots.capacity; slot++) {
        if (slots.owner(slot) !== 0n) watch.violate('slot left behind', slot, 0, 1);
        registered += slots.field(slot, 'registered_total');
      }
      const { registrations, cuts } = fleet.totals();
      const most = registrations + fleet.ended + cuts + counters.length;
      if (registered < registrations || registered > most) {
        watch.violate('registrations not exact', -1, registrations, registered);
      }
      try {
        register().unregister();
      } catch (error) {
        fleet.notes.push(`no registration after the end of all threads: ${(error as Error).message}`);
        watch.violate('unexpected failure', -1, 0, 1);
      }
      return checkCounters();
    },
  };
}
