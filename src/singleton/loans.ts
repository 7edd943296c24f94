// Loans (docs/ABI.md, clause 68): a reference that is taken for a thread before it runs, so that the instance cannot end between the
// decision to start it and its first step. A loan is a row that counts for the lender until the other thread has it.

import { invalid } from '../abi/errors.js';
import { LOAN_BIT } from '../abi/singleton.js';
import { host } from '../host/host.js';
import { countIndex, identityIndex, rowAt } from '../sync/holders.js';
import { voidLoan } from './errors.js';
import type { Machine } from './machine.js';
import { generationOf } from './record.js';
import { loanRow, phaseIndex, rowNumber } from './rows.js';

/** A reference that was taken for another thread: plain data, for its `workerData`. */
export interface Loan {
  readonly key: string;
  readonly generation: number;
  /** Which row of the table it is, and which of that row's loans. */
  readonly row: number;
  readonly number: number;
}

/** @throws COEXIST_EFULL; nothing changed */
export function lend({ record }: Machine, word: number): Loan {
  // So that a loan that is long over is never taken for the next one in its row.
  const number = (Math.floor(Math.random() * 2 ** 31) ^ (host.now() * 2 ** 10)) & (LOAN_BIT - 1);
  const row = rowNumber(record, loanRow(record, word, number));
  return { key: record.key, generation: generationOf(word), row, number };
}

/**
 * Makes the loan a reference of this thread; its live word.
 * @throws COEXIST_EGONE, COEXIST_EFULL, COEXIST_EINVAL; nothing is held then
 */
export function adopt(machine: Machine, loan: Loan): number {
  const row = rowOf(machine, loan);
  const { place } = machine.record;
  const { i32, u32, i64 } = place.ground.views;
  machine.row();
  const lender = Atomics.load(i64, identityIndex(row));
  const given = (): boolean => Atomics.load(u32, phaseIndex(row)) === (LOAN_BIT | loan.number) >>> 0;
  if (!given() || lender <= 0n) throw voidLoan(machine.record, 'it was adopted or revoked');
  if (Atomics.compareExchange(i64, identityIndex(row), lender, place.ground.self) !== lender) {
    throw voidLoan(machine.record, 'it was adopted or revoked');
  }
  if (!given()) {
    Atomics.compareExchange(i64, identityIndex(row), place.ground.self, lender);
    throw voidLoan(machine.record, 'it was adopted or revoked');
  }
  const word = Atomics.load(i32, countIndex(row));
  const got = machine.get();
  // Only now: until here the loan has kept the instance, and goes on to where this thread is stopped.
  Atomics.store(i32, countIndex(row), 0);
  Atomics.store(i64, identityIndex(row), 0n);
  if (got === word) return word;
  if (got !== 0) machine.release(got);
  machine.letGo(word);
  throw voidLoan(machine.record, 'its instance has ended');
}

/** Takes a loan of this thread back; false where it was adopted, or taken back, before. */
export function revoke(machine: Machine, loan: Loan): boolean {
  const row = rowOf(machine, loan);
  const { place } = machine.record;
  const { i32, u32, i64 } = place.ground.views;
  if (Atomics.load(u32, phaseIndex(row)) !== (LOAN_BIT | loan.number) >>> 0) return false;
  const word = Atomics.load(i32, countIndex(row));
  const { self } = place.ground;
  if (Atomics.compareExchange(i64, identityIndex(row), self, 0n) !== self) return false;
  machine.letGo(word);
  return true;
}

function rowOf({ record }: Machine, loan: Loan): number {
  const { key, row, number } = loan ?? {};
  const sound = Number.isInteger(row) && row >= 0 && row < record.place.holders && Number.isInteger(number);
  if (key === record.key && sound) return rowAt(record.place, row);
  throw invalid('loan', loan, `what lend() of a reference to ${record.place.label} returned`);
}
