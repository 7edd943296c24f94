// An intrusive list for each CPU, or slot (docs/ABI.md, clause 56): last in, first out. A node is any memory of the area that its
// users have, with the pointer to the next node at a fixed offset in it. Taking a node off holds the CPU's word, so a node that
// comes back meanwhile cannot be taken for what it was.

import { invalid } from '../abi/errors.js';
import { OPERATIONS, STRUCTURES } from '../abi/percpu.js';
import { dispose } from '../host/dispose.js';
import { checkRange, compareAndStore, DONE, section } from './operations.js';
import { checkShard, closeShards, contentOf, openShards, type ShardedOptions, type Shards } from './shards.js';
import { onShard } from './structures.js';

const HEAD_BYTES = 4;

export interface PerCpuListOptions extends ShardedOptions {
  /** Where in a node the pointer to the next one lies, a multiple of 4. Default 0. */
  readonly next?: number | undefined;
}

/**
 * A list of nodes for each CPU or slot. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerCpuList {
  readonly name: string;
  readonly shards: number;
  readonly #shards: Shards;
  readonly #next: number;
  readonly #popped = [0];

  constructor(name: string, options: PerCpuListOptions = {}) {
    const { next = 0 } = options;
    if (!Number.isInteger(next) || next < 0 || next > 0xffff || next % 4 !== 0) {
      throw invalid('next', next, 'a multiple of 4 from 0 to 65532');
    }
    this.#shards = openShards(name, HEAD_BYTES, STRUCTURES.list, options);
    this.#next = next;
    this.name = name;
    this.shards = this.#shards.count;
  }

  /**
   * Puts a node, by its byte offset in the area, on the list of this thread's shard.
   * @throws COEXIST_EUNREGISTERED, COEXIST_ETIMEDOUT, COEXIST_EINVAL; nothing changed
   */
  push(node: number): void {
    const shards = this.#shards;
    const { i32 } = shards.core.views;
    const next = node + this.#next;
    checkRange(shards, 'node', node, this.#next + 4);
    onShard(shards, (shard) => {
      const head = contentOf(shards, shard);
      for (;;) {
        const first = Atomics.load(i32, head >>> 2);
        // Nobody else sees the node before the commit.
        i32[next >>> 2] = first;
        const status = compareAndStore(shards, head, first, node, shard, 'release');
        if (status <= DONE) return status;
      }
    });
  }

  /**
   * Takes the node that was put there last off the list of this thread's shard; 0 where it is empty.
   * @throws COEXIST_EUNREGISTERED, COEXIST_ETIMEDOUT (a thread keeps the CPU's word); nothing changed
   */
  pop(): number {
    const shards = this.#shards;
    const status = onShard(shards, (shard) =>
      section(
        shards,
        OPERATIONS.load_cbeq_store_add_load_store,
        shard,
        'relaxed',
        contentOf(shards, shard),
        0,
        this.#next,
        0,
        0,
        0,
        this.#popped,
      ),
    );
    return status === DONE ? (this.#popped[0] as number) : 0;
  }

  /**
   * The nodes of a shard, the last one first. Exact only while no thread changes that list.
   * @throws COEXIST_EINVAL
   */
  *nodes(shard: number): Generator<number> {
    checkShard(this.#shards, shard);
    const { u32 } = this.#shards.core.views;
    let at = contentOf(this.#shards, shard);
    for (let node = Atomics.load(u32, at >>> 2); node !== 0; node = Atomics.load(u32, at >>> 2)) {
      yield node;
      at = node + this.#next;
    }
  }

  /** Unregisters; nodes stay where they are. Does nothing the second time. */
  dispose(): void {
    closeShards(this.#shards);
  }

  [dispose](): void {
    this.dispose();
  }
}
