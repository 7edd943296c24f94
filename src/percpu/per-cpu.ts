// Shared words with a shard for each CPU or slot, for the operations of ops.ts and for structures of one's own.

import { invalid } from '../abi/errors.js';
import { dispose } from '../host/dispose.js';
import {
  checkShard,
  closeShards,
  contentOf,
  openShards,
  type ShardedOptions,
  type ShardIndex,
  type Shards,
  shardNow,
} from './shards.js';

export interface PerCpuOptions extends ShardedOptions {
  /** Bytes of content in each shard, a multiple of 4. */
  readonly bytes: number;
  /** Version of the content's layout, 0 to 65535; another one under the same name is COEXIST_EKIND. Default 1. */
  readonly version?: number | undefined;
}

const MOST_VERSION = 0xffff;

let shardsOf: (perCpu: PerCpu) => Shards;

/** @internal For the operations. */
export const shardsBehind = (perCpu: PerCpu): Shards => shardsOf(perCpu);

/**
 * Shared 32-bit words with a shard for each CPU or slot. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class PerCpu {
  readonly name: string;
  readonly index: ShardIndex;
  /** How many there are: CPUs that the machine may ever have, or slots. */
  readonly shards: number;
  /** Bytes of content in each. */
  readonly bytes: number;
  readonly #shards: Shards;

  constructor(name: string, options: PerCpuOptions) {
    const { bytes, version = 1 } = options;
    if (!Number.isInteger(version) || version < 0 || version > MOST_VERSION) {
      throw invalid('version', version, `an integer from 0 to ${MOST_VERSION}`);
    }
    this.#shards = openShards(name, bytes, version, options);
    this.name = name;
    this.index = options.index ?? 'cpu';
    this.shards = this.#shards.count;
    this.bytes = bytes;
  }

  /** The shard of this thread now: that of the CPU it runs on, or of its slot. Publishes a new CPU number. -1 after disposal. */
  start(): number {
    return this.#shards.live ? shardNow(this.#shards) : -1;
  }

  /**
   * Byte offset in the area of a shard's content: what operations take, and what pointers hold.
   * @throws COEXIST_EINVAL
   */
  at(shard: number): number {
    checkShard(this.#shards, shard);
    return contentOf(this.#shards, shard);
  }

  /** Unregisters; operations say UNREGISTERED from then on. Does nothing the second time. */
  dispose(): void {
    closeShards(this.#shards);
  }

  [dispose](): void {
    this.dispose();
  }

  static {
    shardsOf = (perCpu) => perCpu.#shards;
  }
}
