// The table of holders behind a lock that several threads hold at once (docs/ABI.md, clause 48): one row for each thread, with
// its identity and how often it holds. What a dead thread held is found by its identity, and taken from it.

import { CoexistError, invalid } from '../abi/errors.js';
import { bytesWithHolders, HOLDER, HOLDER_BYTES, HOLDERS_OFFSET, PLACED_HOLDERS, RWLOCK } from '../abi/sync.js';
import { isDead } from './owner-word.js';
import type { Place } from './place.js';

const MOST = 65536;

export interface HoldersOptions {
  /** Threads that can hold at the same time, 1 to 65536: the area's slots for a named object, 60 for a placed one. */
  readonly holders?: number | undefined;
}

export const rowAt = (place: Place, k: number): number => place.at + HOLDERS_OFFSET + k * HOLDER_BYTES;
export const countIndex = (row: number): number => (row + HOLDER.count.offset) >>> 2;
export const identityIndex = (row: number): number => (row + HOLDER.identity.offset) >>> 3;

/** How many rows a named object has. */
export function namedSize(options: HoldersOptions | undefined): (slots: number) => { size: number; holders: number } {
  return (slots) => {
    const holders = checked(options?.holders ?? slots);
    return { size: bytesWithHolders(holders), holders };
  };
}

/** How many rows a placed object has. */
export const placedHolders = (options: HoldersOptions | undefined): number =>
  checked(options?.holders ?? PLACED_HOLDERS);

function checked(holders: number): number {
  if (Number.isInteger(holders) && holders >= 1 && holders <= MOST) return holders;
  throw invalid('holders', holders, `an integer from 1 to ${MOST}`);
}

/**
 * Writes one of an object's constants, or finds that it is there already.
 * @throws COEXIST_EKIND where another value is
 */
export function settle(place: Place, field: { readonly offset: number }, name: string, value: number): void {
  const { u32 } = place.ground.views;
  const found = Atomics.compareExchange(u32, (place.at + field.offset) >>> 2, 0, value);
  if (found === 0 || found === value) return;
  throw new CoexistError('COEXIST_EKIND', `${place.label} has ${name} ${found}, expected ${value}`, {
    found,
    expected: value,
    remedy: `Use the same ${name} in every thread and copy, or another name or place.`,
  });
}

export const settleHolders = (place: Place): void => settle(place, RWLOCK.holders, 'holders', place.holders);

/** Rows that were ever used: none beyond is. */
export function rowsUsed(place: Place): number {
  const { u32 } = place.ground.views;
  return Math.min(Atomics.load(u32, (place.at + RWLOCK.holders_used.offset) >>> 2), place.holders);
}

/** The row of this thread, undefined if it has none. */
export function ownRow(place: Place): number | undefined {
  const { i64 } = place.ground.views;
  for (let k = 0, end = rowsUsed(place); k < end; k++) {
    const row = rowAt(place, k);
    const identity = Atomics.load(i64, identityIndex(row));
    if (identity === place.ground.self) return row;
    // Being prepared, and cut.
    if (identity === -place.ground.self) return prepare(place, row);
  }
  return undefined;
}

/**
 * A row for this thread, which has none: a free one, else that of a dead thread. It is this thread's from the CAS of the
 * identity on, and prepared until the count that the last holder left is cleared, and `fill` has written what else it begins with.
 * @throws COEXIST_EFULL; nothing changed
 */
export function takeRow(place: Place, fill?: (row: number) => void): number {
  const used = rowsUsed(place);
  const free = (was: bigint): boolean => was === 0n;
  const dead = (was: bigint): boolean => was !== 0n && isDead(place, was < 0n ? -was : was);
  const row =
    claim(place, 0, used, free, fill) ??
    // Asking about every holder is slow, so it is done each time the table would double.
    ((used & (used - 1)) === 0 ? claim(place, 0, used, dead, fill) : undefined) ??
    claim(place, used, place.holders, free, fill) ??
    claim(place, 0, place.holders, dead, fill);
  if (row !== undefined) return row;
  throw new CoexistError('COEXIST_EFULL', `all ${place.holders} holders of ${place.label} are threads that live`, {
    found: place.holders,
    expected: 'a free row',
    remedy: 'Make the object with more holders, or hold it in fewer threads.',
  });
}

function claim(
  place: Place,
  from: number,
  to: number,
  fits: (was: bigint) => boolean,
  fill: ((row: number) => void) | undefined,
): number | undefined {
  const { i64, u32 } = place.ground.views;
  const used = (place.at + RWLOCK.holders_used.offset) >>> 2;
  for (let k = from; k < to; k++) {
    const row = rowAt(place, k);
    const was = Atomics.load(i64, identityIndex(row));
    if (!fits(was)) continue;
    // First the bound: whoever looks through the rows must not miss one that is in use.
    for (let end = Atomics.load(u32, used); end <= k; end = Atomics.load(u32, used)) {
      Atomics.compareExchange(u32, used, end, k + 1);
    }
    if (Atomics.compareExchange(i64, identityIndex(row), was, -place.ground.self) !== was) continue;
    return prepare(place, row, fill);
  }
  return undefined;
}

/** What the last holder counted is void, and must be gone before this thread takes the row for its own. */
export function prepare(place: Place, row: number, fill?: (row: number) => void): number {
  const { i32, i64 } = place.ground.views;
  Atomics.store(i32, countIndex(row), 0);
  // Whoever waits for the dead holder's count.
  Atomics.notify(i32, countIndex(row));
  fill?.(row);
  Atomics.store(i64, identityIndex(row), place.ground.self);
  return row;
}
