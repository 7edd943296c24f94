// Stress topic counter: threads add to a Counter and a PerCpuCounter, record in a Histogram and set a Gauge, through both copies of the library.
// Sums have to be those of the threads' own accounts, the gauge's values those of the threads that live, and no others.

import {
  type Census,
  type Judge,
  type JudgeContext,
  settled,
  type ThreadContext,
  type Topic,
  type Work,
} from './stress-data-topic.js';

const NAME = {
  counter: 'stress/counter',
  cells: 'stress/cells',
  times: 'stress/times',
  level: 'stress/level',
} as const;
const ACCOUNT = { counter: 0, cells: 1, recorded: 2 } as const;
/** Recorded values, each of another bucket; the last one lies beyond the range. */
const VALUES = [0, 1, 3, 6, 10, 100, 1000, 1_000_000, 2 ** 31, 2 ** 32 + 1, 2 ** 40] as const;
const MOST_TIMES = 5;
/** A gauge's value says whose it is: the thread's number, and how often it has set one. */
const SETS = 2 ** 20;

function thread({ me, random, ledger, apis }: ThreadContext): Work {
  const objects = apis.map(({ Counter, PerCpuCounter, Histogram, Gauge }) => ({
    counter: new Counter(NAME.counter),
    cells: new PerCpuCounter(NAME.cells),
    times: new Histogram(NAME.times),
    level: new Gauge(NAME.level),
  }));
  const before = objects[0]!.level.own();
  if (before !== 0) ledger.complain(`thread ${me} begins with ${before} in its gauge`);
  let sets = 0;
  show();

  function show(): void {
    const value = me * SETS + (++sets % SETS) + 0.5;
    const { level } = random.pick(objects);
    if (random.chance(0.5)) level.set(value);
    else level.add(value - level.own());
    ledger.setNumber(me, 'shown', value);
  }

  /** Mostly one; as often below 0 as above otherwise, so that sums stay what a number holds exactly. */
  function amount(): number {
    if (random.chance(0.7)) return 1;
    const n = random.chance(0.9) ? random.below(1000) : 2 ** 31 + random.below(1000);
    return random.chance(0.5) ? n : -n;
  }

  function count(account: number, n: number, add: () => void): void {
    ledger.open(me, account, n);
    add();
    ledger.close(me);
  }

  return {
    turn() {
      const { counter, cells, times } = random.pick(objects);
      const n = amount();
      const roll = random.below(10);
      if (roll < 3) count(ACCOUNT.counter, n, () => counter.add(n));
      else if (roll < 6) count(ACCOUNT.cells, n, () => cells.add(n));
      else if (roll < 9) {
        const which = random.below(VALUES.length);
        const many = random.chance(0.2) ? random.below(MOST_TIMES) : 1;
        const value = VALUES[which]!;
        count(ACCOUNT.recorded + which, many, () => (many === 1 ? times.record(value) : times.recordMany(value, many)));
      } else show();
    },
    finish() {},
    close() {
      ledger.setNumber(me, 'shown', 0);
      for (const each of objects) for (const object of Object.values(each)) object.dispose();
    },
  };
}

function judge(context: JudgeContext): Judge {
  const { api, books, ledger, violate } = context;
  const counter = new api.Counter(NAME.counter);
  const cells = new api.PerCpuCounter(NAME.cells);
  const times = new api.Histogram(NAME.times);
  const level = new api.Gauge(NAME.level);
  // Only read here; and this thread's own gauge would be one too many.
  for (const object of [counter, cells, times, level]) object.dispose();
  let recorded = 0;

  function wrongLevel({ live, leaving }: Census): string | undefined {
    const may = new Map([...live, ...leaving].map((me) => [ledger.number(me, 'shown'), me]));
    const found = level.values();
    const stranger = found.find(({ value }) => !may.has(value));
    if (stranger !== undefined) {
      return `slot ${stranger.slot} shows ${stranger.value}, which no live thread has (thread ${Math.floor(stranger.value / SETS)})`;
    }
    const values = new Set(found.map(({ value }) => value));
    if (values.size < found.length) return `${found.length} values, of which ${values.size} differ`;
    const missing = live.find((me) => ledger.number(me, 'shown') !== 0 && !values.has(ledger.number(me, 'shown')));
    return missing === undefined ? undefined : `thread ${missing} lives, and its value is not there`;
  }

  return {
    async census(census) {
      books.check(ACCOUNT.counter, 'Counter', Number(counter.sum()));
      books.check(ACCOUNT.cells, 'PerCpuCounter', Number(cells.sum()));
      const snapshot = times.snapshot();
      const buckets = snapshot.buckets();
      let seen = 0;
      for (const [k, value] of VALUES.entries()) {
        const found = buckets.find(({ lower, upper }) => lower <= value && value < upper)?.count ?? 0;
        books.check(ACCOUNT.recorded + k, `Histogram, value ${value}`, found);
        seen += found;
      }
      if (snapshot.count !== seen)
        violate('sum not exact', `Histogram: ${snapshot.count} in all, ${seen} where they belong`);
      recorded = seen;
      await settled(context, 'gauge not exact', () => wrongLevel(census));
    },
    said() {
      const sums = {
        counter: String(counter.sum()),
        cells: String(cells.sum()),
        recorded,
        shown: level.values().length,
      };
      const text = `counted ${sums.counter} by slot, ${sums.cells} by CPU, ${recorded} in buckets, ${sums.shown} gauges left`;
      return { text, more: sums };
    },
  };
}

export const counterTopic: Topic = { thread, judge };
