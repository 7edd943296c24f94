// The operations on per-CPU data that percpu-stepper.ts cuts: what was there before, what is run, and what may be left, whoever looks: the
// thread that was cut and lives on, or another one when it has died. A section commits by one step or not at all, and the next user of
// whatever was left goes on at once.

import type * as core from '../src/core.js';

type Lib = typeof core;
export type Index = 'cpu' | 'slot';

export interface Stage {
  readonly lib: Lib;
  readonly area: core.Area;
  readonly index: Index;
  /** Identity of a thread that has died. */
  readonly dead: bigint;
}

export interface Play {
  /** CPUs of the machine; 1 unless it says otherwise, so that all threads are at one shard. */
  readonly cpus?: number;
  /** Only by CPU. */
  readonly byCpu?: boolean;
  /** Prepares; returns what is cut. */
  readonly prepare: (stage: Stage) => () => unknown;
  /** What is wrong with what was left; in a thread that may be any, and is at the same shard. `died`: the other one has. */
  readonly look: (stage: Stage, died: boolean) => string[];
}

const WORDS = 16;
const ITEMS = 4;

const u32Of = ({ area }: Stage): Uint32Array => new Uint32Array(area.buffer);
const wordsOf = ({ lib, area, index }: Stage): core.PerCpu =>
  new lib.PerCpu('words', { bytes: 4 * WORDS, index, area });
const listOf = ({ lib, area, index }: Stage): core.PerCpuList => new lib.PerCpuList('a list', { index, area });
const bufferOf = ({ lib, area, index }: Stage): core.PerCpuBuffer =>
  new lib.PerCpuBuffer('a buffer', { capacity: 3, index, area });
const poolOf = ({ lib, area, index }: Stage): core.Pool =>
  new lib.Pool('a pool', { item: 16, items: ITEMS, robust: true, index, area });
const nodesOf = ({ area }: Stage): number[] => [0, 1, 2].map((k) => area.geometry.heapOffset + 3072 + 64 * k);

/** The CPU's word of an object's shard 0: its owner, as index of 64 bits. */
const ownerIndex = (at: number): number => (at - 16) / 8;

interface Operation {
  /** Words of the shard, but for those that are 0; pointers are given by the word they lead to. */
  readonly before: (at: (k: number) => number) => number[];
  readonly run: (stage: Stage, perCpu: core.PerCpu, at: (k: number) => number, shard: number) => number;
  /** Words as the operation leaves them, the one of its commit first. */
  readonly after: (at: (k: number) => number) => Record<number, number>;
  readonly commit: number;
}

const target = [0];
const OPERATIONS: Readonly<Record<string, Operation>> = {
  load_cbne_store: {
    before: () => [7],
    run: ({ lib }, perCpu, at, shard) => lib.ops.load_cbne_store(perCpu, at(0), 7, 9, shard),
    after: () => ({ 0: 9 }),
    commit: 0,
  },
  load_add_store: {
    before: () => [7],
    run: ({ lib }, perCpu, at, shard) => lib.ops.load_add_store(perCpu, at(0), 2, shard, 'release'),
    after: () => ({ 0: 9 }),
    commit: 0,
  },
  load_cbeq_store_add_load_store: {
    before: (at) => [at(4), 0, 0, 0, 0, at(8)],
    run: ({ lib }, perCpu, at, shard) => lib.ops.load_cbeq_store_add_load_store(perCpu, at(0), 0, 4, target, shard),
    after: (at) => ({ 0: at(8) }),
    commit: 0,
  },
  load_add_load_load_add_store: {
    before: (at) => [at(4), 0, 0, 0, 0, at(8), 0, 0, 7],
    run: ({ lib }, perCpu, at, shard) => lib.ops.load_add_load_load_add_store(perCpu, at(0), 4, 2, shard),
    after: () => ({ 8: 9 }),
    commit: 8,
  },
  load_cbne_store_store: {
    before: () => [7, 5],
    run: ({ lib }, perCpu, at, shard) => lib.ops.load_cbne_store_store(perCpu, at(0), 7, at(1), 6, 9, shard),
    after: () => ({ 0: 9, 1: 6 }),
    commit: 0,
  },
  load_cbne_load_cbne_store: {
    before: () => [7, 5],
    run: ({ lib }, perCpu, at, shard) =>
      lib.ops.load_cbne_load_cbne_store(perCpu, at(0), 7, at(1), 5, 9, shard, 'release'),
    after: () => ({ 0: 9 }),
    commit: 0,
  },
  load_cbne_memcpy_store: {
    before: () => [7, 0, 0, 0, 1, 2, 0, 0, 3, 4],
    run: ({ lib }, perCpu, at, shard) => lib.ops.load_cbne_memcpy_store(perCpu, at(0), 7, at(4), at(8), 8, 9, shard),
    after: () => ({ 0: 9, 4: 3, 5: 4 }),
    commit: 0,
  },
};

const withoutSection = (name: string): boolean => name === 'load_cbne_store' || name === 'load_add_store';

function operation(name: string, plantOwner?: (stage: Stage) => bigint): Play {
  const { before, run, after, commit } = OPERATIONS[name] as Operation;
  const atOf = (perCpu: core.PerCpu): ((k: number) => number) => {
    const first = perCpu.at(perCpu.start());
    return (k) => first + 4 * k;
  };
  return {
    byCpu: plantOwner !== undefined,
    prepare(stage) {
      const perCpu = wordsOf(stage);
      const at = atOf(perCpu);
      for (const [k, value] of before(at).entries()) u32Of(stage)[at(k) / 4] = value;
      if (plantOwner !== undefined) new BigInt64Array(stage.area.buffer)[ownerIndex(at(0))] = plantOwner(stage);
      return () => run(stage, perCpu, at, perCpu.start());
    },
    look(stage, died) {
      const wrong: string[] = [];
      const u32 = u32Of(stage);
      const perCpu = wordsOf(stage);
      const at = atOf(perCpu);
      const was = Array.from({ length: WORDS }, (_, k) => before(at)[k] ?? 0);
      const becomes = after(at);
      const committed = u32[at(commit) / 4] === becomes[commit];
      for (let k = 0; k < WORDS; k++) {
        const [now, then] = [u32[at(k) / 4] as number, becomes[k] ?? (was[k] as number)];
        // Without the commit, what it would have made visible may be there or not.
        if (now !== then && (committed || now !== was[k])) wrong.push(`word ${k} is ${now}`);
      }
      // One more, from what is there.
      for (const [k, value] of before(at).entries()) u32[at(k) / 4] = value;
      const status = run(stage, perCpu, at, perCpu.start());
      if (status !== stage.lib.ops.DONE) wrong.push(`the next one gives ${status}`);
      for (const [k, value] of Object.entries(becomes))
        if (u32[at(Number(k)) / 4] !== value) wrong.push(`the next one left word ${k} as ${u32[at(Number(k)) / 4]}`);
      if (!withoutSection(name) || died) wrong.push(...atRest(stage, died));
      const owner = stage.index === 'cpu' ? new BigInt64Array(stage.area.buffer)[ownerIndex(at(0))] : 0n;
      if (owner !== 0n && name !== 'load_add_load_load_add_store') wrong.push(`${owner} holds the CPU's word`);
      perCpu.dispose();
      return wrong;
    },
  };
}

/** No section is left open by this thread, and a fence waits for nobody who has died. */
function atRest({ lib, area }: Stage, died: boolean): string[] {
  const own = lib.register({ area });
  const section = (area.geometry.slotOffset + own.slot * area.geometry.slotStride + lib.SLOT.rseq_cs.offset) / 8;
  const left = new BigInt64Array(area.buffer)[section] as bigint;
  own.unregister();
  const wrong = left === 0n ? [] : [`section ${left} stays announced`];
  if (died) lib.fence({ area, timeout: 1000 });
  return wrong;
}

// ---- list, buffer, counter

const list = (push: boolean): Play => ({
  prepare(stage) {
    const [a, b, c] = nodesOf(stage) as [number, number, number];
    const nodes = listOf(stage);
    for (const node of [a, b]) nodes.push(node);
    return push ? () => nodes.push(c) : () => nodes.pop();
  },
  look(stage, died) {
    const [a, b, c] = nodesOf(stage) as [number, number, number];
    const nodes = listOf(stage);
    const seen = String([...nodes.nodes(shardOf(stage))]);
    const expected = push
      ? [
          [b, a],
          [c, b, a],
        ]
      : [[b, a], [a]];
    const wrong = expected.some((order) => String(order) === seen) ? [] : [`the list is ${seen}`];
    const order = seen.split(',').map(Number);
    for (const node of order) {
      const popped = nodes.pop();
      if (popped !== node) wrong.push(`popped ${popped}, expected ${node}`);
    }
    if (nodes.pop() !== 0) wrong.push('the list does not end');
    nodes.push(c);
    if (nodes.pop() !== c) wrong.push('what is pushed cannot be popped');
    return [...wrong, ...atRest(stage, died)];
  },
});

const buffer = (push: boolean): Play => ({
  prepare(stage) {
    const entries = bufferOf(stage);
    for (const entry of [11, 12]) entries.push(entry);
    return push ? () => entries.push(13) : () => entries.pop();
  },
  look(stage, died) {
    const entries = bufferOf(stage);
    const seen = String(entries.entries(shardOf(stage)));
    const expected = push ? ['11,12', '11,12,13'] : ['11,12', '11'];
    const wrong = expected.includes(seen) ? [] : [`the buffer holds ${seen}`];
    const order = seen.split(',').map(Number);
    while (order.length < 3) {
      order.push(order.length);
      if (!entries.push(order.length - 1)) wrong.push('full too early');
    }
    if (entries.push(99)) wrong.push('holds more than its capacity');
    for (const entry of order.reverse()) {
      const popped = entries.pop();
      if (popped !== entry) wrong.push(`popped ${popped}, expected ${entry}`);
    }
    if (entries.pop() !== undefined) wrong.push('the buffer does not end');
    return [...wrong, ...atRest(stage, died)];
  },
});

// By slot, whoever looks has the slot of the one that was cut; by CPU, there is but one shard.
const shardOf = ({ lib, area, index }: Stage): number => {
  const own = lib.register({ area });
  own.unregister();
  return index === 'cpu' ? 0 : own.slot;
};

const counter: Play = {
  byCpu: true,
  prepare: ({ lib, area }) => {
    const counter = new lib.PerCpuCounter('counted', { area });
    counter.add(5);
    return () => counter.add(2 ** 40);
  },
  look: ({ lib, area }) => {
    const counter = new lib.PerCpuCounter('counted', { area });
    const sum = counter.sum();
    counter.add(1);
    return (sum === 5n || sum === 5n + 2n ** 40n) && counter.sum() === sum + 1n ? [] : [`the sum is ${sum}`];
  },
};

// ---- pool

/** A pool in which items 0 to 2 were used, and 1 is free again. */
function used(stage: Stage): { pool: core.Pool; items: number[] } {
  const pool = poolOf(stage);
  const items = [pool.alloc(), pool.alloc(), pool.alloc()];
  pool.free(items[1] as number);
  return { pool, items };
}

const pooled = (run: (pool: core.Pool, items: readonly number[], stage: Stage) => unknown): Play => ({
  cpus: 2,
  prepare(stage) {
    const { pool, items } = used(stage);
    return () => run(pool, items, stage);
  },
  look: poolLook,
});

function poolLook(stage: Stage, died: boolean): string[] {
  const wrong: string[] = [];
  const u8 = new Uint8Array(stage.area.buffer);
  const pool = poolOf(stage);
  const mine = died ? [] : pool.allocated().map(({ item }) => item);
  const held = pool.allocated().length;
  // Everything that nobody has, each once, and clean.
  const got: number[] = [];
  while (got.length < ITEMS - held) got.push(pool.alloc());
  if (new Set(got).size !== got.length || got.some((item) => mine.includes(item))) wrong.push(`gave ${got} twice`);
  for (const item of got)
    for (let shard = 0; shard < pool.shards; shard++)
      if (u8.slice(pool.at(item, shard), pool.at(item, shard) + 16).some((byte) => byte !== 0))
        wrong.push(`item ${item} is not zero in shard ${shard}`);
  try {
    wrong.push(`gave ${pool.alloc()} beyond its items`);
  } catch (error) {
    if ((error as core.CoexistError).code !== 'COEXIST_ENOSPC') throw error;
  }
  for (const item of [...got, ...mine]) pool.free(item);
  if (died) {
    const freed = pool.freeDead();
    if (freed !== held) wrong.push(`freed ${freed} items of the dead, expected ${held}`);
  }
  pool.check();
  const kept = pool.allocated().length;
  if (kept > 0) wrong.push(`${kept} items stay allocated`);
  pool.destroy();
  return wrong;
}

/** A pool whose lock a dead thread holds, with a list and counts that are not what the states say. */
const inherited: Play = {
  cpus: 2,
  prepare(stage) {
    const { pool } = used(stage);
    const at = poolOffset(stage);
    const u32 = u32Of(stage);
    for (const word of [24, 28, 32]) u32[(at + word) / 4] = 77;
    new BigInt64Array(stage.area.buffer)[at / 8] = stage.dead;
    return () => pool.alloc();
  },
  look: poolLook,
};

function poolOffset({ lib, area }: Stage): number {
  const u32 = new Uint32Array(area.buffer);
  for (let entry = area.geometry.directoryOffset; ; entry += lib.ENTRY_BYTES) {
    const kind = u32[(entry + lib.ENTRY.kind.offset) / 4];
    if (kind === lib.KINDS.pool.number) return u32[(entry + lib.ENTRY.offset.offset) / 4] as number;
    if (kind === 0) throw new Error('no pool');
  }
}

/** Objects that are being made: the next one to make them has them. */
const making = (make: (stage: Stage) => { dispose(): void }, look: Play['look']): Play => ({
  cpus: 2,
  prepare: (stage) => () => make(stage),
  look,
});

const operations = Object.fromEntries(Object.keys(OPERATIONS).map((name) => [name, operation(name)]));

export const PLAYS: Readonly<Record<string, Play>> = {
  ...operations,
  'load_cbne_store_store, the word of a dead thread': operation('load_cbne_store_store', ({ dead }) => dead),
  'load_cbeq_store_add_load_store, the word of a dead thread': operation(
    'load_cbeq_store_add_load_store',
    ({ dead }) => dead | (1n << 62n),
  ),
  'list push': list(true),
  'list pop': list(false),
  'buffer push': buffer(true),
  'buffer pop': buffer(false),
  'counter add': counter,
  'pool alloc': pooled((pool) => pool.alloc()),
  'pool alloc of a fresh item': pooled((pool) => [pool.alloc(), pool.alloc()]),
  'pool alloc with a first value': pooled((pool) => pool.alloc(new Uint8Array(16).fill(7))),
  'pool free': pooled((pool, [first]) => pool.free(first as number)),
  'pool check': pooled((pool) => pool.check()),
  'pool repair': pooled((pool) => pool.repair()),
  'pool freeDead': pooled((pool, _, stage) => {
    new BigInt64Array(stage.area.buffer)[(poolOffset(stage) + 64) / 8] = stage.dead;
    pool.freeDead();
  }),
  'pool alloc, the lock of a dead thread': inherited,
  'making a pool': making(poolOf, poolLook),
  'making a list': making(listOf, (stage) => {
    const [a] = nodesOf(stage) as [number];
    const nodes = listOf(stage);
    nodes.push(a);
    return nodes.pop() === a ? [] : ['what is pushed cannot be popped'];
  }),
};
