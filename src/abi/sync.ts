// The words of locks (docs/ABI.md, clauses 42 to 51). Every lock begins with one 64-bit word that names its owner; zeroed
// memory is a lock in its first state. X and Y are identities (clause 15), W and D the bits 62 and 63.
//
//   owner word        state, and who may be here                 how it is left
//   0                 free; nobody waits                         lock: CAS to X, or to X|W by a thread that has waited
//   X                 X holds it; nobody waits                   unlock: CAS to 0; a waiter: CAS to X|W
//   X|W               X holds it; somebody may be waiting        unlock: store 0, wake one; last waiter gives up: CAS to X, wake all
//   D|X, D|X|W        X took it over from a dead owner           markConsistent: clear D; unlock before that: store D, wake all
//   any with X dead   nobody will ever unlock it                 a waiter Y: CAS to D|Y|W
//   D                 not recoverable, for ever                  never
//
//   word of Once      state                                      how it is left
//   0                 never run                                  call: CAS to X
//   X, X|W            X runs the initialiser; W as above         done or poisoned: exchange, wake all; X dead: CAS to Y|W
//   DONE              has run                                    never
//   POISONED          the initialiser threw                      callForce: CAS to X

import { i32, i64, u32 } from './field.js';

/** Bit 62: somebody may be waiting. */
export const WAITERS = 1n << 62n;
/** Bit 63, as the sign: an owner died, and what the lock protects has not been declared consistent since. */
export const OWNER_DIED = -(1n << 63n);
/** Bits 0 to 61: the owner's identity. */
export const IDENTITY_MASK = (1n << 62n) - 1n;

/** An owner word with this value is never locked again. */
export const NOT_RECOVERABLE = OWNER_DIED;

/** The final values of a Once, in the high half of its word; the low half is then 0. */
export const ONCE_DONE_HIGH = -0x7fffffff;
export const ONCE_POISONED_HIGH = -0x7ffffffe;
export const ONCE_DONE = BigInt(ONCE_DONE_HIGH) << 32n;
export const ONCE_POISONED = BigInt(ONCE_POISONED_HIGH) << 32n;

/** Bit 31 of a token: the lock is held by a guard of an asynchronous flow, and only that guard can release it. */
export const TOKEN_GUARDED = 0x80000000;

export const LOCK_ALIGN = 8;

export const MUTEX = { owner: i64(0), token: u32(8), reserved: u32(12) } as const;
export const MUTEX_BYTES = 16;

export const ONCE = { state: i64(0) } as const;
export const ONCE_BYTES = 8;

export const CONDVAR = { sequence: u32(0), waiters: u32(4), wakes: u32(8), taken: u32(12) } as const;
export const CONDVAR_BYTES = 16;

/** What RwLock, Semaphore and Barrier begin with; their table of holders follows. */
export const RWLOCK = { owner: i64(0), token: u32(8), holders: u32(12), holders_used: u32(16) } as const;
export const SEMAPHORE = {
  ...RWLOCK,
  permits: u32(20),
  released: i32(24),
  turn: u32(28),
  waiters: u32(32),
} as const;
export const BARRIER = { ...RWLOCK, parties: u32(20), phase: u32(24) } as const;
export const HOLDERS_OFFSET = 64;

/** One row of a table of holders. The identity is negated while its thread prepares the row, as in a slot. */
export const HOLDER = { identity: i64(0), count: u32(8), phase: u32(12) } as const;
export const HOLDER_BYTES = 16;

/** A reader's count until it has looked at the owner word: not 0 for a writer, and no hold for its own thread. */
export const COUNT_UNDECIDED = -0x80000000;

/** Rows of a placed object, where its user does not say. */
export const PLACED_HOLDERS = 60;

/** Bit 31 of a barrier's phase: broken. */
export const PHASE_BROKEN = 0x80000000;

/** Bytes of an object with so many rows. */
export const bytesWithHolders = (holders: number): number => HOLDERS_OFFSET + holders * HOLDER_BYTES;
