// The accounts of all threads that ever were, against what the library says, while nobody operates: equal, but for the operations in which
// threads died since the last time. What became of those is taken down then, and is in doubt no more.

import type { DataLedger } from './stress-data-ledger.js';

export type Books = ReturnType<typeof createBooks>;

export function createBooks(ledger: DataLedger, started: () => number, violate: (rule: string, text: string) => void) {
  /** By account: what operations did that were cut. */
  const cut = new Array<number>(ledger.accounts).fill(0);
  let gone: readonly number[] = [];
  let total = 0;

  function done(account: number): number {
    let sum = 0;
    for (let me = 0; me < started(); me++) sum += ledger.account(me, account).done;
    return sum;
  }

  return {
    /** Threads that have ended since the last time. */
    turnTo(ended: readonly number[]): void {
      gone = ended;
      total = 0;
    },
    check(account: number, what: string, found: number): void {
      const least = done(account) + (cut[account] as number);
      const most = least + gone.reduce((sum, me) => sum + ledger.account(me, account).open, 0);
      if (found < least || found > most) {
        violate('sum not exact', `${what}: expected ${least}${most > least ? ` to ${most}` : ''}, found ${found}`);
      }
      cut[account]! += found - least;
      total += found;
    },
    /** Of all that were checked since turnTo(). */
    get total() {
      return total;
    },
  };
}
