// The area as its users see it, and how they come by one: attach (the process's own), createArea and openArea (private).

import { AREA_KEY } from '../abi/header.js';
import type { AreaValue, Geometry, SharedMemory } from '../abi/views.js';
import { type AreaCore, coreOf } from '../area/core.js';
import { type AreaOptions, createCandidate, wasmAllowed } from '../area/create.js';
import { currentCore, joinedCore, settle, whenAttached } from '../area/current.js';
import { type AttachAsyncOptions, type AttachOptions, rendezvousAsync } from '../area/rendezvous.js';
import { host } from '../host/host.js';
import { type Inspection, inspect } from './inspect.js';
import { sweep } from './sweep.js';

/** An area: the memory that threads share, and what can be asked of it. */
export interface Area {
  /** Random, non-zero; the same in every thread of the process. */
  readonly id: number;
  readonly buffer: SharedArrayBuffer;
  /** The `WebAssembly.Memory` behind the buffer, undefined where wasm is off. */
  readonly memory: SharedMemory | undefined;
  readonly geometry: Geometry;
  /** The registered slots now, as plain data. Costs one look at /proc for each. */
  inspect(): Inspection;
  /** Frees the slots of threads that are proven dead; returns how many this call freed. */
  reclaim(): number;
}

const facades = new WeakMap<AreaCore, Area>();

function facadeOf(core: AreaCore): Area {
  let area = facades.get(core);
  if (area === undefined) {
    area = Object.freeze({
      id: core.id,
      buffer: core.views.buffer,
      memory: core.views.memory,
      geometry: core.geometry,
      inspect: () => inspect(core),
      reclaim: () => sweep(core),
    });
    facades.set(core, area);
  }
  return area;
}

whenAttached((core) => host.onThreadEnd(() => sweep(core)));

/**
 * Joins this thread to the process's area, creating it in the main thread; returns the same object every time. In a
 * worker that nobody prepared, it asks the main thread through the inspector, blocking for at most `timeout` ms.
 * @throws COEXIST_ERENDEZVOUS, COEXIST_EABI, COEXIST_EANCHOR, COEXIST_EINVAL; then nothing is attached
 * @since 0.1.0
 */
export function attach(options: AttachOptions = {}): Area {
  return facadeOf(joinedCore(options));
}

/**
 * As `attach`, without blocking; where the bridge is refused, it waits, at most `timeout` ms, until the main thread attaches.
 * @throws (rejects) as `attach`, and COEXIST_EABORTED
 * @since 0.1.0
 */
export async function attachAsync(options: AttachAsyncOptions = {}): Promise<Area> {
  if (currentCore() !== undefined) return attach();
  return facadeOf(settle(await rendezvousAsync(options)));
}

/**
 * A private area, published nowhere: for tests, tools and exploration. Hand its `memory` (or `buffer`) to other threads, which
 * open it with `openArea`.
 * @throws COEXIST_EINVAL
 * @since 0.1.0
 */
export function createArea(options: AreaOptions = {}): Area {
  return facadeOf(coreOf(createCandidate(options)));
}

/**
 * A private area that another thread created. The process's own area is joined with `attach`, never with this.
 * @throws COEXIST_EABI
 * @since 0.1.0
 */
export function openArea(memory: AreaValue): Area {
  return facadeOf(coreOf(memory));
}

/** Whether and how this thread could attach. */
export interface Probe {
  readonly attached: boolean;
  /** Where the area would come from: the first step of the rendezvous that can succeed. */
  readonly via: 'anchor' | 'environment' | 'create' | 'bridge' | 'announcement';
  /** Whether `attach()` can succeed; false where only `attachAsync()` can. */
  readonly synchronous: boolean;
  /** Whether transitions run in wasm. */
  readonly wasm: boolean;
  /** Whether this thread can prove that another is dead, and so reclaim its slot. */
  readonly provesDeath: boolean;
  /** Why something is not to be had; empty if everything is. */
  readonly reasons: readonly string[];
}

/**
 * Says whether and how this thread could attach, without attaching, creating or asking anybody. Never throws.
 * @since 0.1.0
 */
export function probe(): Probe {
  const reasons: string[] = [];
  const attempt = <T>(ask: () => T, otherwise: T): T => {
    try {
      return ask();
    } catch (error) {
      reasons.push((error as Error).message);
      return otherwise;
    }
  };
  const refusal = attempt(host.bridgeRefusal, 'the environment cannot be read');
  const via = attempt((): Probe['via'] => {
    if (host.anchored(AREA_KEY) !== undefined) return 'anchor';
    if (host.inherited(AREA_KEY) !== undefined) return 'environment';
    if (host.isMainThread) return 'create';
    return refusal === undefined ? 'bridge' : 'announcement';
  }, 'announcement');
  if (via === 'announcement' && refusal !== undefined) reasons.push(refusal);
  const wasm = attempt(wasmAllowed, false);
  if (!wasm) reasons.push('wasm is off: transitions run in JavaScript');
  const provesDeath = attempt(() => {
    const own = host.identity();
    return host.liveness(own, own) === 'alive';
  }, false);
  if (!provesDeath) reasons.push('/proc is not readable here: slots of threads that end unprepared are not reclaimed');
  return {
    attached: currentCore() !== undefined,
    via,
    synchronous: via !== 'announcement',
    wasm,
    provesDeath,
    reasons,
  };
}
