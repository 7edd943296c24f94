// One area as the code above sees it: memory, geometry, transitions and this thread's anchor for it, one object per area and
// copy. What is costly to make is made when first used.

import { word } from '../abi/field.js';
import { AREA_KEY, HEADER, THREAD_KEY } from '../abi/header.js';
import { SLOT } from '../abi/slot.js';
import type { AreaValue, Geometry, Views } from '../abi/views.js';
import { host } from '../host/host.js';
import { type Transitions, transitionsOn } from '../wasm/transitions.js';
import type { Found } from './conflict.js';
import { wasmAllowed } from './create.js';
import { areaIdOf, check } from './publish.js';
import { ANCHOR_HIGH, ANCHOR_LOW, anchorOf } from './thread-anchor.js';

export class AreaCore {
  readonly id: number;
  readonly value: AreaValue;
  readonly views: Views;
  readonly geometry: Geometry;
  readonly transitions: Transitions;
  /** Directory entries this copy has resolved, by name. */
  readonly entries = new Map<string, unknown>();
  /** Bits of holders, by library name (clause 21). */
  readonly holderBits = new Map<string, number>();
  #anchor: Int32Array | undefined;

  constructor({ value, views, geometry }: Found) {
    this.id = Atomics.load(views.u32, word(HEADER.area_id));
    this.value = value;
    this.views = views;
    this.geometry = geometry;
    this.transitions = transitionsOn(views, wasmAllowed());
  }

  /**
   * This thread's anchor for this area.
   * @throws COEXIST_EANCHOR
   */
  get anchor(): Int32Array {
    this.#anchor ??= anchorOf(this.#anchorKey(), (anchor) =>
      this.transitions.drop_leftovers(anchor[ANCHOR_LOW] as number, anchor[ANCHOR_HIGH] as number),
    );
    return this.#anchor;
  }

  slotAt(i: number): number {
    return this.geometry.slotOffset + i * this.geometry.slotStride;
  }

  /** Whether slot structs here are long enough to hold the field (clause 13). */
  has(field: { offset: number; size: number }): boolean {
    return this.geometry.featureSize >= field.offset + field.size;
  }

  /** Index of a slot's owner word in the 64-bit view. */
  ownerIndex(i: number): number {
    return (this.slotAt(i) + SLOT.owner.offset) >>> 3;
  }

  highWater(): number {
    return Math.min(Atomics.load(this.views.u32, word(HEADER.slot_high_water)), this.geometry.slotCapacity);
  }

  // By id: the same memory may have reached this thread twice, as two objects. What was private here stays so: a second
  // anchor would take the first one's slot for a leftover.
  #anchorKey(): string {
    const ownKey = `${THREAD_KEY}.${this.id.toString(16).padStart(8, '0')}`;
    if (host.anchored(ownKey) !== undefined) return ownKey;
    return areaIdOf(host.anchored(AREA_KEY) ?? host.inherited(AREA_KEY)) === this.id ? THREAD_KEY : ownKey;
  }
}

const cores = new WeakMap<SharedArrayBuffer, AreaCore>();

/**
 * The area in this memory, the same object every time.
 * @throws COEXIST_EABI
 */
export function coreOf(value: unknown): AreaCore {
  const buffer = (value as { buffer?: unknown } | null | undefined)?.buffer ?? value;
  return cores.get(buffer as SharedArrayBuffer) ?? coreIn(check(value));
}

/** The area in this memory if this copy has opened it. */
export function knownCore(buffer: SharedArrayBuffer): AreaCore | undefined {
  return cores.get(buffer);
}

/** The same, of memory that was checked already. */
export function coreIn(found: Found): AreaCore {
  let core = cores.get(found.views.buffer);
  if (core === undefined) {
    core = new AreaCore(found);
    cores.set(found.views.buffer, core);
  }
  return core;
}
