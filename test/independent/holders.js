// The table of holders of the coexist contract, ABI version 1, written from the contract page alone (clause 48). Plain JavaScript,
// `Atomics` only.

import { liveness } from './implementation.js';
import { fail } from './owner-words.js';

const HOLDERS = 64; // offset of the first row

/** The table of a lock with so many rows. */
export function holdersOf(m, count) {
  const [COUNT, PHASE, ROW] = [8, 12, 16];
  const [CAPACITY, USED] = [12, 16];
  m.constant(CAPACITY, count, 'holders');
  const at = (row) => HOLDERS + row * ROW;
  const used = () => Math.min(m.load(USED), count);
  const rows = function* () {
    for (let row = 0, end = used(); row < end; row++) {
      const holder = m.loadLong(at(row));
      if (holder > 0n) yield { row, at: at(row), holder, count: at(row) + COUNT, phase: at(row) + PHASE };
    }
  };
  const take = (row, from, me) => {
    for (let high = m.load(USED); high < row + 1 && !m.cas(USED, high, row + 1); ) high = m.load(USED);
    if (!m.casLong(at(row), from, -me)) return undefined;
    return prepare(row, me);
  };
  const prepare = (row, me) => {
    m.store(at(row) + COUNT, 0);
    m.wake(at(row) + COUNT);
    m.storeLong(at(row), me);
    return { row, at: at(row), holder: me, count: at(row) + COUNT, phase: at(row) + PHASE };
  };
  return {
    rows,
    find: (me) => [...rows()].find(({ holder }) => holder === me),
    own(me) {
      const found = this.find(me);
      if (found !== undefined) return found;
      for (let row = 0, end = used(); row < end; row++) if (m.loadLong(at(row)) === -me) return prepare(row, me);
      for (let row = 0; row < count; row++) {
        const taken = m.loadLong(at(row)) === 0n ? take(row, 0n, me) : undefined;
        if (taken !== undefined) return taken;
      }
      for (let row = 0; row < count; row++) {
        const holder = m.loadLong(at(row));
        const taken = liveness(holder < 0n ? -holder : holder) === 'dead' ? take(row, holder, me) : undefined;
        if (taken !== undefined) return taken;
      }
      return fail('EFULL', `all ${count} rows belong to living threads`);
    },
    free: ({ at, count }) => {
      m.store(count, 0);
      m.storeLong(at, 0n);
    },
  };
}
