// Per-CPU data (docs/ABI.md, clauses 53 to 56): objects with one shard for each CPU, the numbers of the operations on them, and
// the versions that tell the structures apart.
//
//   rseq_cs of a slot   who may be here                                        how it is left
//   0                   its owner is in no section                             the owner announces a section: count | operation
//   c                   its owner is in section c                              commit or abort: the owner stores 0
//   c, owner dead       nobody: what the section stored is harmless            a new owner's claim resets it
//   c, owner alive but  nobody: a vm timeout cut the section                   the owner's next section replaces it
//   cut in the section

import { u32 } from './field.js';
import { MUTEX_BYTES } from './sync.js';

export const PERCPU = { shards: u32(0), stride: u32(4) } as const;
/** Bytes before the first shard. */
export const PERCPU_BYTES = 64;
/** What the stride of shards is a multiple of, so that no two of them share a line. */
export const SHARD_ALIGN = 64;
/** Bytes of a shard before its content: the CPU's word, a mutex. */
export const SHARD_HEAD_BYTES = MUTEX_BYTES;

/** The directory entry that says how many CPUs the machine may ever have. */
export const CPUS_NAME = 'coexist.cpus';
export const CPUS_BYTES = 4;

/** Operations by librseq's names; the number is announced in rseq_cs. */
export const OPERATIONS = {
  load_cbne_store: 1,
  load_add_store: 2,
  load_cbeq_store_add_load_store: 3,
  load_add_load_load_add_store: 4,
  load_cbne_store_store: 5,
  load_cbne_load_cbne_store: 6,
  load_cbne_memcpy_store: 7,
} as const;

/** What successive announcements of a thread differ by: bits 0 to 7 are the operation's. */
export const SECTION_STEP = 256n;

/** Versions of the objects that are structures (clause 56). */
export const STRUCTURES = { lock: 65536, counter: 65537, list: 65538, buffer: 65539, items: 65540 } as const;

/** The content of a buffer's shard begins with these; entries follow. */
export const BUFFER = { used: u32(0), capacity: u32(4) } as const;
export const BUFFER_BYTES = 8;
