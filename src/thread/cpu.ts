// The CPU number of this thread as the library uses it (docs/ABI.md, clause 52): read live where the host has a source, published into
// the slot by its owner alone. The source is opened once in a thread and copy: in the main thread at its first registration, in a
// worker when its number is first asked for. Opening one may load native code, and Node aborts the process where a thread is
// terminated in the millisecond in which koffi does its part of that; so only threads that want the number take that chance.

import { SLOT } from '../abi/slot.js';
import type { AreaCore } from '../area/core.js';
import { type CpuSource, host } from '../host/host.js';
import { CPU_ID_WORD, type Mapped } from '../host/rseq-area.js';

let source: CpuSource | undefined;

/**
 * This thread's rseq area, where it is mapped and plain loads read it. The property is added when the source is opened and never
 * changes, which lets V8 take it, and the address in it, for constants: a variable would cost several loads more.
 */
export const mapped: Mapped = {};

/** The CPU number; -1 where none is known, or the source has not been opened. hot: one plain load */
export const liveCpu = (): number => {
  const { words, absent } = mapped;
  if (words === undefined) return absent === true || source === undefined ? -1 : source.cpu();
  const cpu = words[CPU_ID_WORD] as number;
  return cpu >= 0 ? cpu : cpuSource().cpu();
};

/** Where the number comes from; opens it where that has not been done. */
export function cpuSource(): CpuSource {
  if (source === undefined) {
    source = host.openCpu(mapped);
    if (source.via === 'none') mapped.absent = true;
  }
  return source;
}

/** What a first registration publishes: a live number, with its node stored already; the slot's own index where none is known yet. */
export function firstCpu(core: AreaCore, at: number, slot: number): number {
  if (source === undefined && !host.isMainThread) return slot;
  const number = cpuSource().cpu();
  if (number < 0) return slot;
  storeNode(core, at);
  return number;
}

/**
 * Publishes the CPU this thread runs on into its slot, which begins at `at` and is registered, where another is published there.
 * Returns the number that the slot then holds; one below 0 if it is not registered.
 */
export function publishCpu(core: AreaCore, at: number): number {
  const { i32 } = core.views;
  const index = (at + SLOT.cpu_id.offset) >>> 2;
  const published = i32[index] as number;
  const number = source === undefined ? cpuSource().cpu() : liveCpu();
  // Where no number is known, what is there stays: the slot's own index, or the number of a copy that knows one.
  if (number === published || number < 0 || published < 0) return published;
  storeNode(core, at);
  Atomics.store(i32, (at + SLOT.cpu_id_start.offset) >>> 2, number);
  // Last, and from the value read: what another published meanwhile, in a moment when this thread was stopped, stands.
  const found = Atomics.compareExchange(i32, index, published, number);
  return found === published ? number : found;
}

function storeNode(core: AreaCore, at: number): void {
  const { i32 } = core.views;
  const index = (at + SLOT.node_id.offset) >>> 2;
  const node = cpuSource().node();
  if (i32[index] !== node) Atomics.store(i32, index, node);
}
