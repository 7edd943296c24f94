// Where the nodes of the stress topic percpu can be: the library's lists and buffers, and the same made of the raw operations, by CPU and by
// slot. A node is 16 bytes of the area: its number, the pointer to the next one, who has it. The records of the last place are copied
// whole, and say so.

import type { PerCpu } from '../src/core.js';
import type { Library } from './stress-data-topic.js';

/** Where in a node these lie. */
export const NODE = { number: 0, next: 4, holder: 8, bytes: 16 } as const;

/** Entries of a shard's buffer. */
const CAPACITY = { cpu: 24, slot: 6 } as const;
const ENTRY_BYTES = 4;
const RECORD_WORDS = 8;
const RECORD_BYTES = 4 * RECORD_WORDS;
/** In front of the records of a shard. */
const RECORDS_AT = 16;
/** Nothing to take, or no room. */
const NEITHER = 2;

export interface Place {
  readonly name: string;
  /** A node, 0 where there is none. */
  take(): number;
  /** False where there is no room. */
  give(node: number): boolean;
  /** While nobody operates. */
  contents(): Iterable<number>;
  dispose(): void;
}

type Index = 'cpu' | 'slot';

/** All of them, through one copy of the library. */
export function openPlaces(api: Library, i32: Int32Array): Place[] {
  return (['cpu', 'slot'] as const).flatMap((index) => [
    list(api, index),
    buffer(api, index),
    rawList(api, i32, index),
    rawBuffer(api, i32, index),
    records(api, i32, index),
  ]);
}

function list(api: Library, index: Index): Place {
  const name = `stress/list/${index}`;
  const inner = new api.PerCpuList(name, { index, next: NODE.next });
  return {
    name,
    take: () => inner.pop(),
    give(node) {
      inner.push(node);
      return true;
    },
    *contents() {
      for (let shard = 0; shard < inner.shards; shard++) yield* inner.nodes(shard);
    },
    dispose: () => inner.dispose(),
  };
}

function buffer(api: Library, index: Index): Place {
  const name = `stress/buffer/${index}`;
  const inner = new api.PerCpuBuffer(name, { index, capacity: CAPACITY[index] });
  return {
    name,
    take: () => inner.pop() ?? 0,
    give: (node) => inner.push(node),
    *contents() {
      for (let shard = 0; shard < inner.shards; shard++) yield* inner.entries(shard);
    },
    dispose: () => inner.dispose(),
  };
}

/** Tries on the thread's shard, wherever that is, until it is done; false where there was NEITHER. */
export function tried(api: Library, perCpu: PerCpu, attempt: (shard: number, v: number) => number): boolean {
  const { ABORTED, COMPARE_FAILED, DONE } = api.ops;
  for (;;) {
    const shard = perCpu.start();
    const status = attempt(shard, perCpu.at(shard));
    if (status === DONE) return true;
    if (status === NEITHER) return false;
    if (status !== ABORTED && status !== COMPARE_FAILED) throw new Error(`an operation returned ${status}`);
  }
}

function rawList(api: Library, i32: Int32Array, index: Index): Place {
  const name = `stress/raw-list/${index}`;
  const perCpu = new api.PerCpu(name, { index, bytes: 4 });
  const { ops } = api;
  const given = [0];
  return {
    name,
    take() {
      const taken = tried(api, perCpu, (shard, v) => {
        const status = ops.load_cbeq_store_add_load_store(perCpu, v, 0, NODE.next, given, shard);
        return status === ops.COMPARE_FAILED ? NEITHER : status;
      });
      return taken ? given[0]! : 0;
    },
    give: (node) =>
      tried(api, perCpu, (shard, v) => {
        const first = Atomics.load(i32, v >>> 2);
        i32[(node + NODE.next) >>> 2] = first;
        return ops.load_cbne_store(perCpu, v, first, node, shard, 'release');
      }),
    *contents() {
      for (let shard = 0; shard < perCpu.shards; shard++) {
        let node = Atomics.load(i32, perCpu.at(shard) >>> 2);
        for (; node !== 0; node = Atomics.load(i32, (node + NODE.next) >>> 2)) yield node;
      }
    },
    dispose: () => perCpu.dispose(),
  };
}

/** A bounded buffer: how many entries are used, then the entries, of which the last one is taken. */
function bounded(
  name: string,
  api: Library,
  i32: Int32Array,
  perCpu: PerCpu,
  capacity: number,
  steps: {
    take(v: number, used: number, shard: number): number;
    taken(): number;
    give(v: number, used: number, shard: number, node: number): number;
    at(v: number, k: number): number;
  },
  dispose: () => void,
): Place {
  const usedAt = (v: number): number => {
    const used = Atomics.load(i32, v >>> 2);
    if (used < 0 || used > capacity) throw new Error(`${name} says that ${used} of ${capacity} entries are used`);
    return used;
  };
  return {
    name,
    take() {
      const took = tried(api, perCpu, (shard, v) => {
        const used = usedAt(v);
        return used === 0 ? NEITHER : steps.take(v, used, shard);
      });
      return took ? steps.taken() : 0;
    },
    give: (node) =>
      tried(api, perCpu, (shard, v) => {
        const used = usedAt(v);
        return used === capacity ? NEITHER : steps.give(v, used, shard, node);
      }),
    *contents() {
      for (let shard = 0; shard < perCpu.shards; shard++) {
        const v = perCpu.at(shard);
        for (let k = 0; k < usedAt(v); k++) yield Atomics.load(i32, steps.at(v, k) >>> 2);
      }
    },
    dispose,
  };
}

function rawBuffer(api: Library, i32: Int32Array, index: Index): Place {
  const name = `stress/raw-buffer/${index}`;
  const capacity = CAPACITY[index];
  const perCpu = new api.PerCpu(name, { index, bytes: ENTRY_BYTES * (1 + capacity) });
  const { ops } = api;
  const at = (v: number, k: number): number => v + ENTRY_BYTES * (1 + k);
  let entry = 0;
  const steps = {
    at,
    take(v: number, used: number, shard: number): number {
      const last = at(v, used - 1);
      entry = Atomics.load(i32, last >>> 2);
      return ops.load_cbne_load_cbne_store(perCpu, v, used, last, entry, used - 1, shard);
    },
    taken: () => entry,
    give: (v: number, used: number, shard: number, node: number): number =>
      ops.load_cbne_store_store(perCpu, v, used, at(v, used), node, used + 1, shard, 'release'),
  };
  return bounded(name, api, i32, perCpu, capacity, steps, () => perCpu.dispose());
}

function records(api: Library, i32: Int32Array, index: Index): Place {
  const name = `stress/records/${index}`;
  const capacity = CAPACITY[index];
  const perCpu = new api.PerCpu(name, { index, bytes: RECORDS_AT + capacity * RECORD_BYTES });
  // Records are copied from here and to here: in the thread's own block.
  const scratch = new api.PerCpu('stress/scratch', { index: 'slot', bytes: RECORD_BYTES });
  const { ops } = api;
  const at = (v: number, k: number): number => v + RECORDS_AT + k * RECORD_BYTES;
  const own = (): number => scratch.at(scratch.start());
  let turns = 0;
  const steps = {
    at,
    take: (v: number, used: number, shard: number): number =>
      ops.load_cbne_memcpy_store(perCpu, v, used, own(), at(v, used - 1), RECORD_BYTES, used - 1, shard),
    taken: (): number => wholeRecord(name, i32, own()),
    give(v: number, used: number, shard: number, node: number): number {
      writeRecord(i32, own(), node, ++turns);
      return ops.load_cbne_memcpy_store(perCpu, v, used, at(v, used), own(), RECORD_BYTES, used + 1, shard, 'release');
    },
  };
  return bounded(name, api, i32, perCpu, capacity, steps, () => {
    perCpu.dispose();
    scratch.dispose();
  });
}

/** The node, a number, and words made of both. */
function writeRecord(i32: Int32Array, at: number, node: number, turn: number): void {
  i32[at >>> 2] = node;
  i32[(at >>> 2) + 1] = turn;
  for (let k = 2; k < RECORD_WORDS; k++) i32[(at >>> 2) + k] = Math.imul(node ^ turn, k);
}

function wholeRecord(name: string, i32: Int32Array, at: number): number {
  const words = Array.from({ length: RECORD_WORDS }, (_, k) => i32[(at >>> 2) + k]!);
  const [node, turn] = words as [number, number];
  for (let k = 2; k < RECORD_WORDS; k++) {
    if (words[k] !== Math.imul(node ^ turn, k)) throw new Error(`${name}: torn record { ${words.join(', ')} }`);
  }
  return node;
}
