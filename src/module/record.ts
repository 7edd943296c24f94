// The object in the heap that says of a module which build of it the process has, and which threads have that (docs/ABI.md, clause
// 72; its states are in src/abi/module.ts). One store of the state word makes a build the entered one: a thread that dies anywhere
// leaves either no build, which the next one replaces, or a whole one.

import {
  BUILD_DIGITS,
  MODULE,
  MODULE_ENTERED,
  MODULE_GENERATION_MASK,
  MODULE_GENERATION_SHIFT,
  MODULE_LOADED,
  MODULE_ONCES,
  MODULE_ONCES_BYTES,
  MODULE_PATH_BYTES,
  MODULE_PREFIX,
  MODULE_TAIL_BYTES,
} from '../abi/module.js';
import { HOLDER, HOLDER_BYTES, HOLDERS_OFFSET, ONCE_BYTES } from '../abi/sync.js';
import type { AreaCore } from '../area/core.js';
import { type AreaLike, coreFor } from '../area/current.js';
import { type Entry, lookup } from '../area/directory.js';
import { host } from '../host/host.js';
import { countIndex, identityIndex, ownRow, rowAt, rowsUsed, settleHolders, takeRow } from '../sync/holders.js';
import { enter as enterLock, leave as leaveLock } from '../sync/inner-lock.js';
import { Once } from '../sync/once.js';
import { isDead } from '../sync/owner-word.js';
import { groundOf, type Place, placeWithin } from '../sync/place.js';
import { Limits, type Waiting, type WaitOptions } from '../sync/wait.js';
import { lastBytes, loadBytes, storeBytes } from './shared-bytes.js';

/** A module's object, as this copy sees it. */
export interface ModuleRecord {
  readonly core: AreaCore;
  readonly place: Place;
  /** The module's. */
  readonly name: string;
  /** Digits of the fingerprint, for a build beside another. */
  readonly build: string | undefined;
  /** Number of the directory entry. */
  readonly index: number;
}

/** The build that is entered. */
export interface EnteredBuild {
  /** Hexadecimal. */
  readonly fingerprint: string;
  readonly path: string;
}

export type Entered =
  | { readonly entered: true; readonly generation: number }
  | { readonly entered: false; readonly other: EnteredBuild & { readonly identities: readonly bigint[] } };

export interface ModuleRow {
  readonly identity: bigint;
  readonly loaded: boolean;
  /** null: unknown. */
  readonly alive: boolean | null;
}

/** What a record says at one moment. */
export interface ModuleReading extends EnteredBuild {
  readonly generation: number;
  /** Of threads that have it, dead ones included. */
  readonly rows: readonly ModuleRow[];
}

/**
 * The object of a module, made if there is none.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_ETIMEDOUT, and as `attach()`
 */
export function recordOf(
  name: string,
  area: AreaLike | undefined,
  options?: { readonly build?: string | undefined },
): ModuleRecord {
  const core = coreFor(area);
  const build = options?.build?.slice(0, BUILD_DIGITS);
  const key = build === undefined ? `${MODULE_PREFIX}${name}` : `${MODULE_PREFIX}${name}${BUILD_MARK}${build}`;
  const size = HOLDERS_OFFSET + core.geometry.slotCapacity * HOLDER_BYTES + MODULE_TAIL_BYTES;
  const record = recordAt(core, lookup(core, { name: key, kind: 'module', version: 1, size, flags: 0 }));
  settleHolders(record.place);
  return record;
}

/** The object of an entry of kind module. */
export function recordAt(core: AreaCore, entry: Entry): ModuleRecord {
  const [name, build] = entry.name.slice(MODULE_PREFIX.length).split(BUILD_MARK) as [string, string | undefined];
  const holders = (entry.size - HOLDERS_OFFSET - MODULE_TAIL_BYTES) / HOLDER_BYTES;
  const ground = groundOf(core.views.buffer, core.views.memory);
  const place = { ground, at: entry.offset, label: `module ${JSON.stringify(name)}`, holders };
  return { core, place, name, build, index: entry.index };
}

const wordAt = ({ place }: ModuleRecord, name: 'state' | 'fingerprint' | 'path_length'): number =>
  (place.at + MODULE[name].offset) >>> 2;
const oncesAt = ({ place }: ModuleRecord): number => place.at + HOLDERS_OFFSET + place.holders * HOLDER_BYTES;
const pathAt = (record: ModuleRecord): number => oncesAt(record) + MODULE_ONCES_BYTES;
const phaseIndex = (row: number): number => (row + HOLDER.phase.offset) >>> 2;
const generationIn = (word: number): number => (word >>> MODULE_GENERATION_SHIFT) & MODULE_GENERATION_MASK;

/**
 * Makes this build the module's build in the process, and this thread one that is loading it; refused, with nothing changed, where a
 * thread that is not proven dead has another.
 * @throws COEXIST_EFULL, COEXIST_ETIMEDOUT, COEXIST_EABORTED; nothing changed
 */
export function* enter(
  record: ModuleRecord,
  fingerprint: string,
  path: string,
  async: boolean,
  options?: WaitOptions,
): Waiting<Entered> {
  const token = yield* enterLock(record.place, async, new Limits(options, async));
  try {
    return enterLocked(record, fingerprint, path);
  } finally {
    leaveLock(record.place, token);
  }
}

function enterLocked(record: ModuleRecord, fingerprint: string, path: string): Entered {
  const { place } = record;
  const { i32 } = place.ground.views;
  const state = Atomics.load(i32, wordAt(record, 'state'));
  const entered = (state & MODULE_ENTERED) !== 0;
  const same = entered && fingerprintOf(record) === fingerprint;
  if (entered && !same) {
    const identities = having(record, generationIn(state)).filter((identity) => !isDead(place, identity));
    if (identities.length > 0) {
      return { entered: false, other: { fingerprint: fingerprintOf(record), path: pathOf(record), identities } };
    }
  }
  // Before the build is replaced: there may be no row.
  const row = ownRow(place) ?? takeRow(place);
  const generation = same ? generationIn(state) : replace(record, generationIn(state), fingerprint, path);
  Atomics.store(i32, countIndex(row), 0);
  Atomics.store(i32, phaseIndex(row), generation << MODULE_GENERATION_SHIFT);
  Atomics.store(i32, countIndex(row), 1);
  return { entered: true, generation };
}

// Without bit 0 until all is written, so that nobody takes a part for a build.
function replace(record: ModuleRecord, before: number, fingerprint: string, path: string): number {
  const { i32, i64 } = record.place.ground.views;
  const state = wordAt(record, 'state');
  Atomics.store(i32, state, before << MODULE_GENERATION_SHIFT);
  const onces = oncesAt(record);
  for (let k = 0; k < MODULE_ONCES; k++) Atomics.store(i64, (onces + k * ONCE_BYTES) >>> 3, 0n);
  const bytes = lastBytes(path, MODULE_PATH_BYTES);
  storeBytes(i32, wordAt(record, 'fingerprint'), Uint8Array.from(fingerprint.match(/../g) ?? [], fromHex));
  storeBytes(i32, pathAt(record) >>> 2, bytes);
  Atomics.store(i32, wordAt(record, 'path_length'), bytes.length);
  const generation = (before + 1) & MODULE_GENERATION_MASK;
  Atomics.store(i32, state, (generation << MODULE_GENERATION_SHIFT) | MODULE_ENTERED);
  return generation;
}

/** The module is loaded in this thread, which had entered it. */
export function markLoaded({ place }: ModuleRecord): void {
  const { i32 } = place.ground.views;
  const row = ownRow(place);
  // Its thread alone writes the phase.
  if (row !== undefined) Atomics.store(i32, phaseIndex(row), Atomics.load(i32, phaseIndex(row)) | MODULE_LOADED);
}

/** The module is not loaded in this thread any more, which cannot leave yet. */
export function markUnloaded({ place }: ModuleRecord): void {
  const { i32 } = place.ground.views;
  const row = ownRow(place);
  if (row !== undefined) Atomics.store(i32, phaseIndex(row), Atomics.load(i32, phaseIndex(row)) & ~MODULE_LOADED);
}

/** This thread does not have the module any more. Not while it is inside an initialiser of `onceOf`, or waits for one. */
export function leaveModule({ place }: ModuleRecord): void {
  const row = ownRow(place);
  if (row !== undefined) Atomics.store(place.ground.views.i32, countIndex(row), 0);
}

/** The k-th process-wide initialiser, 0 to 15, of the build that this thread has entered; made anew for each entering. */
export function onceOf(record: ModuleRecord, k: number): Once {
  const { ground, label } = record.place;
  return new Once(placeWithin(ground, oncesAt(record) + k * ONCE_BYTES, `process-wide initialiser ${k} of ${label}`));
}

/** What the record says, read without the lock; undefined while no build is entered. */
export function readModule(record: ModuleRecord): ModuleReading | undefined {
  const { i32, i64 } = record.place.ground.views;
  for (;;) {
    const state = Atomics.load(i32, wordAt(record, 'state'));
    if ((state & MODULE_ENTERED) === 0) return undefined;
    const generation = generationIn(state);
    const build = { fingerprint: fingerprintOf(record), path: pathOf(record), generation };
    const rows = rowsOf(record, generation).flatMap(([row, identity]) => {
      const loaded = (Atomics.load(i32, phaseIndex(row)) & MODULE_LOADED) !== 0;
      return Atomics.load(i64, identityIndex(row)) === identity ? { identity, loaded } : [];
    });
    // Where another build has been entered since, any part may be of that.
    if (Atomics.load(i32, wordAt(record, 'state')) !== state) continue;
    return { ...build, rows: rows.map((row) => ({ ...row, alive: aliveIn(record, row.identity) })) };
  }
}

function aliveIn({ place }: ModuleRecord, identity: bigint): boolean | null {
  const { self } = place.ground;
  const liveness = identity === self ? 'alive' : host.liveness(identity, self);
  return liveness === 'unknown' ? null : liveness === 'alive';
}

const having = (record: ModuleRecord, generation: number): bigint[] =>
  rowsOf(record, generation).map(([, identity]) => identity);

// Rows that count if their thread lives.
function rowsOf({ place }: ModuleRecord, generation: number): [row: number, identity: bigint][] {
  const { i32, i64 } = place.ground.views;
  const found: [number, bigint][] = [];
  for (let k = 0, end = rowsUsed(place); k < end; k++) {
    const row = rowAt(place, k);
    const identity = Atomics.load(i64, identityIndex(row));
    if (identity <= 0n || Atomics.load(i32, countIndex(row)) === 0) continue;
    if (generationIn(Atomics.load(i32, phaseIndex(row))) === generation) found.push([row, identity]);
  }
  return found;
}

/** Behind the name of a module, in the key of a build beside another: no name has it. */
const BUILD_MARK = '#';

const fromHex = (digits: string): number => Number.parseInt(digits, 16);

function fingerprintOf(record: ModuleRecord): string {
  const { i32 } = record.place.ground.views;
  const bytes = loadBytes(i32, wordAt(record, 'fingerprint'), MODULE.fingerprint.size);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function pathOf(record: ModuleRecord): string {
  const { i32, u32 } = record.place.ground.views;
  const length = Atomics.load(u32, wordAt(record, 'path_length'));
  return host.decodeUtf8(loadBytes(i32, pathAt(record) >>> 2, Math.min(length, MODULE_PATH_BYTES)));
}
