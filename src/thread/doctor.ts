// What this thread could do and does, and why not better: the answer to "is it working here?" as plain data. It attaches nothing, joins
// nothing and asks nobody; of the area it tells what is at hand in this thread. The one thing it does is to open the source of CPU
// numbers, as the first use of one would.

import { word } from '../abi/field.js';
import { AREA_KEY, HEADER, THREAD_KEY } from '../abi/header.js';
import type { Geometry } from '../abi/views.js';
import { type AreaCore, coreOf } from '../area/core.js';
import { currentCore } from '../area/current.js';
import { host } from '../host/host.js';
import { version } from '../version.js';
import { type Probe, probe } from './area.js';
import { cpuSource } from './cpu.js';
import { inspect, type SlotRow } from './inspect.js';

/** What works in this thread; JSON-able. */
export interface Diagnosis {
  /** Of this copy of the library. */
  readonly version: string;
  readonly runtime: {
    readonly name: string;
    readonly version: string;
    readonly platform: string;
    readonly arch: string;
    readonly mainThread: boolean;
    readonly threadId: number;
  };
  /** `id` is null where this thread has no area yet. */
  readonly area: {
    readonly attached: boolean;
    readonly id: number | null;
    readonly via: Probe['via'];
    readonly synchronous: boolean;
  };
  /** Of the area that is at hand. */
  readonly geometry: Geometry | null;
  /** Where CPU numbers come from; `reasons` say why not from the kernel's rseq area. */
  readonly cpu: {
    readonly via: 'rseq' | 'sched_getcpu' | 'slot';
    /** What reaches into C. */
    readonly ffi: string | null;
    /** The number now; -1 where none is known. */
    readonly now: number;
    /** The highest CPU number that this machine can have, + 1. */
    readonly possible: number;
    readonly reasons: readonly string[];
  };
  /** Whether this thread can prove that another is dead. */
  readonly provesDeath: boolean;
  /** Whether transitions run in wasm. */
  readonly wasm: boolean;
  /** The way of a worker that nobody prepared into the main thread; null where it may be tried. */
  readonly bridgeRefusal: string | null;
  /** Id of a second area seen in this process; 0 if none was. */
  readonly conflict: number;
  /** The registered slots of the process, where this thread is attached. */
  readonly slots: readonly SlotRow[];
  /** What is not to be had here, and why; empty if everything is. */
  readonly reasons: readonly string[];
}

/**
 * Says what works in this thread and what does not, without attaching. Never throws.
 * @since 0.1.0
 */
export function doctor(): Diagnosis {
  const reasons = new Set<string>();
  const attempt = <T>(ask: () => T, otherwise: T): T => {
    try {
      return ask();
    } catch (error) {
      reasons.add((error as Error).message);
      return otherwise;
    }
  };
  const found = probe();
  for (const reason of found.reasons) reasons.add(reason);
  const core = attempt(coreAtHand, undefined);
  const conflict = core === undefined ? 0 : Atomics.load(core.views.u32, word(HEADER.conflict));
  if (conflict !== 0) reasons.add('two areas exist in this process: threads of one do not see the other');
  const source = cpuSource();
  return {
    version,
    runtime: {
      ...host.runtime(),
      mainThread: attempt(() => host.isMainThread, false),
      threadId: attempt(() => host.threadId, -1),
    },
    area: { attached: found.attached, id: core?.id ?? null, via: found.via, synchronous: found.synchronous },
    geometry: core === undefined ? null : { ...core.geometry },
    cpu: {
      via: source.via === 'none' ? 'slot' : source.via,
      ffi: source.ffi ?? null,
      now: source.cpu(),
      possible: host.possibleCpus(),
      reasons: source.reasons,
    },
    provesDeath: found.provesDeath,
    wasm: found.wasm,
    bridgeRefusal: attempt(host.bridgeRefusal, 'the environment cannot be read') ?? null,
    conflict,
    slots: core === undefined ? [] : attempt(() => inspect(core).slots, []),
    reasons: [...reasons],
  };
}

/** The area that this copy has joined, or that another copy in this thread has: then every anchor that inspecting needs is there. */
function coreAtHand(): AreaCore | undefined {
  const own = currentCore();
  if (own !== undefined) return own;
  const value = host.anchored(AREA_KEY);
  return value === undefined || host.anchored(THREAD_KEY) === undefined ? undefined : coreOf(value);
}
