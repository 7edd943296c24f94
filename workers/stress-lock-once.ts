// Turns of the topic once: every thread calls the same many Onces in the same order, so that they meet at the first that has not run.

import type { Kind, KindContext } from './stress-lock-kinds.js';
import { STATE } from './stress-lock-ledger.js';

export const ONCES = 1 << 19;
/** A Once; then who ran the initialiser last, and whether one has run to its end. */
const STRIDE = 16;
export const ONCES_BYTES = ONCES * STRIDE;

/** Where threads die, one initialiser in so many takes this long, so that they do so there. */
const LONG_EVERY = 50;
const LONG_MS = 2;

export function once({ section, api, onces, deaths, fault }: KindContext): Kind {
  const { me, random, ledger } = section;
  const i32 = new Int32Array(onces);
  let next = 0;

  function visit(k: number): void {
    const at = k * STRIDE;
    const [runner, ran] = [(at >>> 2) + 2, (at >>> 2) + 3];
    const once = api.Once.at(onces, at);
    let runs = 0;
    const initialise = ({ ownerDied }: { readonly ownerDied: boolean }): void => {
      runs++;
      const before = i32[runner] as number;
      if (ownerDied) ledger.bump(me, 'told');
      else if (before !== 0) ledger.violate('initialised twice', me, 0, before);
      if (before !== 0 && ownerDied && !ledger.takeOver(before)) ledger.violate('death told twice', me, 1, before);
      i32[runner] = me;
      ledger.set(me, 'state', STATE.inside);
      // An error would not be a death: it poisons the Once.
      section.obeyAtOnce();
      section.dally();
      if (deaths && random.below(LONG_EVERY) === 0) Atomics.wait(ledger.i32, ledger.control.stop, 0, LONG_MS);
      if (i32[runner] !== me) ledger.violate('two inside', me, me, i32[runner] as number);
      section.obeyAtOnce();
      i32[ran] = 1;
      ledger.bump(me, 'added');
      ledger.set(me, 'state', STATE.leaving);
    };
    if (fault === 'run-twice' && once.isCompleted()) initialise({ ownerDied: false });
    section.taking();
    const called = once.call(initialise);
    section.left();
    if (called && runs !== 1) ledger.violate('initialised twice', me, 1, runs);
    if (i32[ran] !== 1) ledger.violate('not initialised', me, 1, i32[ran] as number);
  }

  return {
    turn() {
      section.obey();
      visit(next);
      next = (next + 1) % ONCES;
      return undefined;
    },
    settle() {
      for (let k = 0; k < ONCES && i32[((k * STRIDE) >>> 2) + 2] !== 0; k++) visit(k);
    },
  };
}
