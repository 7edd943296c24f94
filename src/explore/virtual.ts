// What explored code sees of time, chance and other threads: a virtual clock that the scheduler moves, seeded random numbers, and
// threads that are dead exactly when the schedule has killed them.

import type { Assembler } from '../core.js';
import * as K from './control.js';
import type { Instrumentable } from './types.js';

/** What the virtual clock shows when a schedule begins, in ms. */
const EPOCH = 1_000_000;

/** An identity of the library's form whose thread is dead: no process has a thread 4194303 that started with the machine. */
export const GHOST = (1n << 22n) | 0x3fffffn;

export interface Virtual {
  /** Random numbers start anew. */
  reseed(): void;
  instrument(copy: Instrumentable): void;
}

/** `control` is undefined before the memory is known; `observe` says whether a thread was killed, as an operation of its own; `assembler` makes the wasm of the library step. */
export function createVirtual(
  control: () => K.Control | undefined,
  self: number,
  observe: (thread: number) => boolean,
  assembler: Assembler,
): Virtual {
  let state = 0;
  const running = (): boolean => control()?.c[K.PHASE] === K.RUN;
  const clock = (): number => EPOCH + (control()?.f[K.F_CLOCK] as number);

  const realRandom = Math.random;
  Math.random = () => {
    if (!running()) return realRandom();
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const realDate = Date.now;
  Date.now = () => (running() ? clock() : realDate());
  const { performance } = globalThis;
  const realPerformance = performance.now.bind(performance);
  performance.now = () => (running() ? clock() : realPerformance());

  return {
    reseed() {
      state = Math.imul((control()?.c[K.SEED] ?? 0) + 1, 0x9e3779b1) ^ (self + 1) || 1;
    },
    instrument({ host, assembler: place }) {
      const { now, liveness } = host;
      Object.assign(host, {
        now: () => (running() ? clock() : now()),
        liveness(identity: bigint, own: bigint) {
          if (identity === GHOST && running()) return 'dead';
          const known = running() ? control()?.identities.indexOf(identity) : undefined;
          if (known !== undefined && known >= 0) return observe(known) ? 'dead' : 'alive';
          return liveness(identity, own);
        },
      });
      place.instantiate = assembler.instantiate;
    },
  };
}
