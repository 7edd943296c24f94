// A 64-bit counter with one cell for each CPU (docs/ABI.md, clause 56), for counts that are made by many threads and kept in few
// cells. Counter has a cell for each slot: adding is cheaper there, and summing dearer.

import { invalid } from '../abi/errors.js';
import { STRUCTURES } from '../abi/percpu.js';
import { dispose } from '../host/dispose.js';
import { closeShards, contentOf, openShards, type ShardedOptions, type Shards, shardNow } from './shards.js';
import { requireLive } from './structures.js';

const CELL_BYTES = 8;

/**
 * A counter with a cell for each CPU. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerCpuCounter {
  readonly name: string;
  readonly #shards: Shards;

  constructor(name: string, options: Omit<ShardedOptions, 'index'> = {}) {
    this.#shards = openShards(name, CELL_BYTES, STRUCTURES.counter, { ...options, index: 'cpu' });
    this.name = name;
  }

  /**
   * Adds a safe integer to the cell of the CPU this thread runs on; cells are 64-bit integers and wrap.
   * @throws COEXIST_EUNREGISTERED after disposal, COEXIST_EINVAL; nothing was added
   */
  add(n = 1): void {
    const shards = this.#shards;
    // hot: one wasm call
    if ((n | 0) === n && shards.live) shards.steps.add64(contentOf(shards, shardNow(shards)), n);
    else this.#add(n);
  }

  /** The exact sum of what was added by now, by threads that live and threads that died. */
  sum(): bigint {
    const { core, count } = this.#shards;
    let sum = 0n;
    for (let shard = 0; shard < count; shard++)
      sum += Atomics.load(core.views.i64, contentOf(this.#shards, shard) >>> 3);
    return BigInt.asIntN(64, sum);
  }

  /** Unregisters; `sum()` goes on to work. Does nothing the second time. */
  dispose(): void {
    closeShards(this.#shards);
  }

  [dispose](): void {
    this.dispose();
  }

  #add(n: number): void {
    const shards = this.#shards;
    requireLive(shards);
    if (!Number.isSafeInteger(n)) {
      throw invalid('n', n, 'a safe integer', 'Count in a smaller unit, or add in several steps.');
    }
    Atomics.add(shards.core.views.i64, contentOf(shards, shardNow(shards)) >>> 3, BigInt(n));
  }
}
