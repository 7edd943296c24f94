// register and unregister (docs/ABI.md, clauses 23 to 29): what a thread does with its own slot. The checks are ordinary
// loads, since nobody else writes a live slot; each change is one transition of src/wasm.

import { LIBRARY_PREFIX, NAME_BYTES } from '../abi/directory.js';
import { CoexistError, invalid } from '../abi/errors.js';
import { CPU_ID_UNINITIALIZED, HOLDERS_BEYOND, REFCOUNT_MAX, SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { coreFor } from '../area/current.js';
import { libraries, lookup } from '../area/directory.js';
import { ANCHOR_BUSY, ANCHOR_HIGH, ANCHOR_LOW, ANCHOR_SLOT } from '../area/thread-anchor.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import { CPU_ID_WORD } from '../host/rseq-area.js';
import type { Area } from './area.js';
import { cpuSource, firstCpu, liveCpu, mapped, publishCpu } from './cpu.js';
import { sweep } from './sweep.js';

/** How long a registration waits for the directory over its name, which is only advice. */
const NAME_TIMEOUT_MS = 20;

export interface RegisterOptions {
  /** The library's name, 1 to 72 bytes of UTF-8; shown by `inspect()`. */
  readonly name?: string | undefined;
  /** Register until the thread ends, uncounted. */
  readonly permanent?: boolean | undefined;
  /** A private area; the process's own if left out. */
  readonly area?: Area | undefined;
}

/**
 * One registration of this thread. Objects of one thread share the slot and its refcount, across copies.
 * @since 0.1.0
 */
export class Registration {
  /** Index of the thread's slot: dense, exclusively this thread's while registered. */
  readonly slot: number;
  /** Counts the claims of the slot; with `slot`, names this registration's owner uniquely. */
  readonly generation: number;
  readonly name: string;
  /** Whether the slot is registered until the thread ends, so that `unregister()` does nothing. */
  readonly permanent: boolean;
  readonly #core: AreaCore;
  readonly #i32: Int32Array;
  #cpuId: number;
  #live = true;

  /** @internal Use `register()`. */
  constructor(core: AreaCore, slot: number, generation: number, name: string, permanent: boolean) {
    this.slot = slot;
    this.generation = generation;
    this.name = name;
    this.permanent = permanent;
    this.#core = core;
    this.#i32 = core.views.i32;
    this.#cpuId = (core.slotAt(slot) + SLOT.cpu_id.offset) >>> 2;
  }

  /**
   * The CPU this thread runs on, as the kernel says, or did a moment ago; where the host knows none, the number published in the
   * slot, which then is the slot's own index. -1 once this registration has ended. The first call in a thread may load koffi.
   */
  cpuId(): number {
    // hot: one plain load
    if (!this.#live) return -1;
    const { words } = mapped;
    if (words === undefined) return this.#cpuIdOtherwise();
    const cpu = words[CPU_ID_WORD] as number;
    return cpu >= 0 ? cpu : this.#cpuIdOtherwise();
  }

  /**
   * Publishes the CPU number into the slot, where others see it (`inspect()`); it is not followed by itself. Returns it.
   * @throws COEXIST_EUNREGISTERED when this registration has ended; nothing changed
   */
  publish(): number {
    // hot: two plain loads, as long as the thread stays where it is
    const published = this.#live ? (this.#i32[this.#cpuId] as number) : -1;
    return published >= 0 && liveCpu() === published ? published : this.#publish();
  }

  #cpuIdOtherwise(): number {
    const cpu = cpuSource().cpu();
    return cpu >= 0 ? cpu : (this.#i32[this.#cpuId] as number);
  }

  #publish(): number {
    const core = this.#core;
    const at = core.slotAt(this.slot);
    const cpu = this.#live && this.#current(at) ? publishCpu(core, at) : -1;
    if (cpu < 0) throw this.#ended();
    return cpu;
  }

  /**
   * Counts down; the last one gives the slot up.
   * @throws COEXIST_EUNREGISTERED when this registration has ended already; nothing changed
   */
  unregister(): void {
    if (!this.#end()) throw this.#ended();
  }

  /** As `unregister()`, but does nothing when this registration has ended already. */
  [dispose](): void {
    this.#end();
  }

  /** Whether the slot is still this thread's, under the claim of this registration. */
  #current(at: number): boolean {
    return owns(this.#core, this.slot) && this.#core.views.u32[(at + SLOT.generation.offset) >>> 2] === this.generation;
  }

  #ended(): CoexistError {
    return new CoexistError('COEXIST_EUNREGISTERED', `this registration of slot ${this.slot} has ended already`, {
      found: { slot: this.slot, generation: this.generation },
      expected: 'a registration that is still counted',
      remedy: 'Call unregister() once for each register(), or use [Symbol.dispose]().',
    });
  }

  #end(): boolean {
    if (this.permanent) return true;
    if (!this.#live) return false;
    // First of all: being cut behind the count must not let this handle count down twice.
    this.#live = false;
    const core = this.#core;
    const { u32 } = core.views;
    const at = core.slotAt(this.slot);
    if (!this.#current(at)) return false;
    if ((this.#i32[this.#cpuId] as number) < 0) return false;
    const count = u32[(at + SLOT.refcount.offset) >>> 2] as number;
    if (count > 1) return core.transitions.down(at) === 1;
    if (count === 1) leave(core, at, this.slot);
    return true;
  }
}

/**
 * Registers this thread, or counts one more on its registration. The first one claims a slot.
 * @throws COEXIST_EFULL, COEXIST_EOVERFLOW, COEXIST_EFAILED, COEXIST_EBUSY, COEXIST_EINVAL, and as `attach()`; nothing changed
 * @since 0.1.0
 */
export function register(options?: RegisterOptions): Registration {
  const core = coreFor(options?.area);
  const name = options?.name;
  const permanent = options?.permanent ?? false;
  if (typeof permanent !== 'boolean') throw invalid('permanent', permanent, 'true or false');
  const holder = name === undefined ? -1 : holderBit(core, name);
  const { u32 } = core.views;

  let slot = core.anchor[ANCHOR_SLOT] as number;
  if (!owns(core, slot)) slot = claim(core);
  const at = core.slotAt(slot);
  const uncounted = enter(core, at, slot, permanent);
  if (holder >= 0) markHolder(core, at, holder);
  return new Registration(core, slot, u32[(at + SLOT.generation.offset) >>> 2] as number, name ?? '', uncounted);
}

// Clause 27. Returns whether the slot is its thread's permanently, and so was not counted.
function enter(core: AreaCore, at: number, slot: number, permanent: boolean): boolean {
  const { i32, u32 } = core.views;
  for (;;) {
    const cpuId = i32[(at + SLOT.cpu_id.offset) >>> 2] as number;
    if (cpuId < CPU_ID_UNINITIALIZED) {
      throw refused('COEXIST_EFAILED', slot, `its cpu_id is ${cpuId}: the host refuses this thread`, cpuId, -1);
    }
    if (cpuId < 0) {
      if (core.transitions.first(at, firstCpu(core, at, slot), permanent ? 0 : 1) === 0) continue;
    } else {
      const count = u32[(at + SLOT.refcount.offset) >>> 2] as number;
      if (count === 0) return true;
      if (permanent) throw refused('COEXIST_EBUSY', slot, `${count} transient registrations hold it`, count, 0);
      if (core.transitions.up(at) === 0) {
        throw refused('COEXIST_EOVERFLOW', slot, 'its refcount is at the maximum', REFCOUNT_MAX, 'a smaller refcount');
      }
    }
    if (core.has(SLOT.registered_total)) u32[(at + SLOT.registered_total.offset) >>> 2]!++; // hot: owner-only plain store
    return permanent;
  }
}

function owns(core: AreaCore, slot: number): boolean {
  if (slot < 0 || slot >= core.geometry.slotCapacity) return false;
  const { anchor } = core;
  const { i32 } = core.views;
  const owner = (core.slotAt(slot) + SLOT.owner.offset) >>> 2;
  return i32[owner] === anchor[ANCHOR_LOW] && i32[owner + 1] === anchor[ANCHOR_HIGH];
}

// Clauses 23, 24 and 26. The anchor says "busy" throughout: a claim that finds it so looks for what was left.
function claim(core: AreaCore): number {
  const { anchor, transitions } = core;
  const [low, high] = [anchor[ANCHOR_LOW] as number, anchor[ANCHOR_HIGH] as number];
  const leftovers = anchor[ANCHOR_BUSY] as number;
  anchor[ANCHOR_BUSY] = 1;
  let slot = transitions.claim(low, high, host.threadId, leftovers);
  if (slot < 0) {
    sweep(core);
    slot = transitions.claim(low, high, host.threadId, 0);
  }
  if (slot >= 0) anchor[ANCHOR_SLOT] = slot;
  anchor[ANCHOR_BUSY] = 0;
  if (slot >= 0) return slot;
  const capacity = core.geometry.slotCapacity;
  throw new CoexistError(
    'COEXIST_EFULL',
    `all ${capacity} slots belong to threads that live, or cannot be proven dead`,
    {
      found: capacity,
      expected: 'a free slot',
      remedy: 'Run fewer threads at a time, or start the main thread with a larger COEXIST_SLOTS (at most 16384).',
    },
  );
}

// Clause 28, refcount 1.
function leave(core: AreaCore, at: number, slot: number): void {
  const { anchor } = core;
  anchor[ANCHOR_BUSY] = 1;
  core.transitions.last(at, slot, anchor[ANCHOR_LOW] as number, anchor[ANCHOR_HIGH] as number, anchor);
  anchor[ANCHOR_SLOT] = -1;
  anchor[ANCHOR_BUSY] = 0;
}

// Clause 21.
function holderBit(core: AreaCore, name: unknown): number {
  const known = core.holderBits.get(name as string);
  if (known !== undefined) return known;
  if (typeof name !== 'string' || name === '' || host.encodeUtf8(name).length > NAME_BYTES - LIBRARY_PREFIX.length) {
    throw invalid('name', name, 'a string of 1 to 72 bytes of UTF-8');
  }
  let bit = HOLDERS_BEYOND;
  try {
    const entry = { name: LIBRARY_PREFIX + name, kind: 'library', version: 0, size: 0, flags: 0 } as const;
    lookup(core, entry, NAME_TIMEOUT_MS);
    bit = Math.min(libraries(core).indexOf(name), HOLDERS_BEYOND);
  } catch (error) {
    const { code } = error as CoexistError;
    if (code === 'COEXIST_EINVAL' || code === undefined) throw error;
    // The name is only advice: without room for it, the library counts among the others.
    if (code === 'COEXIST_ETIMEDOUT') return bit;
  }
  core.holderBits.set(name, bit);
  return bit;
}

function markHolder(core: AreaCore, at: number, bit: number): void {
  if (!core.has(SLOT.holders)) return;
  const word = ((at + SLOT.holders.offset) >>> 2) + (bit >>> 5);
  const mask = 1 << (bit & 31);
  if (((core.views.i32[word] as number) & mask) === 0) Atomics.or(core.views.i32, word, mask);
}

function refused(
  code: 'COEXIST_EFAILED' | 'COEXIST_EBUSY' | 'COEXIST_EOVERFLOW',
  slot: number,
  why: string,
  found: unknown,
  expected: unknown,
): CoexistError {
  const remedy = {
    COEXIST_EFAILED: 'Nothing helps until this thread ends.',
    COEXIST_EBUSY: 'Register permanently before any transient registration, or end those first.',
    COEXIST_EOVERFLOW: 'A registration is taken in a loop and never given back: find it in inspect().',
  }[code];
  return new CoexistError(code, `slot ${slot} cannot be registered: ${why}`, { found, expected, remedy });
}
