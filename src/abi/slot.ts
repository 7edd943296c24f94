// The slot of one thread (docs/ABI.md, clauses 18 to 22). States of a slot, by its owner, cpu_id and refcount:
//
//   owner  cpu_id  refcount   state
//   0      any     any        free; only generation and registered_total mean anything
//   < 0    any     any        being prepared by thread |owner|: unregistered for observers
//   > 0    -1      0 or 1     claimed, not registered: before the first registration, or in the middle of a last unregister
//   > 0    -2      any        the host refuses this thread, until it ends
//   > 0    >= 0    0          permanent owner: register and unregister succeed without counting
//   > 0    >= 0    n > 0      n transient registrations
//
// Who moves it: free -> prepared -> claimed -> registered and back are the owner's own steps (src/wasm); any state of a
// thread that is proven dead -> free is a reclaimer's single CAS of the owner word (src/thread/sweep.ts).

import { i64, u32, u64 } from './field.js';

export const SLOT_STRIDE = 128;
export const FEATURE_SIZE = 64;

export const CPU_ID_UNINITIALIZED = -1;
export const CPU_ID_REGISTRATION_FAILED = -2;
export const REFCOUNT_MAX = 0xffffffff;
/** The last bit of holders stands for every library beyond the first 63 (clause 21). */
export const HOLDERS_BEYOND = 63;

export const SLOT = {
  cpu_id_start: u32(0),
  cpu_id: u32(4),
  rseq_cs: u64(8),
  flags: u32(16),
  refcount: u32(20),
  node_id: u32(24),
  mm_cid: u32(28),
  owner: i64(32),
  generation: u32(40),
  thread_id: u32(44),
  holders: u64(48),
  registered_total: u32(56),
  reserved: u32(60),
} as const;
