// A lock for each CPU, or slot (docs/ABI.md, clause 56): threads on different CPUs do not meet. It is the robust mutex of clause
// 45, so a lock whose owner dies is taken over; like any lock per CPU it excludes whoever locked the same shard, no one else.

import { STRUCTURES } from '../abi/percpu.js';
import { MUTEX_BYTES } from '../abi/sync.js';
import { dispose } from '../host/dispose.js';
import { Mutex, type MutexGuard } from '../sync/mutex.js';
import type { WaitOptions } from '../sync/wait.js';
import {
  checkShard,
  closeShards,
  contentOf,
  openShards,
  type ShardedOptions,
  type Shards,
  shardNow,
} from './shards.js';
import { requireLive } from './structures.js';

/** A held lock, and the shard it is of. */
export interface ShardGuard {
  readonly shard: number;
  readonly guard: MutexGuard;
}

/**
 * A lock for each CPU or slot. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerCpuLock {
  readonly name: string;
  readonly shards: number;
  readonly #shards: Shards;
  readonly #mutexes: Mutex[] = [];

  constructor(name: string, options: ShardedOptions = {}) {
    this.#shards = openShards(name, MUTEX_BYTES, STRUCTURES.lock, options);
    this.name = name;
    this.shards = this.#shards.count;
  }

  /**
   * Takes the lock of the shard that this thread is at, waiting for it; the thread may be on another CPU when it has it.
   * @throws COEXIST_EUNREGISTERED, and as `Mutex.lock()`
   */
  lock(options?: WaitOptions): ShardGuard {
    requireLive(this.#shards);
    const shard = shardNow(this.#shards);
    return { shard, guard: this.#mutex(shard).lock(options) };
  }

  /**
   * The mutex of a shard: to look at all of them, one after the other.
   * @throws COEXIST_EINVAL
   */
  of(shard: number): Mutex {
    checkShard(this.#shards, shard);
    return this.#mutex(shard);
  }

  /** Unregisters; what this thread holds stays held. Does nothing the second time. */
  dispose(): void {
    closeShards(this.#shards);
  }

  [dispose](): void {
    this.dispose();
  }

  #mutex(shard: number): Mutex {
    const { core } = this.#shards;
    const memory = core.views.memory ?? core.views.buffer;
    this.#mutexes[shard] ??= Mutex.at(memory, contentOf(this.#shards, shard));
    return this.#mutexes[shard];
  }
}
