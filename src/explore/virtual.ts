// What explored code sees of time, chance and other threads: a virtual clock that the scheduler moves, seeded random numbers, and
// threads that have the same identities in every run and are dead exactly when the schedule has killed them.

import type { Assembler } from '../core.js';
import * as K from './control.js';
import type { Instrumentable } from './types.js';

/** What the virtual clock shows when a schedule begins, in ms. */
const EPOCH = 1_000_000;

// Identities have the form of real ones: the start time above 22 bits, equal in its upper part among threads that were
// started together. They are the same in every run, so that traces are, and whatever depends on their order.
const TID_BITS = 22n;
const STARTED = 0x100000n;
const FLAG_BITS = 60n;

/** What the library takes for the identity of the explored thread. */
export const identityOf = (thread: number): bigint => ((STARTED + BigInt(thread)) << TID_BITS) | BigInt(thread + 1);

/** The identity of no thread, dead in every schedule. */
export const GHOST = identityOf(K.MAX_THREADS);

/** A word as a trace shows it: where it is an identity, negated or with flags in its highest bits, by the thread's name. */
export function showWord(word: unknown): string {
  if (typeof word !== 'bigint' || word === 0n) return String(word);
  for (let thread = 0; thread <= K.MAX_THREADS; thread++) {
    const name = thread === K.MAX_THREADS ? 'ghost' : `T${thread}`;
    const identity = identityOf(thread);
    if (word === -identity) return `-${name}`;
    const flags = BigInt.asUintN(64, word) ^ identity;
    if (BigInt.asUintN(Number(FLAG_BITS), flags) !== 0n) continue;
    return flags === 0n ? name : `${name}|0x${(flags >> FLAG_BITS).toString(16)}<<60`;
  }
  return String(word);
}

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
      const overrides = {
        now: () => (running() ? clock() : now()),
        identity: () => identityOf(self),
        // None, so that a thread publishes its slot's own index: the same in every run.
        openCpu: () => ({ via: 'none', ffi: undefined, reasons: ['explored'], cpu: () => -1, node: () => 0 }),
        liveness(identity: bigint, own: bigint) {
          if (identity === GHOST) return 'dead';
          for (let thread = 0; thread < K.MAX_THREADS; thread++) {
            if (identity === identityOf(thread)) return running() && observe(thread) ? 'dead' : 'alive';
          }
          return liveness(identity, own);
        },
      };
      Object.assign(host, overrides);
      // A getter on the host itself.
      Object.defineProperty(host, 'threadId', { value: self + 1 });
      place.instantiate = assembler.instantiate;
    },
  };
}
