// Bugs to plant in rings, as explore-mutations.ts has them for registration.

import type { Mutation } from './explore-mutant.js';

export const ringMutations: readonly Mutation[] = [
  {
    name: 'drain without comparing head',
    protocol: 'ring-overwrite',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'head 32, tail 112',
    find: 'const found = Atomics.compareExchange(i64, head, seen, next);',
    replace: 'const found = seen; Atomics.store(i64, head, next);',
  },
  {
    name: 'overwrite without comparing head',
    protocol: 'ring-overwrite',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'was delivered twice',
    find: 'Atomics.compareExchange(i64, headOf(at), head, next <= tail ? next : tail);',
    replace: 'Atomics.store(i64, headOf(at), next <= tail ? next : tail);',
  },
  {
    name: 'overwrite without moving head first',
    protocol: 'ring-overwrite',
    threads: 2,
    maxPreemptions: 2,
    kills: 0,
    finds: 'head 0, tail 80',
    find: 'this.#end = capacity + (this.#overwrites ? this.#steps.make_room(at, capacity, need) : this.#steps.head(at)); if (tail + need <= this.#end) return true;',
    replace:
      'this.#end = capacity + (this.#overwrites ? tail + need - capacity : this.#steps.head(at)); if (tail + need <= this.#end) return true;',
  },
  {
    name: 'tail before the attempt counts',
    protocol: 'ring',
    threads: 2,
    maxPreemptions: 1,
    kills: 1,
    finds: 'delivered of 1 attempted',
    find: 'Atomics.store(i64, attemptedOf(at), attempted + 1n); Atomics.store(i64, tailOf(at), i64[tailOf(at)] + BigInt(bytes));',
    replace:
      'Atomics.store(i64, tailOf(at), i64[tailOf(at)] + BigInt(bytes)); Atomics.store(i64, attemptedOf(at), attempted + 1n);',
  },
  {
    name: 'drain without the lock',
    protocol: 'ring',
    threads: 3,
    maxPreemptions: 2,
    kills: 0,
    finds: 'delivered, 3 seen',
    find: 'const token = this.#enter(slot, limits); if (token === 0) return []; try { return this.#takeOut(slot, limit); }',
    replace: 'return this.#takeOut(slot, limit); const token = 0; try { }',
  },
  {
    name: 'delivered before it is taken out',
    protocol: 'ring',
    threads: 2,
    maxPreemptions: 1,
    kills: 1,
    finds: 'were stored',
    find: 'const found = Atomics.compareExchange(i64, head, seen, next); if (found === seen) { const delivered = this.#index(slot, "delivered"); Atomics.store(i64, delivered, Atomics.load(i64, delivered) + BigInt(starts.length));',
    replace:
      'const delivered = this.#index(slot, "delivered"); Atomics.store(i64, delivered, Atomics.load(i64, delivered) + BigInt(starts.length)); const found = Atomics.compareExchange(i64, head, seen, next); if (found === seen) {',
  },
  {
    name: 'lock of a dead drainer never taken over',
    protocol: 'ring',
    threads: 3,
    maxPreemptions: 1,
    kills: 1,
    finds: 'records are left',
    find: 'if ((looks.due() || over !== void 0) && isDead(place, owner)) {',
    replace: 'if (looks.due() && isDead(place, owner)) {',
  },
];
