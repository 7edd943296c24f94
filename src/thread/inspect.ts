// What an observer can say of an area (docs/ABI.md, clause 31): plain data, read without a lock. A row is taken only if owner,
// generation and cpu_id were the same before and after it was read.

import { type Field, word } from '../abi/field.js';
import { HEADER } from '../abi/header.js';
import { HOLDERS_BEYOND, SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { libraries } from '../area/directory.js';
import { identityIn } from '../area/thread-anchor.js';
import { host } from '../host/host.js';

/** One registered slot. */
export interface SlotRow {
  readonly slot: number;
  readonly generation: number;
  /** The runtime's id of the thread, -1 if none. */
  readonly threadId: number;
  /** The operating system's id of the thread, null where it is not known. */
  readonly osTid: number | null;
  /** false: proven dead, not yet reclaimed. null: unknown. */
  readonly alive: boolean | null;
  readonly cpuIdStart: number;
  readonly cpuId: number;
  /** Transient registrations; 0 is a permanent owner. */
  readonly refcount: number;
  readonly flags: number;
  /** Names of the libraries that registered here since the claim; advisory. */
  readonly holders: readonly string[];
  /** Registrations ever made in this slot, by all its owners. */
  readonly registeredTotal: number;
}

/** An area at one moment; JSON-able. */
export interface Inspection {
  readonly areaId: number;
  readonly capacity: number;
  readonly highWater: number;
  /** Whether a second area was seen in this process; its id is in `conflict`. */
  readonly conflicted: boolean;
  /** Id of the other area, 0 if there is none. */
  readonly conflict: number;
  readonly slots: readonly SlotRow[];
}

/** How often a row that changes while it is read is read again. */
const TRIES = 8;

export function inspect(core: AreaCore): Inspection {
  const names = libraries(core);
  const slots: SlotRow[] = [];
  for (let i = 0, end = core.highWater(); i < end; i++) {
    const row = readRow(core, i, names);
    if (row !== undefined) slots.push(row);
  }
  const conflict = Atomics.load(core.views.u32, word(HEADER.conflict));
  return {
    areaId: core.id,
    capacity: core.geometry.slotCapacity,
    highWater: core.highWater(),
    conflicted: conflict !== 0,
    conflict,
    slots,
  };
}

function readRow(core: AreaCore, i: number, names: readonly string[]): SlotRow | undefined {
  const { u32, i32, i64 } = core.views;
  const at = core.slotAt(i);
  const unsigned = (f: Field): number => (core.has(f) ? Atomics.load(u32, (at + f.offset) >>> 2) : 0);
  const signed = (f: Field): number => (core.has(f) ? Atomics.load(i32, (at + f.offset) >>> 2) : -1);
  for (let tries = 0; tries < TRIES; tries++) {
    const owner = Atomics.load(i64, core.ownerIndex(i));
    const generation = unsigned(SLOT.generation);
    const cpuId = signed(SLOT.cpu_id);
    if (owner <= 0n || cpuId < 0) return undefined;
    const holders = core.has(SLOT.holders) ? Atomics.load(i64, (at + SLOT.holders.offset) >>> 3) : 0n;
    const liveness = host.liveness(owner, identityIn(core.anchor));
    const row: SlotRow = {
      slot: i,
      generation,
      threadId: signed(SLOT.thread_id),
      osTid: host.osThreadId(owner) ?? null,
      alive: liveness === 'unknown' ? null : liveness === 'alive',
      cpuIdStart: unsigned(SLOT.cpu_id_start),
      cpuId,
      refcount: unsigned(SLOT.refcount),
      flags: unsigned(SLOT.flags),
      holders: holderNames(holders, names),
      registeredTotal: unsigned(SLOT.registered_total),
    };
    // cpu_id too: a last unregister takes it back before the refcount, and count 0 would read as a permanent owner.
    const same = signed(SLOT.cpu_id) === cpuId && unsigned(SLOT.generation) === generation;
    if (same && Atomics.load(i64, core.ownerIndex(i)) === owner) return row;
  }
  return undefined;
}

function holderNames(holders: bigint, names: readonly string[]): string[] {
  const held: string[] = [];
  for (let bit = 0; bit < HOLDERS_BEYOND; bit++) {
    if ((holders >> BigInt(bit)) & 1n) held.push(names[bit] ?? `library ${bit}`);
  }
  if (holders < 0n) held.push('others');
  return held;
}
