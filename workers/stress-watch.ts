// The watcher of the stress command: reads the area and the ledger from the main thread while the threads run, one pass at
// a time, and asserts what must hold at every moment, whoever has just died. docs/ABI.md names the rules.
//
// A thread may be dead long before its exit event is seen here, and its slot may be another's by then. So what would be
// wrong only of a live thread is a suspicion first, and a violation if that thread has not ended within SUSPICION_MS.

import type { Area } from 'coexist';
import { MAGIC } from 'coexist/abi';
import type { Ledger, Rule } from './stress-ledger.js';
import type { Slots } from './stress-slots.js';

const SUSPICION_MS = 10_000;

export interface Watch {
  /** Checks everything once. `live` are the numbers of the threads that have not ended, as far as is known. */
  pass(live: Iterable<number>): void;
  /** A thread has ended: its marks go, and what it left must be free after the next reclaim. */
  ended(thread: number): void;
  /** Slots that dead threads left, and that were given back. */
  reclaimed(): number;
  violate(rule: Rule, slot: number, expected: number, found: number): void;
}

/** A row in which slot content and owner belong together (clause 31). */
interface Row {
  readonly owner: bigint;
  readonly generation: number;
  readonly cpuId: number;
  readonly index: number;
}

export function createWatch(area: Area, slots: Slots, ledger: Ledger): Watch {
  const before: (Row | undefined)[] = new Array(slots.capacity);
  const generations = new Uint32Array(slots.capacity);
  const suspicions = new Map<string, number>();
  const reported = new Set<string>();
  const ends: bigint[] = [];
  let highWater = 0;
  let reclaimed = 0;

  function violate(rule: Rule, slot: number, expected: number, found: number): void {
    // What is wrong now is wrong in the next pass too.
    const key = `${rule} ${slot}`;
    if (reported.has(key)) return;
    reported.add(key);
    ledger.record({ rule, seenBy: 0, slot, expected, found, row: slot < 0 ? [] : slots.dump(slot) });
  }

  function suspect(key: string, rule: Rule, slot: number, expected: number, found: number, seen: Set<string>): void {
    seen.add(key);
    const since = suspicions.get(key) ?? performance.now();
    suspicions.set(key, since);
    if (performance.now() - since > SUSPICION_MS) violate(rule, slot, expected, found);
  }

  const identityOf = (thread: number): bigint =>
    (BigInt(ledger.get(thread, 'identityHigh')) << 32n) | BigInt(ledger.get(thread, 'identityLow') >>> 0);

  // Generation outermost: a claim between the two looks at the owner raises it before the second.
  function rowOf(slot: number): Row | undefined {
    const generation = slots.field(slot, 'generation');
    const owner = slots.owner(slot);
    const row = { owner, generation, cpuId: slots.cpuId(slot), index: slots.field(slot, 'mm_cid') };
    const stable = slots.owner(slot) === owner && slots.field(slot, 'generation') === generation;
    return stable && owner > 0n ? row : undefined;
  }

  function checkHeader(): void {
    const water = slots.header('slot_high_water');
    if (water < highWater || water > slots.capacity) violate('header wrong', -1, highWater, water);
    highWater = water;
    if (slots.header('slot_hint') > slots.capacity) {
      violate('header wrong', -1, slots.capacity, slots.header('slot_hint'));
    }
    if (slots.header('magic') !== MAGIC) violate('header wrong', -1, MAGIC, slots.header('magic'));
    if (slots.header('area_id') !== area.id) violate('header wrong', -1, area.id, slots.header('area_id'));
    if (slots.header('conflict') !== 0) violate('header wrong', -1, 0, slots.header('conflict'));
  }

  function checkSlots(): void {
    const owned = new Map<bigint, { slot: number; generation: number }>();
    for (let slot = 0; slot < slots.capacity; slot++) {
      // High water is raised before the owner is written, so it is read after it.
      if (slots.owner(slot) !== 0n && slots.header('slot_high_water') <= slot) {
        violate('slot in use above high water', slot, slot + 1, slots.header('slot_high_water'));
      }
      const generation = slots.field(slot, 'generation');
      if (((generation - generations[slot]!) | 0) < 0) {
        violate('generation changed while registered', slot, generations[slot]!, generation);
      }
      generations[slot] = generation;
      const row = rowOf(slot);
      if (row === undefined) continue;
      const past = before[slot];
      before[slot] = row;
      if (past !== undefined && past.owner !== row.owner && past.generation === row.generation) {
        violate('slot changed hands without a new generation', slot, past.generation + 1, row.generation);
      }
      if (row.generation === 0) violate('slot content wrong', slot, 1, 0);
      if (row.index !== slot) violate('slot content wrong', slot, slot, row.index);
      if (row.cpuId < -1) violate('slot content wrong', slot, -1, row.cpuId);
      const twin = owned.get(row.owner);
      if (twin === undefined) owned.set(row.owner, { slot, generation: row.generation });
      else if (holds(twin.slot, row.owner, twin.generation) && holds(slot, row.owner, row.generation)) {
        violate('one thread owns two slots', slot, twin.slot, slot);
      }
    }
  }

  /** Still held under the generation of a former look: held all the time in between. */
  function holds(slot: number, owner: bigint, generation: number): boolean {
    return slots.owner(slot) === owner && slots.field(slot, 'generation') === generation;
  }

  function checkThreads(live: Iterable<number>): void {
    const seen = new Set<string>();
    const alive = new Set(live);
    for (const thread of alive) {
      if (ledger.get(thread, 'replaced') === thread) {
        suspect(`replaced ${thread}`, 'two owners of one slot', ledger.get(thread, 'slot') - 1, 0, thread, seen);
      }
      const sequence = ledger.get(thread, 'sequence');
      const slot = ledger.get(thread, 'slot') - 1;
      const generation = ledger.get(thread, 'generation') >>> 0;
      const expected = ledger.get(thread, 'expected');
      const slack = ledger.get(thread, 'slack');
      if ((sequence & 1) !== 0 || slot < 0) continue;
      const count = slots.field(slot, 'refcount');
      const held = holds(slot, identityOf(thread), generation);
      // Unchanged: the thread was between two operations all along.
      if (ledger.get(thread, 'sequence') !== sequence) continue;
      if (!held) suspect(`held ${thread} ${sequence}`, 'live owner reclaimed', slot, generation, thread, seen);
      else if (count < expected || count > expected + slack) violate('count lost', slot, expected, count);
    }
    for (let slot = 0; slot < slots.capacity; slot++) {
      const mark = Atomics.load(ledger.i32, ledger.markAt(slot));
      if (mark === 0 || identityOf(mark) === slots.owner(slot)) continue;
      suspect(`mark ${slot} ${mark}`, 'two owners of one slot', slot, mark, 0, seen);
    }
    for (const key of suspicions.keys()) if (!seen.has(key)) suspicions.delete(key);
  }

  function checkEnds(): void {
    if (ends.length === 0) return;
    area.reclaim();
    const gone = new Set(ends.splice(0));
    for (let slot = 0; slot < slots.capacity; slot++) {
      const owner = slots.owner(slot);
      if (gone.has(owner < 0n ? -owner : owner)) violate('slot left behind', slot, 0, 1);
    }
  }

  return {
    pass(live) {
      checkHeader();
      checkSlots();
      checkThreads(live);
      checkEnds();
    },
    ended(thread) {
      let left = ledger.get(thread, 'replaced') === thread;
      const identity = identityOf(thread);
      if (identity !== 0n) ends.push(identity);
      for (let slot = 0; slot < slots.capacity; slot++) {
        if (Atomics.compareExchange(ledger.i32, ledger.markAt(slot), thread, 0) === thread) left = true;
      }
      if (left) reclaimed++;
    },
    reclaimed: () => reclaimed,
    violate,
  };
}
