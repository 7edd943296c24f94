// What the threads of the stress topic percpu do besides carrying nodes: add to words of their shard, by CPU and by slot; change plain words
// under the PerCpuLock of a shard; and add, through a pointer that the supervisor flips, to the active one of two words, of which
// the other must not change behind a fence.

import type { JudgeContext, Library, ThreadContext } from './stress-data-topic.js';
import { tried } from './stress-percpu-places.js';

/** Each line is 64 bytes; a set of words that are flipped has a line for each shard. */
const LINE = 64;
const SIDES = ['A', 'B'] as const;
/** A fence that lasts so long waits for a section that does not end. */
const FENCE_MS = 20_000;
const MOST_INSIDE = 40;
/** Of the shard's section: who is inside, and the plain word that it protects. */
const SECTION = { inside: 0, count: 4, bytes: 8 } as const;

const ACCOUNT = { byCpu: 0, bySlot: 1, sections: 2, flipped: 3 } as const;

function openWords(api: Library) {
  const { PerCpu, PerCpuLock } = api;
  return {
    byCpu: new PerCpu('stress/words/cpu', { bytes: 4 }),
    bySlot: new PerCpu('stress/words/slot', { bytes: 4, index: 'slot' }),
    lock: new PerCpuLock('stress/lock'),
    inside: new PerCpu('stress/inside', { bytes: SECTION.bytes }),
    active: new PerCpu('stress/active', { bytes: 4 }),
    sides: SIDES.map((side) => new PerCpu(`stress/side-${side}`, { bytes: LINE })),
  };
}
type Words = ReturnType<typeof openWords>;

function disposeOf({ sides, ...single }: Words): void {
  for (const object of [...Object.values(single), ...sides]) object.dispose();
}

/** What one thread does. */
export function wordsOf({ me, random, ledger, apis, area }: ThreadContext) {
  const i32 = new Int32Array(area.buffer);
  const copies = apis.map((api) => ({ api, words: openWords(api) }));

  function add({ api, words }: (typeof copies)[number], account: number): void {
    const by = account === ACCOUNT.byCpu ? words.byCpu : words.bySlot;
    const n = 1 + random.below(3);
    ledger.open(me, account, n);
    tried(api, by, (shard, v) => api.ops.load_add_store(by, v, n, shard, random.pick(['relaxed', 'release'] as const)));
    ledger.close(me);
  }

  function section({ words: { lock, inside } }: (typeof copies)[number]): void {
    ledger.open(me, ACCOUNT.sections, 1);
    const { shard, guard } = lock.lock();
    const at = inside.at(shard) >>> 2;
    const before = Atomics.exchange(i32, at + SECTION.inside / 4, me + 1);
    if (before !== 0 && !guard.ownerDied) {
      ledger.complain(`thread ${me} locked shard ${shard}, which thread ${before - 1} has locked`);
    }
    if (guard.ownerDied) guard.markConsistent();
    const count = i32[at + SECTION.count / 4]!;
    for (let k = random.below(MOST_INSIDE); k > 0; k--) {
      if (Atomics.load(i32, at + SECTION.inside / 4) === me + 1) continue;
      ledger.complain(`thread ${me} has locked shard ${shard}, and another came in`);
      break;
    }
    i32[at + SECTION.count / 4] = count + 1;
    Atomics.store(i32, at + SECTION.inside / 4, 0);
    guard.unlock();
    ledger.close(me);
  }

  function flipped({ api, words: { active } }: (typeof copies)[number]): void {
    ledger.open(me, ACCOUNT.flipped, 1);
    tried(api, active, (shard, v) => api.ops.load_add_load_load_add_store(active, v, 4, 1, shard));
    ledger.close(me);
  }

  return {
    turn(): void {
      const copy = random.pick(copies);
      const roll = random.below(100);
      if (roll < 25) add(copy, ACCOUNT.byCpu);
      else if (roll < 45) add(copy, ACCOUNT.bySlot);
      else if (roll < 65) section(copy);
      else if (roll < 99) flipped(copy);
      else copy.api.fence({ timeout: FENCE_MS });
    },
    close(): void {
      for (const { words } of copies) disposeOf(words);
    },
  };
}

/** What the supervisor does with them. */
export function judgeWords({ api, area, random, books, violate }: JudgeContext) {
  const i32 = new Int32Array(area.buffer);
  const words = openWords(api);
  const { active, sides, byCpu, bySlot, inside } = words;
  const shards = active.shards;
  const side = new Array<number>(shards).fill(0);
  /** What the inactive word of a shard was behind the fence. */
  const still = new Array<number>(shards).fill(0);
  let flips = 0;
  // A line: a word that is a pointer to the one behind the next, which is the counter. The pointer of a shard leads to the line.
  const counterAt = (which: number, shard: number): number => sides[which]!.at(shard) + 8;
  const countOf = (which: number, shard: number): number => Atomics.load(i32, counterAt(which, shard) >>> 2);
  for (let shard = 0; shard < shards; shard++) {
    for (const which of SIDES.keys()) {
      Atomics.store(i32, (sides[which]!.at(shard) + 4) >>> 2, counterAt(which, shard));
    }
    Atomics.store(i32, active.at(shard) >>> 2, sides[0]!.at(shard));
  }

  const look = (): void => {
    for (let shard = 0; shard < shards; shard++) {
      const value = countOf(1 - side[shard]!, shard);
      if (value === still[shard]) continue;
      const name = SIDES[1 - side[shard]!];
      violate('changed behind the fence', `word ${name} of shard ${shard}: from ${still[shard]} to ${value}`);
      still[shard] = value;
    }
  };
  const totals = [
    { account: ACCOUNT.byCpu, what: 'words by CPU', total: tally(i32, byCpu.shards, (k) => byCpu.at(k)) },
    { account: ACCOUNT.bySlot, what: 'words by slot', total: tally(i32, bySlot.shards, (k) => bySlot.at(k)) },
    {
      account: ACCOUNT.sections,
      what: 'words under PerCpuLock',
      total: tally(i32, inside.shards, (k) => inside.at(k) + SECTION.count),
    },
    {
      account: ACCOUNT.flipped,
      what: 'words through a pointer',
      total: tally(i32, 2 * shards, (k) => counterAt(k % 2, k >>> 1)),
    },
  ];

  return {
    get flips() {
      return flips;
    },
    tick(): void {
      look();
      const shard = random.below(shards);
      const next = 1 - side[shard]!;
      Atomics.store(i32, active.at(shard) >>> 2, sides[next]!.at(shard));
      side[shard] = next;
      try {
        api.fence({ timeout: FENCE_MS });
      } catch (error) {
        violate('fence does not return', (error as Error).message);
      }
      still[shard] = countOf(1 - next, shard);
      flips++;
      look();
    },
    census(): void {
      look();
      for (const { account, what, total } of totals) books.check(account, what, total());
    },
  };
}

/** Adds up 32-bit words, which wrap, whenever it is called. */
function tally(i32: Int32Array, count: number, wordAt: (k: number) => number): () => number {
  const before = new Int32Array(count);
  let total = 0;
  return () => {
    for (let k = 0; k < count; k++) {
      const value = Atomics.load(i32, wordAt(k) >>> 2);
      total += (value - before[k]!) | 0;
      before[k] = value;
    }
    return total;
  };
}
