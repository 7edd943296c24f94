// The library and the implementation written from the contract page, behind one way to use per-CPU data, for threads that use either. Runs in
// a worker too, so that it imports neither.

/** Per-CPU objects of one area as this party has them. `urls`: of a copy of the library, and of per-cpu.js and pool.js. */
export async function partyOf(party, { urls, memory, index, capacity = 8, items = 6 }) {
  if (party === 'library') {
    const lib = await import(urls.library);
    const area = lib.openArea(memory);
    const words = new lib.PerCpu('words', { bytes: 64, index, area });
    const list = new lib.PerCpuList('a list', { next: 4, index, area });
    const buffer = new lib.PerCpuBuffer('a buffer', { capacity, index, area });
    const pool = new lib.Pool('a pool', { item: 12, items, robust: true, index, area });
    return {
      ops: bound(lib.ops, words),
      words,
      list,
      buffer,
      pool,
      fence: (options) => lib.fence({ area, ...options }),
    };
  }
  const theirs = await import(urls.perCpu);
  const { pool: poolOf } = await import(urls.pool);
  const options = { index, area: memory };
  const words = theirs.perCpu('words', { bytes: 64, ...options });
  return {
    ops: words.ops,
    words,
    list: theirs.list('a list', { next: 4, ...options }),
    buffer: theirs.buffer('a buffer', { capacity, ...options }),
    pool: poolOf('a pool', { item: 12, items, poison: 0xdd5d5d5d, ...options }),
    fence: (limits) => theirs.fence(memory, limits),
  };
}

const bound = (ops, words) =>
  Object.fromEntries(Object.entries(ops).map(([name, op]) => [name, (...args) => op(words, ...args)]));

/** Until the operation is done: one that was aborted, or found what another has changed, is tried again. */
function insist(words, operate) {
  for (let tries = 0; tries < 1_000_000; tries++) if (operate(words.start()) === 0) return;
  throw new Error('never done');
}

/**
 * What each thread does so many times on the words of its shard: [0] added to, [1] and [2] counted together (5 and 7), [3] counted
 * where [1] is what it was (6), [5] added to through pointers (4); and one node, one entry and one item taken and given back.
 */
export function useAll({ ops, words, list, buffer, pool }, buffers, times) {
  const u32 = new Uint32Array(buffers);
  const load = (at) => Atomics.load(u32, at / 4);
  const seen = { nodes: 0, entries: 0, items: 0 };
  for (let n = 0; n < times; n++) {
    const at = (k) => words.at(words.start()) + 4 * k;
    insist(words, (shard) => ops.load_add_store(at(0), 3, shard));
    insist(words, (shard) => {
      const old = load(at(1));
      return ops.load_cbne_store_store(at(1), old, at(2), old + 1, old + 1, shard);
    });
    insist(words, (shard) => {
      const [old, other] = [load(at(3)), load(at(4))];
      return ops.load_cbne_load_cbne_store(at(3), old, at(4), other, old + 2, shard);
    });
    insist(words, (shard) => ops.load_add_load_load_add_store(at(6), 4, 5, shard));
    insist(words, (shard) => {
      const old = load(at(9));
      return ops.load_cbne_memcpy_store(at(9), old, at(10), at(2), 4, old + 1, shard);
    });
    insist(words, (shard) => ops.load_cbne_store(at(12), load(at(12)), load(at(12)), shard));
    const node = list.pop();
    if (node !== 0) {
      seen.nodes++;
      list.push(node);
    }
    const entry = buffer.pop();
    if (entry !== undefined) {
      seen.entries++;
      if (!buffer.push(entry)) throw new Error('no room for what was taken');
    }
    const item = pool.alloc();
    for (let k = 0; k < 3; k++) if (load(item + 4 * k) !== 0) throw new Error(`item ${item} does not come clean`);
    u32[item / 4] = n + 1;
    seen.items++;
    pool.free(item);
  }
  return seen;
}
