// The verdict of a ring's stress run: what the drainers saw against what the writers offered and what the ring's own books say. Each
// record has come once, since what was taken out of a slot never overlaps; whole and in order, as the drainers looked; and what did
// not come is known to be dropped, but for what a death leaves open, of which the bounds are said.

import type { RingStats } from '../src/core.js';
import type { RingLedger } from './stress-ring-ledger.js';
import { type Entry, RECORD_RULES } from './stress-ring-records.js';

/** No drainer notes what it took out so late. What is older is forgotten, and nothing may come from before it. */
const SETTLED_MS = 30_000;
const SETTLE_EVERY = 4096;

interface Span {
  readonly first: number;
  readonly last: number;
  readonly at: number;
}
interface Seen {
  readonly slot: number;
  readonly generation: number;
  readonly base: number;
  count: number;
}
export interface Writers {
  readonly all: readonly number[];
  /** Those that were told to die, or terminated. */
  readonly doomed: ReadonlySet<number>;
}

export interface Books {
  readonly attempted: number;
  readonly delivered: number;
  readonly dropped: number;
  /** Attempts of writers that died in them: counted or not, stored or not. */
  readonly open: number;
  /** Records that were taken out by drainers that died before they had noted it. */
  readonly unseen: number;
}

export function createVerdict(violate: (rule: string, text: string) => void) {
  const seen = new Map<number, Seen>();
  const spans = new Map<number, Span[]>();
  const floors = new Map<number, number>();
  let total = 0;
  let entries = 0;

  function place({ slot, first, last, writer }: Entry): void {
    let list = spans.get(slot);
    if (list === undefined) {
      list = [];
      spans.set(slot, list);
    }
    let k = list.length;
    while (k > 0 && (list[k - 1] as Span).first > first) k--;
    const [before, after] = [list[k - 1], list[k]];
    const floor = before?.last ?? floors.get(slot) ?? -1;
    if (first <= floor || (after !== undefined && last >= after.first)) {
      violate('records twice', `slot ${slot}, sequences ${first} to ${last} of writer ${writer}`);
      return;
    }
    list.splice(k, 0, { first, last, at: performance.now() });
    if (++entries % SETTLE_EVERY === 0) settle();
  }

  function settle(): void {
    const now = performance.now();
    for (const [slot, list] of spans) {
      const fresh = list.findIndex(({ at }) => now - at < SETTLED_MS);
      const old = list.splice(0, fresh < 0 ? list.length : fresh).at(-1);
      if (old !== undefined) floors.set(slot, old.last);
    }
  }

  return {
    /** Records seen. */
    get total() {
      return total;
    },
    take(entry: Entry): void {
      const { writer, slot, generation, base, count, wrong } = entry;
      if (wrong > 0) {
        const text = `slot ${slot}, generation ${generation}, writer ${writer}, sequence ${entry.last}`;
        violate(RECORD_RULES[wrong - 1] as string, text);
        return;
      }
      const known = seen.get(writer);
      if (known === undefined) seen.set(writer, { slot, generation, base, count });
      else {
        known.count += count;
        if (known.slot !== slot || known.generation !== generation || known.base !== base) {
          violate('records of another attempt', `writer ${writer}: ${JSON.stringify([known, entry])}`);
        }
      }
      total += count;
      place(entry);
    },
    /** Once everybody has ended, and the rings are empty. `most`: records that one drainer's death can take along. */
    close(ledger: RingLedger, { all, doomed }: Writers, stats: RingStats, drainerDeaths: number, most: number): Books {
      const [attempted, delivered, dropped] = [Number(stats.attempted), Number(stats.delivered), Number(stats.dropped)];
      const taken = drainerDeaths * most;
      const unseen = delivered - total;
      let [open, sure, missing] = [0, 0, 0];
      for (const writer of seen.keys()) {
        if (!all.includes(writer)) violate('records of nobody', `writer ${writer}`);
      }
      for (const writer of all) {
        const [attempts, stored] = [ledger.get(writer, 'attempts'), ledger.get(writer, 'stored')];
        const left = attempts - stored - ledger.get(writer, 'dropped');
        if (left < 0 || left > (doomed.has(writer) ? 1 : 0)) violate('attempts open', `writer ${writer}: ${left}`);
        open += left;
        sure += attempts - left;
        const count = seen.get(writer)?.count ?? 0;
        if (count > stored + left) violate('more than was stored', `writer ${writer}: ${count} of ${stored}`);
        if (ledger.get(writer, 'overwrites') === 0) missing += Math.max(0, stored - count);
      }
      if (attempted < sure || attempted > sure + open) {
        violate('attempts not exact', `expected ${sure}${open > 0 ? ` to ${sure + open}` : ''}, found ${attempted}`);
      }
      if (unseen < 0 || unseen > taken) violate('delivered not exact', `expected ${total}, found ${delivered}`);
      if (missing > Math.max(0, unseen) + taken) violate('stored, and not delivered', `${missing} records`);
      if (stats.pending !== 0n || attempted !== delivered + dropped) {
        violate('books do not close', `${attempted} attempted, ${delivered} + ${dropped}, ${stats.pending} pending`);
      }
      return { attempted, delivered, dropped, open, unseen };
    },
  };
}
