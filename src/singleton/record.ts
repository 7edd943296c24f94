// The object in the heap that says of a singleton what there is (docs/ABI.md, clause 67): its words, by name, and where the
// instance's type is. States and transitions are in src/abi/singleton.ts.

import {
  CAUSE_BYTES,
  SINGLETON,
  SINGLETON_GENERATION_MASK,
  SINGLETON_GENERATION_SHIFT,
  SINGLETON_PHASE_MASK,
} from '../abi/singleton.js';
import { HOLDER_BYTES, HOLDERS_OFFSET } from '../abi/sync.js';
import type { AreaCore } from '../area/core.js';
import { wasmAllowed } from '../area/create.js';
import { type AreaLike, coreFor } from '../area/current.js';
import type { Entry } from '../area/directory.js';
import { lookup } from '../area/directory.js';
import { host } from '../host/host.js';
import { settleHolders } from '../sync/holders.js';
import { groundOf, type Place } from '../sync/place.js';
import { type SingletonSteps, singletonStepsOn } from '../wasm/singleton.js';

/** A singleton's object, as this copy sees it. */
export interface Record {
  readonly core: AreaCore;
  readonly place: Place;
  readonly key: string;
  readonly steps: SingletonSteps;
}

type Word = 'state' | 'type' | 'kind' | 'epoch' | 'cause_length';

const stepsByCore = new WeakMap<AreaCore, SingletonSteps>();

// One per area and copy: a wasm instance belongs to one memory.
function stepsFor(core: AreaCore): SingletonSteps {
  let steps = stepsByCore.get(core);
  if (steps === undefined) {
    steps = singletonStepsOn(core.views, wasmAllowed());
    stepsByCore.set(core, steps);
  }
  return steps;
}

/**
 * The object of a key, made if there is none.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_ETIMEDOUT, and as `attach()`
 */
export function recordOf(key: string, area: AreaLike | undefined): Record {
  const core = coreFor(area);
  const holders = core.geometry.slotCapacity;
  const size = HOLDERS_OFFSET + holders * HOLDER_BYTES + CAUSE_BYTES;
  const record = recordAt(core, lookup(core, { name: key, kind: 'singleton', version: 1, size, flags: 0 }));
  settleHolders(record.place);
  return record;
}

/** The object of an entry of kind singleton. */
export function recordAt(core: AreaCore, { name, offset, size }: Entry): Record {
  const holders = (size - HOLDERS_OFFSET - CAUSE_BYTES) / HOLDER_BYTES;
  const ground = groundOf(core.views.buffer, core.views.memory);
  const place = { ground, at: offset, label: `singleton ${JSON.stringify(name)}`, holders };
  return { core, place, key: name, steps: stepsFor(core) };
}

export const wordIndex = ({ place }: Record, name: Word): number => (place.at + SINGLETON[name].offset) >>> 2;
const actorIndex = ({ place }: Record): number => (place.at + SINGLETON.actor.offset) >>> 3;

export const wordOf = (record: Record, name: Word): number =>
  Atomics.load(record.place.ground.views.i32, wordIndex(record, name));
export function storeWord(record: Record, name: Word, value: number): void {
  Atomics.store(record.place.ground.views.i32, wordIndex(record, name), value);
}

export const actorOf = (record: Record): bigint => Atomics.load(record.place.ground.views.i64, actorIndex(record));
export function storeActor(record: Record, identity: bigint): void {
  Atomics.store(record.place.ground.views.i64, actorIndex(record), identity);
}

export const phaseOf = (state: number): number => state & SINGLETON_PHASE_MASK;
export const generationOf = (state: number): number =>
  (state >>> SINGLETON_GENERATION_SHIFT) & SINGLETON_GENERATION_MASK;
export const stateOf = (phase: number, generation: number): number =>
  phase | ((generation & SINGLETON_GENERATION_MASK) << SINGLETON_GENERATION_SHIFT);

const causeAt = ({ place }: Record): number => place.at + HOLDERS_OFFSET + place.holders * HOLDER_BYTES;

/** What the constructor threw, as it was noted. */
export function causeOf(record: Record): string {
  const start = causeAt(record);
  const { u8 } = record.core.views;
  return host.decodeUtf8(u8.slice(start, start + Math.min(wordOf(record, 'cause_length'), CAUSE_BYTES)));
}

/** Notes what a constructor threw; under the inner lock, before FAILED. */
export function noteCause(record: Record, thrown: unknown): void {
  const bytes = host.encodeUtf8(textOf(thrown));
  let length = Math.min(bytes.length, CAUSE_BYTES);
  // Whole characters only.
  while (length < bytes.length && length > 0 && ((bytes[length] as number) & 0xc0) === 0x80) length--;
  record.core.views.u8.set(bytes.subarray(0, length), causeAt(record));
  storeWord(record, 'cause_length', length);
}

function textOf(thrown: unknown): string {
  try {
    return String(thrown).toWellFormed();
  } catch {
    return 'what has no text';
  }
}
