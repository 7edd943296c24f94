// Singletons (docs/ABI.md, clauses 67 to 69). The state word holds phase and generation g; everything but counting references and the
// users' functions happens under the inner lock, and one store of the state word makes it so. X and Y are threads:
//
//   phase           who may be here               how it is left
//   EMPTY g         nobody                        acquire by X: CONSTRUCTING g
//   CONSTRUCTING g  X runs the constructor        done: LIVE g; threw: FAILED g; X dead: by Y: CONSTRUCTING g + 1
//   LIVE g          holders of references         last one let go: DYING g; hosted, creator dead: EMPTY g + 1
//   DYING g         nobody                        memory: who made it so, under the same lock: FINALIZING g; hosted: the same by
//                                                 the actor, and if that is dead: EMPTY g + 1
//   FINALIZING g    actor runs the finalizer      ended, or actor dead: EMPTY g + 1
//   FAILED g        nobody                        explicit retry: CONSTRUCTING g + 1
//
// DYING under the lock is a question until the rows were read: a reference that is counted makes it LIVE again.

import { i64, u32 } from './field.js';
import { RWLOCK } from './sync.js';

export const SINGLETON = {
  ...RWLOCK,
  state: u32(20),
  actor: i64(24),
  type: u32(32),
  kind: u32(36),
  epoch: u32(40),
  cause_length: u32(44),
} as const;
/** Bytes of the cause, behind the rows. */
export const CAUSE_BYTES = 256;

export const SINGLETON_PHASES = ['EMPTY', 'CONSTRUCTING', 'LIVE', 'DYING', 'FINALIZING', 'FAILED'] as const;
export const SINGLETON_EMPTY = 0;
export const SINGLETON_CONSTRUCTING = 1;
export const SINGLETON_LIVE = 2;
export const SINGLETON_DYING = 3;
export const SINGLETON_FINALIZING = 4;
export const SINGLETON_FAILED = 5;
/** The phase: bits 0 to 2 of the state word; the generation: bits 3 to 30. */
export const SINGLETON_PHASE_MASK = 7;
export const SINGLETON_GENERATION_SHIFT = 3;
export const SINGLETON_GENERATION_MASK = 0xfffffff;
/** Of a row's phase: the row is a loan, and its count the live word it counts for. Otherwise the phase is the live word. */
export const LOAN_BIT = 0x80000000;

/** What an instance is, as the field kind says. */
export const INSTANCE_MEMORY = 1;
export const INSTANCE_HOSTED = 2;
export const INSTANCE_MEMORY_OF_CREATOR = 3;

/** Names in the directory: of a type's entry (this, the key and, unless the type's name is the key, `\0` and the name), and of the
 * channel of a hosted instance. */
export const TYPE_PREFIX = 'type:';
export const HOSTED_PREFIX = 'hosted:';
export const KEY_BYTES_MAX = 73;
/** Of a key and the name of a type that is not the key. */
export const KEY_AND_TYPE_BYTES_MAX = 74;
