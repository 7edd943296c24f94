// A bounded buffer of 32-bit entries for each CPU, or slot (docs/ABI.md, clause 56): last in, first out. What is put in is stored
// before the one commit that counts it, and what is taken out is compared once more in the step that takes it.

import { invalid, show } from '../abi/errors.js';
import { BUFFER, BUFFER_BYTES, OPERATIONS, STRUCTURES } from '../abi/percpu.js';
import { dispose } from '../host/dispose.js';
import { ABORTED, COMPARE_FAILED, DONE, type Status, section } from './operations.js';
import {
  checkShard,
  closeShards,
  contentOf,
  openShards,
  type ShardedOptions,
  type Shards,
  settleWord,
} from './shards.js';
import { onShard } from './structures.js';

const ENTRY_BYTES = 4;
const MOST_ENTRIES = 1 << 20;

export interface PerCpuBufferOptions extends ShardedOptions {
  /** Entries that each shard has room for. */
  readonly capacity: number;
}

/**
 * A bounded buffer for each CPU or slot. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerCpuBuffer {
  readonly name: string;
  readonly shards: number;
  readonly capacity: number;
  readonly #shards: Shards;

  constructor(name: string, options: PerCpuBufferOptions) {
    const { capacity } = options;
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MOST_ENTRIES) {
      throw invalid('capacity', capacity, `an integer from 1 to ${MOST_ENTRIES}`);
    }
    this.#shards = openShards(name, BUFFER_BYTES + capacity * ENTRY_BYTES, STRUCTURES.buffer, options);
    try {
      this.#settle(capacity);
    } catch (error) {
      closeShards(this.#shards);
      throw error;
    }
    this.name = name;
    this.shards = this.#shards.count;
    this.capacity = capacity;
  }

  /**
   * Puts an entry into the shard of this thread; false where that is full.
   * @throws COEXIST_EUNREGISTERED, COEXIST_ETIMEDOUT (a thread keeps the CPU's word), COEXIST_EINVAL; nothing changed
   */
  push(entry: number): boolean {
    if ((entry | 0) !== entry && entry >>> 0 !== entry) throw invalid('entry', entry, 'a 32-bit integer');
    const shards = this.#shards;
    return this.#changes((shard, v, used) => {
      if (used >= this.capacity) return COMPARE_FAILED;
      const op = OPERATIONS.load_cbne_store_store;
      return again(section(shards, op, shard, 'release', v, used, used + 1, entryAt(v, used), entry));
    });
  }

  /**
   * Takes the entry that was put in last out of the shard of this thread, as an unsigned integer; undefined where it is empty.
   * @throws COEXIST_EUNREGISTERED, COEXIST_ETIMEDOUT (a thread keeps the CPU's word); nothing changed
   */
  pop(): number | undefined {
    const shards = this.#shards;
    const { u32 } = shards.core.views;
    let entry = 0;
    const popped = this.#changes((shard, v, used) => {
      if (used === 0) return COMPARE_FAILED;
      const last = entryAt(v, used - 1);
      entry = Atomics.load(u32, last >>> 2);
      return again(
        section(shards, OPERATIONS.load_cbne_load_cbne_store, shard, 'relaxed', v, used, used - 1, last, entry),
      );
    });
    return popped ? entry : undefined;
  }

  /**
   * The entries of a shard, the first one first. Exact only while no thread changes that shard.
   * @throws COEXIST_EINVAL
   */
  entries(shard: number): number[] {
    checkShard(this.#shards, shard);
    const { u32 } = this.#shards.core.views;
    const v = contentOf(this.#shards, shard);
    return Array.from({ length: usedAt(u32, v) }, (_, k) => Atomics.load(u32, entryAt(v, k) >>> 2));
  }

  /** Unregisters; entries stay where they are. Does nothing the second time. */
  dispose(): void {
    closeShards(this.#shards);
  }

  [dispose](): void {
    this.dispose();
  }

  // Shards by CPU of several capacities have one size. By slot, the size is the capacity's, and only the own block is this thread's.
  #settle(capacity: number): void {
    const shards = this.#shards;
    const [from, to] = shards.byCpu ? [0, shards.count] : [shards.slot, shards.slot + 1];
    for (let shard = from; shard < to; shard++) {
      const at = contentOf(shards, shard) + BUFFER.capacity.offset;
      settleWord(shards.core, at, capacity, `${show(shards.name)} has capacity`);
    }
  }

  #changes(change: (shard: number, v: number, used: number) => Status): boolean {
    const { u32 } = this.#shards.core.views;
    const status = onShard(this.#shards, (shard) => {
      const v = contentOf(this.#shards, shard);
      return change(shard, v, usedAt(u32, v));
    });
    return status === DONE;
  }
}

const usedAt = (u32: Uint32Array, v: number): number => Atomics.load(u32, (v + BUFFER.used.offset) >>> 2);
const entryAt = (v: number, k: number): number => v + BUFFER_BYTES + k * ENTRY_BYTES;
/** Another value than was just read: another thread has been there. */
const again = (status: Status): Status => (status === COMPARE_FAILED ? ABORTED : status);
