// A 64-bit counter with one cell for each CPU (docs/ABI.md, clause 56), for counts that are made by many threads and kept in few
// cells. Counter has a cell for each slot: adding is cheaper there, and summing dearer.

import { invalid } from '../abi/errors.js';
import { STRUCTURES } from '../abi/percpu.js';
import { SLOT } from '../abi/slot.js';
import { dispose } from '../host/dispose.js';
import { liveCpu } from '../thread/cpu.js';
import type { PercpuSteps } from '../wasm/percpu.js';
import { closeShards, contentOf, openShards, type ShardedOptions, type Shards, shardNow } from './shards.js';
import { requireLive } from './structures.js';

const CELL_BYTES = 8;
/** No index of any array. */
const NOWHERE = -1;

/**
 * A counter with a cell for each CPU. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerCpuCounter {
  readonly name: string;
  readonly #shards: Shards;
  // Copies of what the fast path needs: each property of a property costs a load.
  readonly #steps: PercpuSteps;
  readonly #i32: Int32Array;
  readonly #first: number = 0;
  readonly #stride: number = 0;
  readonly #count: number = 0;
  /** Index of the published CPU number: one test says that it is right, and that the counter lives. */
  #published: number = NOWHERE;

  constructor(name: string, options: Omit<ShardedOptions, 'index'> = {}) {
    this.#shards = openShards(name, CELL_BYTES, STRUCTURES.counter, { ...options, index: 'cpu' });
    const { core, steps, first, stride, count, slotAt } = this.#shards;
    this.name = name;
    this.#steps = steps;
    this.#i32 = core.views.i32;
    this.#first = first;
    this.#stride = stride;
    this.#count = count;
    this.#published = (slotAt + SLOT.cpu_id.offset) >>> 2;
  }

  /**
   * Adds a safe integer to the cell of the CPU this thread runs on; cells are 64-bit integers and wrap.
   * @throws COEXIST_EUNREGISTERED after disposal, COEXIST_EINVAL; nothing was added
   */
  add(n = 1): void {
    const cpu = liveCpu();
    // hot: two plain loads and one wasm call
    if (cpu === this.#i32[this.#published] && cpu >>> 0 < this.#count && (n | 0) === n) {
      this.#steps.add64(this.#first + cpu * this.#stride, n);
    } else this.#add(n);
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
    this.#published = NOWHERE;
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
    const at = contentOf(shards, shardNow(shards));
    if ((n | 0) === n) this.#steps.add64(at, n);
    else Atomics.add(shards.core.views.i64, at >>> 3, BigInt(n));
  }
}
