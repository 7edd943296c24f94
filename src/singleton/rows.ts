// References to an instance, counted by thread in the singleton's table of holders (docs/ABI.md, clause 68). A row's phase is the
// live word that its count is for; a row whose phase has bit 31 is a loan, and its count that live word.

import { CoexistError } from '../abi/errors.js';
import { LOAN_BIT } from '../abi/singleton.js';
import { HOLDER, HOLDER_BYTES, HOLDERS_OFFSET } from '../abi/sync.js';
import { countIndex, identityIndex, prepare, rowAt, rowsUsed, takeRow } from '../sync/holders.js';
import { isDead } from '../sync/owner-word.js';
import type { Record } from './record.js';

export const phaseIndex = (row: number): number => (row + HOLDER.phase.offset) >>> 2;
const MOST = -1;

/** One row that counts for a live word. */
export interface CountedRow {
  readonly row: number;
  readonly identity: bigint;
  readonly count: number;
  readonly loan: boolean;
}

/**
 * This thread's own row, taken if it has none. It keeps it until it ends.
 * @throws COEXIST_EFULL; nothing changed
 */
export function ownRow({ place }: Record): number {
  const { i32, i64 } = place.ground.views;
  const clear = (row: number): void => void Atomics.store(i32, phaseIndex(row), 0);
  let begun: number | undefined;
  for (let k = 0, end = rowsUsed(place); k < end; k++) {
    const row = rowAt(place, k);
    const identity = Atomics.load(i64, identityIndex(row));
    if (identity === place.ground.self && Atomics.load(i32, phaseIndex(row)) >= 0) return row;
    if (identity === -place.ground.self) begun = row;
  }
  // It was cut while it prepared that one.
  return begun === undefined ? takeRow(place, clear) : prepare(place, begun, clear);
}

/**
 * A row for a loan. Nobody looks at it before it says all.
 * @throws COEXIST_EFULL; nothing changed
 */
export function loanRow({ place }: Record, word: number, number: number): number {
  const { i32, i64 } = place.ground.views;
  const fill = (row: number): void => {
    Atomics.store(i32, phaseIndex(row), LOAN_BIT | number);
    Atomics.store(i32, countIndex(row), word);
  };
  for (let k = 0, end = rowsUsed(place); k < end; k++) {
    const row = rowAt(place, k);
    if (Atomics.load(i64, identityIndex(row)) === -place.ground.self) return prepare(place, row, fill);
  }
  return takeRow(place, fill);
}

/** Counts one more for a live word that cannot change meanwhile. @throws COEXIST_EOVERFLOW; nothing changed */
export function countUp({ place }: Record, row: number, word: number): void {
  const { i32 } = place.ground.views;
  const count = Atomics.load(i32, countIndex(row));
  if (Atomics.load(i32, phaseIndex(row)) === word && count !== 0) {
    if (count === MOST) throw overflow(place.label);
    Atomics.store(i32, countIndex(row), count + 1);
    return;
  }
  Atomics.store(i32, countIndex(row), 0);
  Atomics.store(i32, phaseIndex(row), word);
  Atomics.store(i32, countIndex(row), 1);
}

/** Whether any row counts for the live word; with this thread's, if it does. Asks of each whether its thread is dead. */
export function anyCounts(record: Record, word: number): boolean {
  const { steps, place } = record;
  for (let k = steps.next_counted(place.at, word, 0); k >= 0; k = steps.next_counted(place.at, word, k + 1)) {
    const identity = Atomics.load(place.ground.views.i64, identityIndex(rowAt(place, k)));
    if (identity > 0n && !isDead(place, identity)) return true;
  }
  return false;
}

/** All rows that count for the live word, those of the dead, too. */
export function countedRows({ steps, place }: Record, word: number): CountedRow[] {
  const { u32, i64 } = place.ground.views;
  const rows: CountedRow[] = [];
  for (let k = steps.next_counted(place.at, word, 0); k >= 0; k = steps.next_counted(place.at, word, k + 1)) {
    const row = rowAt(place, k);
    const identity = Atomics.load(i64, identityIndex(row));
    const loan = Atomics.load(u32, phaseIndex(row)) >= LOAN_BIT;
    const count = loan ? 1 : Atomics.load(u32, countIndex(row));
    // It may have changed since it was found.
    if (identity > 0n && count > 0) rows.push({ row, identity, count, loan });
  }
  return rows;
}

/** Frees the rows of dead threads; how many references they counted. */
export function freeDead(record: Record, word: number): number {
  const { place } = record;
  const { i64 } = place.ground.views;
  let freed = 0;
  for (const { row, identity, count } of countedRows(record, word)) {
    if (!isDead(place, identity)) continue;
    if (Atomics.compareExchange(i64, identityIndex(row), identity, 0n) === identity) freed += count;
  }
  return freed;
}

export const rowNumber = ({ place }: Record, row: number): number => (row - place.at - HOLDERS_OFFSET) / HOLDER_BYTES;

function overflow(label: string): CoexistError {
  return new CoexistError('COEXIST_EOVERFLOW', `this thread holds 4294967295 references to ${label}`, {
    found: 4294967295,
    expected: 'fewer',
    remedy: 'References are taken in a loop and never released: find it.',
  });
}
