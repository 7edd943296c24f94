// The accounts of all threads that ever were, against what the library says, while nobody operates: equal, but for the operations in which
// threads died since the last time. What became of those is taken down then, and is in doubt no more.

import type { DataLedger } from './stress-data-ledger.js';

export type Books = ReturnType<typeof createBooks>;

export function createBooks(ledger: DataLedger, started: () => number, violate: (rule: string, text: string) => void) {
  /** By account: what operations did that were cut. */
  const cut = new Array<number>(ledger.accounts).fill(0);
  let gone: readonly number[] = [];

  function done(account: number): number {
    let sum = 0;
    for (let me = 0; me < started(); me++) sum += ledger.account(me, account).done;
    return sum;
  }

  return {
    /** Threads that have ended since the last time. */
    turnTo(ended: readonly number[]): void {
      gone = ended;
    },
    check(account: number, what: string, found: number): void {
      const sure = done(account) + (cut[account] as number);
      const opens = gone.map((me) => ledger.account(me, account).open);
      const least = sure + opens.reduce((sum, open) => sum + Math.min(0, open), 0);
      const most = sure + opens.reduce((sum, open) => sum + Math.max(0, open), 0);
      if (found < least || found > most) {
        violate('sum not exact', `${what}: expected ${least}${most > least ? ` to ${most}` : ''}, found ${found}`);
      }
      cut[account]! += found - sure;
    },
  };
}
