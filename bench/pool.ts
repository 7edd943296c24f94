// Taking an item of 1 KiB out of a pool and giving it back, zeroed on every CPU, against an ArrayBuffer of 1 KiB.

import { Pool } from 'coexist/percpu';
import { interleave, row, type Topic } from './kit.js';

const PAIRS = 200_000;
const BUFFERS = 50_000;
const ITEM_BYTES = 1024;

const pairs = (pool: Pool) => (times: number) => {
  let item = 0;
  for (let k = 0; k < times; k++) {
    item = pool.alloc();
    pool.free(item);
  }
  return item;
};

async function pairsOf() {
  const plain = new Pool('bench/pool', { item: ITEM_BYTES, items: 64 });
  const robust = new Pool('bench/robust-pool', { item: ITEM_BYTES, items: 64, robust: true });
  const times = await interleave({
    pool: { ops: PAIRS, loop: pairs(plain) },
    robust: { ops: BUFFERS, loop: pairs(robust) },
    buffer: {
      ops: BUFFERS,
      loop: (times) => {
        let buffer: ArrayBuffer | undefined;
        for (let k = 0; k < times; k++) buffer = new ArrayBuffer(ITEM_BYTES);
        return buffer;
      },
    },
  });
  const zeroed = `zeroed on ${plain.shards} CPUs`;
  return [
    row(`new ArrayBuffer of 1 KiB against alloc and free of 1 KiB ${zeroed}`, times.buffer, times.pool, { atLeast: 5 }),
    row('the same, robust: poisoned and checked', times.buffer, times.robust),
  ];
}

export const pool: Topic = { pairs: pairsOf };
