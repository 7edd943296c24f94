// Stress topic pool: threads allocate items, write a pattern of their own over them in every shard, and look for it before they free them,
// so that an item in two hands is seen. Items of the dead are freed by whoever comes by, and misuse is planted, and has to be found.

import type { Pool } from '../src/core.js';
import { MOST_KEPT } from './stress-data-ledger.js';
import {
  type Census,
  type Judge,
  type JudgeContext,
  type Library,
  settled,
  type ThreadContext,
  type Topic,
  type Work,
} from './stress-data-topic.js';
import { openSlots } from './stress-slots.js';

const POOLS = [
  { name: 'stress/pool/plain', item: 40, items: 48 },
  { name: 'stress/pool/robust', item: 64, items: 32, robust: true },
  { name: 'stress/pool/slot', item: 24, items: 16, robust: true, index: 'slot' },
] as const;
const FREES_DEAD = 0.01;
/** Of what is kept: the pool, then the item. */
const POOL_UNIT = 2 ** 32;

/** By what is kept: shards that have this thread's pattern. By slot there may be more slots by the time of the free. */
const written: number[] = [];

const openPools = ({ Pool }: Library): Pool[] => POOLS.map(({ name, ...options }) => new Pool(name, options));
const codeOf = (which: number, item: number): number => which * POOL_UNIT + item;

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

function thread({ me, random, ledger, apis, area }: ThreadContext): Work {
  const i32 = new Int32Array(area.buffer);
  const slots = openSlots(area);
  const copies = apis.map(openPools);
  const pick = (which: number): Pool => random.pick(copies)[which]!;
  let inits = 0;

  /** All of them by CPU; by slot those that anybody had, since the others may be cleared from there on only. */
  const shardsOf = (which: number, pool: Pool): number =>
    'index' in POOLS[which]! ? slots.header('slot_high_water') : pool.shards;

  /** Whether each word in so many shards is what it should be. */
  function look(pool: Pool, item: number, shards: number, rule: string, word: (k: number) => number): void {
    for (let shard = 0; shard < shards; shard++) {
      const at = pool.at(item, shard) >>> 2;
      for (let k = 0; k < pool.itemBytes / 4; k++) {
        const found = i32[at + k]!;
        if (found === word(k)) continue;
        ledger.complain(
          `thread ${me}: ${rule}: word ${k} of item ${item} of ${pool.name} in shard ${shard} is ${found}, expected ${word(k)}`,
        );
        return;
      }
    }
  }

  const patternOf = (item: number): ((k: number) => number) => {
    const seed = Math.imul(me + 1, 0x9e3779b1) ^ item;
    return (k) => (seed + k) | 0;
  };

  function allocate(place: number): void {
    const which = random.below(POOLS.length);
    const pool = pick(which);
    const init = random.chance(0.3) ? new Uint8Array(pool.itemBytes).fill(++inits) : undefined;
    let item: number;
    try {
      item = pool.alloc(init);
    } catch (error) {
      if (!isCode(error, 'COEXIST_ENOSPC')) throw error;
      pool.freeDead();
      return;
    }
    ledger.keep(me, place, codeOf(which, item));
    const byte = init?.[0] ?? 0;
    look(pool, item, pool.shards, 'not as it was to be', () => Math.imul(byte, 0x01010101));
    const pattern = patternOf(item);
    const shards = shardsOf(which, pool);
    written[place] = shards;
    for (let shard = 0; shard < shards; shard++) {
      const at = pool.at(item, shard) >>> 2;
      for (let k = 0; k < pool.itemBytes / 4; k++) i32[at + k] = pattern(k);
    }
  }

  function free(place: number): void {
    const code = ledger.kept(me, place);
    const [which, item] = [Math.floor(code / POOL_UNIT), code % POOL_UNIT];
    const pool = pick(which);
    look(pool, item, written[place]!, 'written by another', patternOf(item));
    pool.free(item);
    ledger.keep(me, place, 0);
  }

  return {
    turn() {
      if (random.chance(FREES_DEAD)) {
        pick(random.below(POOLS.length)).freeDead();
        return;
      }
      const place = random.below(MOST_KEPT);
      if (ledger.kept(me, place) === 0) allocate(place);
      else free(place);
    },
    finish() {
      for (let place = 0; place < MOST_KEPT; place++) if (ledger.kept(me, place) !== 0) free(place);
    },
    close() {
      for (const pool of copies.flat()) pool.dispose();
    },
  };
}

function judge(context: JudgeContext): Judge {
  const { ledger, api, area, violate } = context;
  const i32 = new Int32Array(area.buffer);
  const pools = openPools(api);
  const counts = { dead: 0, planted: 0, kept: 0 };

  /** Frees what dead threads had; then what is allocated is what the others keep. */
  function wrong({ live, leaving }: Census): string | undefined {
    const kept = new Map<number, number>();
    for (const me of [...live, ...leaving]) {
      for (let place = 0; place < MOST_KEPT; place++) {
        const code = ledger.kept(me, place);
        if (code === 0) continue;
        const other = kept.get(code);
        if (other !== undefined) return `item ${code % POOL_UNIT} is kept by threads ${other} and ${me}`;
        kept.set(code, me);
      }
    }
    counts.kept = Math.max(counts.kept, kept.size);
    for (const [which, pool] of pools.entries()) {
      counts.dead += pool.freeDead();
      const allocated = pool.allocated();
      const stranger = allocated.find(({ item }) => !kept.delete(codeOf(which, item)));
      if (stranger !== undefined) {
        return `item ${stranger.item} of ${pool.name} is allocated, its owner ${stranger.owner} ${stranger.alive}, and nobody keeps it`;
      }
    }
    const [left] = kept;
    return left === undefined
      ? undefined
      : `item ${left[0] % POOL_UNIT} is kept by thread ${left[1]}, and not allocated`;
  }

  function expect(code: string, what: string, misuse: () => void): void {
    counts.planted++;
    try {
      misuse();
    } catch (error) {
      if (!isCode(error, code)) violate('misuse told wrongly', `${what}: ${(error as Error).message}`);
      return;
    }
    violate('misuse not found', what);
  }

  /** Nobody else operates: what is free stays free. */
  function misuse(pool: Pool): void {
    let item: number;
    try {
      item = pool.alloc();
    } catch (error) {
      if (isCode(error, 'COEXIST_ENOSPC')) return;
      throw error;
    }
    pool.free(item);
    expect('COEXIST_EINVAL', `double free in ${pool.name}`, () => pool.free(item));
    if (!pool.robust) return;
    const at = pool.at(item, 0) >>> 2;
    i32[at]! ^= 1;
    expect('COEXIST_EBROKEN', `write after free in ${pool.name}`, () => pool.check());
    i32[at]! ^= 1;
    pool.check();
  }

  return {
    async census(census) {
      await settled(context, 'pool not exact', () => wrong(census));
      for (const pool of pools) misuse(pool);
    },
    settle() {
      for (const pool of pools) {
        const item = pool.alloc();
        expect('COEXIST_EBUSY', `leak in ${pool.name}`, () => pool.destroy());
        pool.free(item);
        if (pool.robust) {
          i32[pool.at(item, 0) >>> 2]! ^= 1;
          expect('COEXIST_EBROKEN', `write after free in ${pool.name}`, () => pool.alloc());
        }
        pool.destroy();
        expect('COEXIST_EGONE', `allocation in destroyed ${pool.name}`, () => pool.alloc());
      }
    },
    said() {
      const { dead, planted, kept } = counts;
      const text = `at most ${kept} items kept at once, ${dead} of dead threads freed by the supervisor, ${planted} misuses planted`;
      return { text, more: counts };
    },
  };
}

export const poolTopic: Topic = { thread, judge };
