// Nodes of the list test and of the buffer test. Two words of a node, its value and the pointer to the next one, are those of the
// kernel's test; the third says which thread has it, so that a node in two hands is seen at once.

import { type Ground, PER_SHARD } from './selftest-ground.js';
import { type Turn, Violation } from './selftest-turn.js';

const NODE_BYTES = 16;
/** Where in a node the pointer lies. */
export const NEXT = 4;
const HOLDER = 8;

export const nodes = {
  bytes: (filled: number): number => filled * PER_SHARD * NODE_BYTES,

  /** Node k of a shard, with its value. */
  make({ beside, i32 }: Ground, shard: number, k: number): number {
    const node = beside + (shard * PER_SHARD + k) * NODE_BYTES;
    Atomics.store(i32, node >>> 2, k + 1);
    return node;
  },

  /** @throws Violation where this is none, or another thread has it */
  take({ ground, thread }: Turn, node: number): void {
    check(ground, node);
    const holder = Atomics.compareExchange(ground.i32, (node + HOLDER) >>> 2, 0, thread + 1);
    if (holder !== 0) throw new Violation(`took the node at byte ${node}, which thread ${holder - 1} has`);
  },

  put({ ground, thread }: Turn, node: number): void {
    check(ground, node);
    const holder = Atomics.exchange(ground.i32, (node + HOLDER) >>> 2, 0);
    // 0 where this is not the first attempt.
    if (holder !== thread + 1 && holder !== 0)
      throw new Violation(`the node at byte ${node} went to thread ${holder - 1}`);
  },

  value: ({ i32 }: Ground, node: number): number => Atomics.load(i32, node >>> 2),

  /** Takes nodes one by one, and says what is wrong with them. */
  tally(ground: Ground): { add(node: number, shard: number): boolean; sum: number; wrong: string[] } {
    const seen = new Set<number>();
    const wrong: string[] = [];
    const counts = {
      sum: 0,
      wrong,
      add(node: number, shard: number): boolean {
        if (!isNode(ground, node)) wrong.push(`shard ${shard} holds ${node}, which is no node`);
        else if (seen.has(node))
          wrong.push(`the node at byte ${node} is there twice, the second time in shard ${shard}`);
        else {
          seen.add(node);
          counts.sum += nodes.value(ground, node);
          const holder = Atomics.load(ground.i32, (node + HOLDER) >>> 2);
          if (holder !== 0)
            wrong.push(`the node at byte ${node} is in shard ${shard}, and thread ${holder - 1} has it`);
          return true;
        }
        return false;
      },
    };
    return counts;
  },
};

function isNode({ beside, filled }: Ground, node: number): boolean {
  return node >= beside && node < beside + nodes.bytes(filled) && (node - beside) % NODE_BYTES === 0;
}

function check(ground: Ground, node: number): void {
  if (!isNode(ground, node)) throw new Violation(`${node} is no node`);
}
