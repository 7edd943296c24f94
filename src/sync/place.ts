// Where a lock lies and who uses it from this thread: the memory's views, the byte offset, the fast paths, and the thread's
// identity. Named objects lie in the heap of an area, placed ones anywhere in shared memory.

import type { KindName } from '../abi/directory.js';
import { invalid } from '../abi/errors.js';
import { THREAD_KEY } from '../abi/header.js';
import { LOCK_ALIGN } from '../abi/sync.js';
import type { SharedMemory } from '../abi/views.js';
import { knownCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { type AreaLike, coreFor } from '../area/current.js';
import { lookup } from '../area/directory.js';
import { ANCHOR_HIGH, ANCHOR_LOW, anchorOf, identityIn } from '../area/thread-anchor.js';
import { type LockSteps, lockStepsOn } from '../wasm/sync.js';
import type { LockViews } from '../wasm/sync-twin.js';

/** Memory that a lock may be placed in: shared, by brand. */
export type LockMemory = SharedArrayBuffer | SharedMemory;

/** Shared memory as the locks of this thread see it. */
export interface Ground {
  readonly views: LockViews;
  readonly steps: LockSteps;
  /** This thread's identity (clause 15). */
  readonly self: bigint;
}

export interface Place {
  readonly ground: Ground;
  /** Byte offset of the object. */
  readonly at: number;
  /** For messages: the name, or where it was placed. */
  readonly label: string;
  /** Holders that the object has room for; 0 where it has none. */
  readonly holders: number;
}

export interface NamedOptions {
  /** A private area; the process's own if left out. */
  readonly area?: AreaLike | undefined;
}

const places = new WeakSet<object>();
const grounds = new WeakMap<SharedArrayBuffer, { ground: Ground; wasm: boolean }>();

/**
 * The place of a named object, made if there is none of that name.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `attach()`
 */
export function named(
  name: string,
  kind: KindName,
  sizeOf: (slots: number) => { readonly size: number; readonly holders: number },
  options: NamedOptions | undefined,
): Place {
  const core = coreFor(options?.area);
  const { size, holders } = sizeOf(core.geometry.slotCapacity);
  const entry = lookup(core, { name, kind, version: 1, size, flags: 0 });
  const ground = groundOf(core.views.buffer, core.views.memory);
  return { ground, at: entry.offset, label: JSON.stringify(name), holders };
}

/** Whether a constructor was given a place, which only `placed` makes; anything else has to be a name. */
export function isPlace(where: unknown): where is Place {
  return typeof where === 'object' && where !== null && places.has(where);
}

/**
 * The place at a byte offset of the caller's own memory.
 * @throws COEXIST_EINVAL
 */
export function placed(memory: LockMemory, offset: number, size: number, holders = 0): Place {
  const inner = (memory as { buffer?: unknown } | null | undefined)?.buffer;
  const buffer = (inner ?? memory) as SharedArrayBuffer;
  // By brand, never by instanceof: another realm has another constructor. A typed array is refused: whose offset would count?
  const wrapped = inner === undefined || brand(memory) === '[object WebAssembly.Memory]';
  if (!wrapped || brand(buffer) !== '[object SharedArrayBuffer]') {
    throw invalid('buffer', memory, 'a SharedArrayBuffer or a shared WebAssembly.Memory');
  }
  const last = buffer.byteLength - size;
  if (!Number.isInteger(offset) || offset < 0 || offset > last || offset % LOCK_ALIGN !== 0) {
    throw invalid('offset', offset, `a multiple of ${LOCK_ALIGN} from 0 to ${last}: the object has ${size} bytes`);
  }
  const known = knownCore(buffer)?.views.memory ?? (inner === undefined ? undefined : (memory as SharedMemory));
  const place = { ground: groundOf(buffer, known), at: offset, label: `the lock at byte ${offset}`, holders };
  places.add(place);
  return place;
}

/** The place of an object that lies inside another one of this ground. */
export function placeWithin(ground: Ground, at: number, label: string): Place {
  const place = { ground, at, label, holders: 0 };
  places.add(place);
  return place;
}

// One per memory and copy: a wasm instance belongs to one memory. A memory may be met first as a bare buffer.
export function groundOf(buffer: SharedArrayBuffer, memory: SharedMemory | undefined): Ground {
  const known = grounds.get(buffer);
  const wasm = memory !== undefined && wasmAllowed();
  // A buffer that has grown since needs longer views.
  const grown = known !== undefined && known.ground.views.u32.byteLength < (buffer.byteLength & ~3);
  if (known !== undefined && !grown && (known.wasm || !wasm)) return known.ground;
  const anchor = anchorOf(THREAD_KEY);
  const views = known === undefined || grown ? viewsOver(buffer) : known.ground.views;
  const identity = { low: anchor[ANCHOR_LOW] as number, high: anchor[ANCHOR_HIGH] as number };
  const steps = lockStepsOn(views, wasm ? memory : undefined, identity);
  const ground = { views, steps, self: identityIn(anchor) };
  grounds.set(buffer, { ground, wasm });
  return ground;
}

function viewsOver(buffer: SharedArrayBuffer): LockViews {
  const core = knownCore(buffer);
  if (core !== undefined) return core.views;
  // With explicit lengths: a view that tracks the length of a growable buffer is many times slower.
  return {
    i32: new Int32Array(buffer, 0, buffer.byteLength >>> 2),
    u32: new Uint32Array(buffer, 0, buffer.byteLength >>> 2),
    i64: new BigInt64Array(buffer, 0, buffer.byteLength >>> 3),
  };
}

const brand = (value: unknown): string => Object.prototype.toString.call(value);
