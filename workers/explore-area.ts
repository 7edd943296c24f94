// What explored protocols of the library have in common: opening a private area in every explored thread, a ledger in which each
// thread notes what it holds, and what docs/ABI.md promises at every step and at the end. The ledger lies in the area's heap
// and is written with ordinary stores right behind the call it notes, so that no schedule comes in between.

import type * as Core from '../src/core.js';
import type { ExploreContext } from '../src/explore.js';

export interface ProtocolData {
  /** The copy of the library to explore. */
  readonly core: string;
  readonly backend: 'wasm' | 'twin';
  readonly threads: number;
}

export interface Rig {
  readonly core: typeof Core;
  readonly area: Core.Area;
  readonly inner: Core.AreaCore;
  /** What the anchor holds when a schedule begins. */
  readonly anchor: readonly number[];
  readonly identity: bigint;
  readonly identities: BigInt64Array;
  readonly ledger: Int32Array;
}

/** 32-bit words of one thread in the ledger. */
const ROW = 8;
const HELD = 0;
const SLOT = 1;
const GENERATION = 2;
/** How many registrations succeeded. */
const EVER = 3;
/** The identity is the last 64 bits of a row; words 4 and 5 are for a protocol of its own. */
const IDENTITY_BYTES = 24;
const HEAP_BYTES = 4096;

export const rigOf = ({ state }: ExploreContext): Rig => state as Rig;

export async function loadCore({ data, instrument }: ExploreContext): Promise<typeof Core> {
  const { core: url, backend } = data as ProtocolData;
  process.env['COEXIST_NO_WASM'] = backend === 'twin' ? '1' : '';
  const core = (await import(url)) as typeof Core;
  instrument(core);
  // How long to look before sleeping is a matter of speed; each look would be explored.
  Object.assign(core.SPIN, { lock: 0, event: 0 });
  return core;
}

export async function makeArea(context: ExploreContext, slots: number): Promise<Core.AreaValue> {
  const core = await loadCore(context);
  const area = core.createArea({ slots, blockBytes: 4096, heapBytes: HEAP_BYTES });
  return area.memory ?? area.buffer;
}

/** `before` runs when the area is open, and may register; what it leaves is what every schedule starts from. */
export async function openRig(context: ExploreContext, before: (rig: Rig) => void = () => {}): Promise<Rig> {
  const core = await loadCore(context);
  const area = core.openArea(context.memory as Core.AreaValue);
  const inner = core.coreOf(area.buffer);
  const { anchor } = inner;
  const { heapOffset } = area.geometry;
  const ledger = new Int32Array(area.buffer, heapOffset, ROW * context.threads);
  const identities = new BigInt64Array(area.buffer, heapOffset, (ROW / 2) * context.threads);
  const identity = (BigInt(anchor[3] as number) << 32n) | BigInt((anchor[2] as number) >>> 0);
  identities[(context.index * ROW) / 2 + IDENTITY_BYTES / 8] = identity;
  const rig = { core, area, inner, anchor: [], identity, identities, ledger };
  before(rig);
  return { ...rig, anchor: [...anchor] };
}

/** What a thread keeps outside the memory. */
export function resetRig(context: ExploreContext): void {
  const { inner, anchor } = rigOf(context);
  inner.anchor.set(anchor);
  inner.entries.clear();
  inner.holderBits.clear();
}

/** Notes a registration that this thread has just got. */
export function note(context: ExploreContext, { slot, generation }: Core.Registration): void {
  const { ledger } = rigOf(context);
  const row = context.index * ROW;
  ledger[row + HELD]!++;
  ledger[row + SLOT] = slot;
  ledger[row + GENERATION] = generation;
  ledger[row + EVER]!++;
}

/** Notes that this thread is about to give one back. */
export function unnote(context: ExploreContext): void {
  rigOf(context).ledger[context.index * ROW + HELD]!--;
}

export function register(context: ExploreContext): Core.Registration {
  const { core, area } = rigOf(context);
  const registration = core.register({ area });
  note(context, registration);
  return registration;
}

export function unregister(context: ExploreContext, registration: Core.Registration): void {
  unnote(context);
  registration.unregister();
}

export function assert(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(promise);
}

const slotAt = ({ area }: Rig, slot: number): number => area.geometry.slotOffset + slot * area.geometry.slotStride;

export function ownerOf(rig: Rig, slot: number): bigint {
  const { core, inner } = rig;
  return inner.views.i64[(slotAt(rig, slot) + core.SLOT.owner.offset) >>> 3] as bigint;
}

export function fieldOf(
  rig: Rig,
  slot: number,
  name: 'refcount' | 'cpu_id' | 'generation' | 'registered_total',
): number {
  const { core, inner } = rig;
  return inner.views.i32[(slotAt(rig, slot) + core.SLOT[name].offset) >>> 2] as number;
}

export const headerOf = ({ core, inner }: Rig, name: 'slot_high_water' | 'slot_hint'): number =>
  inner.views.u32[core.HEADER[name].offset >>> 2] as number;

const absolute = (id: bigint): bigint => (id < 0n ? -id : id);

/**
 * What holds after every operation: no two slots have one owner; whoever holds a registration and was not killed owns
 * its slot under its generation, is registered, and is counted at least as often as it knows; owned slots are below high water.
 */
export function checkSlots(context: ExploreContext): void {
  const rig = rigOf(context);
  const { area, ledger } = rig;
  const water = headerOf(rig, 'slot_high_water');
  const capacity = area.geometry.slotCapacity;
  for (let slot = 0; slot < capacity; slot++) {
    const owner = absolute(ownerOf(rig, slot));
    if (owner === 0n) continue;
    assert(slot < water, `slot ${slot} is owned, above the high water of ${water}`);
    for (let other = slot + 1; other < capacity; other++) {
      assert(absolute(ownerOf(rig, other)) !== owner, `slots ${slot} and ${other} have one owner`);
    }
  }
  for (let thread = 0; thread < context.threads; thread++) {
    const row = thread * ROW;
    const held = ledger[row + HELD] as number;
    if (held === 0 || context.killed(thread)) continue;
    const slot = ledger[row + SLOT] as number;
    const owner = ownerOf(rig, slot);
    assert(owner === identityOf(rig, thread), `T${thread} lost slot ${slot} to ${owner}`);
    assert(
      fieldOf(rig, slot, 'generation') === ledger[row + GENERATION],
      `slot ${slot} of T${thread} changed generation`,
    );
    assert(
      fieldOf(rig, slot, 'cpu_id') >= 0,
      `T${thread} holds ${held} registrations of slot ${slot} and is not registered`,
    );
    const count = fieldOf(rig, slot, 'refcount') >>> 0;
    assert(count >= held, `T${thread} holds ${held} registrations, slot ${slot} counts ${count}`);
  }
}

/** Which words `checkSlots` reads. */
export function observedBySlots(address: number, context: ExploreContext): boolean {
  const { core, area } = rigOf(context);
  const { slotOffset, slotStride, slotCapacity } = area.geometry;
  if (address === core.HEADER.slot_high_water.offset) return true;
  if (address < slotOffset || address >= slotOffset + slotCapacity * slotStride) return false;
  const { owner, generation, cpu_id, refcount } = core.SLOT;
  const offset = (address - slotOffset) % slotStride;
  return [owner, generation, cpu_id, refcount].some((field) => offset >= field.offset && offset < core.endOf(field));
}

export const identityOf = ({ identities }: Rig, thread: number): bigint =>
  identities[(thread * ROW) / 2 + IDENTITY_BYTES / 8] as bigint;

export const everOf = ({ ledger }: Rig, thread: number): number => ledger[thread * ROW + EVER] as number;

export function anyKilled({ threads, killed }: ExploreContext): boolean {
  for (let thread = 0; thread < threads; thread++) if (killed(thread)) return true;
  return false;
}

/**
 * What holds when all have ended: living threads own nothing that they did not keep, a sweep frees the rest, a new registration
 * works, and no free slot lies below the hint unless a thread was killed before it had lowered it.
 */
export function checkEnd(context: ExploreContext): void {
  const rig = rigOf(context);
  const { area, core } = rig;
  const dead = new Set<bigint>();
  for (let thread = 0; thread < context.threads; thread++) {
    if (context.killed(thread)) dead.add(identityOf(rig, thread));
  }
  for (let slot = 0; slot < area.geometry.slotCapacity; slot++) {
    const owner = absolute(ownerOf(rig, slot));
    assert(owner === 0n || dead.has(owner), `slot ${slot} stays with ${owner}, which lives and has unregistered`);
  }
  if (dead.size > 0) {
    area.reclaim();
    for (let slot = 0; slot < area.geometry.slotCapacity; slot++) {
      const owner = absolute(ownerOf(rig, slot));
      assert(owner === 0n || owner === rig.identity, `the sweep left slot ${slot} with ${owner}`);
    }
  } else {
    assert(headerOf(rig, 'slot_hint') === 0, `every slot is free, the hint is ${headerOf(rig, 'slot_hint')}`);
    let total = 0;
    let ever = 0;
    for (let slot = 0; slot < area.geometry.slotCapacity; slot++) total += fieldOf(rig, slot, 'registered_total');
    for (let thread = 0; thread < context.threads; thread++) ever += everOf(rig, thread);
    assert(total === ever, `${ever} registrations were made, the slots have counted ${total}`);
  }
  if (!context.killed(context.index)) core.register({ area }).unregister();
}

/** Names of the words of an area, for traces. */
export function nameInArea(address: number, context: ExploreContext): string | undefined {
  const { core, area } = rigOf(context);
  const { geometry } = area;
  const find = (table: Readonly<Record<string, { offset: number; size: number }>>, at: number): string => {
    for (const [name, { offset, size }] of Object.entries(table)) {
      if (at >= offset && at < offset + size) return at === offset ? name : `${name}+${at - offset}`;
    }
    return `+${at}`;
  };
  const { slotOffset, slotStride, slotCapacity, directoryOffset, directoryCapacity } = geometry;
  if (address < core.HEADER_BYTES) return find(core.HEADER, address);
  const inSlots = address - slotOffset;
  if (inSlots >= 0 && inSlots < slotCapacity * slotStride) {
    return `slot[${Math.floor(inSlots / slotStride)}].${find(core.SLOT, inSlots % slotStride)}`;
  }
  const inDirectory = address - directoryOffset;
  if (inDirectory >= 0 && inDirectory < directoryCapacity * core.ENTRY_BYTES) {
    return `entry[${Math.floor(inDirectory / core.ENTRY_BYTES)}].${find(core.ENTRY, inDirectory % core.ENTRY_BYTES)}`;
  }
  return undefined;
}
