// Singletons whose instance is bytes of the area: every thread has a view of them, and they outlive their creator (docs/ABI.md,
// clauses 67 to 69).

import { invalid } from '../abi/errors.js';
import { INSTANCE_MEMORY, INSTANCE_MEMORY_OF_CREATOR } from '../abi/singleton.js';
import { dispose } from '../host/dispose.js';
import { block, Limits, suspend } from '../sync/wait.js';
import {
  type AcquireInstanceOptions,
  type Declaration,
  declare,
  requireFinalized,
  requireFunctions,
  requirePlain,
  wantedOf,
} from './declaration.js';
import { gone, released } from './errors.js';
import { adopt, type Loan, lend, revoke } from './loans.js';
import { Machine } from './machine.js';
import { generationOf, type Record } from './record.js';
import { type Allowed, allowedFor, type SingletonStatus, statusOf } from './status.js';
import type { Claimed } from './transitions.js';
import type { InstanceType } from './types.js';

/** Bytes of an instance, shared by all threads. The arrays lie over exactly these; each is as long as fits. */
export interface InstanceMemory {
  readonly buffer: SharedArrayBuffer;
  /** Byte offset in `buffer`, a multiple of 64. */
  readonly offset: number;
  readonly length: number;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
}

export interface MemoryDeclaration extends Declaration {
  /** Bytes of the instance. */
  readonly bytes: number;
  /** Makes the instance of zeroed memory. Without it the declaration is abstract: everything works but creating. */
  readonly create?: ((memory: InstanceMemory) => void | Promise<void>) | undefined;
  /** Runs once behind the last reference, in the thread that released it. */
  readonly finalize?: ((memory: InstanceMemory) => void) | undefined;
  /** Whether the instance outlives the thread that made it. Default 'keep'. */
  readonly onOwnerDeath?: 'keep' | 'discard' | undefined;
}

/**
 * A singleton whose instance is memory. Use `singleton()`.
 * @since 0.1.0
 */
export class MemorySingleton {
  readonly key: string;
  readonly type: string;
  readonly version: number;
  readonly #machine: Machine;
  readonly #memory: InstanceMemory;
  readonly #declared: InstanceType;
  readonly #create: (memory: InstanceMemory) => unknown;

  /** @internal */
  constructor(key: string, declaration: MemoryDeclaration) {
    const { bytes, create, finalize, onOwnerDeath = 'keep' } = declaration;
    requireFunctions(declaration, ['create', 'finalize']);
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > 0x7fffffff) {
      throw invalid('bytes', bytes, 'an integer from 1 to 2147483647');
    }
    if (onOwnerDeath !== 'keep' && onOwnerDeath !== 'discard') {
      throw invalid('onOwnerDeath', onOwnerDeath, "'keep' or 'discard'");
    }
    const { record, type, refusal } = declare(key, declaration, bytes, create === undefined);
    const memory = memoryOf(record, type);
    this.key = key;
    this.type = type.name;
    this.version = type.version;
    this.#declared = type;
    this.#memory = memory;
    this.#create = (given) => create?.(given);
    this.#machine = new Machine(record, {
      type,
      kind: onOwnerDeath === 'keep' ? INSTANCE_MEMORY : INSTANCE_MEMORY_OF_CREATOR,
      refusal,
      finalize: () => requireFinalized(finalize?.(memory), key),
      ring() {},
    });
  }

  /**
   * Joins the instance, or constructs it; `created` says which. While another thread constructs or finalizes, waits, blocking.
   * @throws COEXIST_EEXIST (another type lives under the key), COEXIST_EFAILED, COEXIST_EREFUSED, COEXIST_EDEADLK (from inside
   * the constructor), COEXIST_EFULL, COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED, COEXIST_EINVAL, and what the
   * constructor throws; nothing is held then
   */
  acquire(options?: AcquireInstanceOptions): MemoryReference {
    return this.#acquire(options, false);
  }

  /** As `acquire()`, without blocking; the constructor may be asynchronous. */
  acquireAsync(options?: AcquireInstanceOptions): Promise<MemoryReference> {
    return this.#acquireAsync(options, false);
  }

  /** Constructs an instance; COEXIST_EEXIST where one lives or is being made. @throws as `acquire()` */
  createNew(options?: AcquireInstanceOptions): MemoryReference {
    return this.#acquire(options, true);
  }

  /** As `createNew()`, without blocking; the constructor may be asynchronous. */
  createNewAsync(options?: AcquireInstanceOptions): Promise<MemoryReference> {
    return this.#acquireAsync(options, true);
  }

  /**
   * A reference to the instance if one lives; never constructs, and never waits.
   * @throws COEXIST_EFULL, COEXIST_EOVERFLOW
   */
  get(): MemoryReference | undefined {
    // hot: one wasm call and a small object
    const word = this.#machine.get();
    return word === 0 ? undefined : new MemoryReference(this.#machine, this.#memory, word, false);
  }

  /** What there is, as plain data: takes no reference and changes nothing, in every phase. */
  peek(): SingletonStatus {
    return statusOf(this.#machine.record, this.#declared);
  }

  /** Whether `createNew()` would be accepted here and now, and why not. Changes nothing. */
  allowed(): Allowed {
    return allowedFor(this.#machine.record, this.#machine.plan);
  }

  /**
   * A reference that was taken for this thread, with `lend()`, before it ran.
   * @throws COEXIST_EGONE, COEXIST_EFULL, COEXIST_EINVAL
   */
  adopt(loan: Loan): MemoryReference {
    return new MemoryReference(this.#machine, this.#memory, adopt(this.#machine, loan), false);
  }

  /** Subtracts the references of threads that are proven dead, and finalizes what nobody holds any more; how many those were. */
  reclaim(): number {
    return this.#machine.reclaim();
  }

  #acquire(options: AcquireInstanceOptions | undefined, fresh: boolean): MemoryReference {
    const limits = new Limits(options, false);
    const { i32 } = this.#machine.record.place.ground.views;
    const claimed = block(this.#machine.claim(limits, wantedOf(options, fresh)), i32);
    if (claimed.constructing) {
      this.#construct(claimed, () => {
        this.#memory.u8.fill(0);
        requirePlain(this.#create(this.#memory), this.key);
      });
    }
    return this.#reference(claimed);
  }

  async #acquireAsync(options: AcquireInstanceOptions | undefined, fresh: boolean): Promise<MemoryReference> {
    const limits = new Limits(options, true);
    const { i32 } = this.#machine.record.place.ground.views;
    const claimed = await suspend(this.#machine.claim(limits, wantedOf(options, fresh)), i32, limits.signal);
    if (claimed.constructing) {
      this.#memory.u8.fill(0);
      try {
        await this.#create(this.#memory);
      } catch (error) {
        this.#machine.threw(claimed.word, error);
        throw error;
      }
      this.#machine.constructed(claimed.word, 0);
    }
    return this.#reference(claimed);
  }

  #construct({ word }: Claimed, make: () => void): void {
    try {
      make();
    } catch (error) {
      this.#machine.threw(word, error);
      throw error;
    }
    this.#machine.constructed(word, 0);
  }

  #reference({ word, constructing }: Claimed): MemoryReference {
    return new MemoryReference(this.#machine, this.#memory, word, constructing);
  }
}

/** One reference of this thread to an instance, which lives at least as long. */
export class MemoryReference {
  /** Whether the call that gave it constructed the instance. */
  readonly created: boolean;
  readonly #machine: Machine;
  readonly #memory: InstanceMemory;
  readonly #word: number;
  #held = true;

  /** @internal */
  constructor(machine: Machine, memory: InstanceMemory, word: number, created: boolean) {
    this.created = created;
    this.#machine = machine;
    this.#memory = memory;
    this.#word = word;
  }

  /** Counts the instances of the key: another one is another generation. */
  get generation(): number {
    return generationOf(this.#word);
  }

  get released(): boolean {
    return !this.#held;
  }

  /**
   * The instance.
   * @throws COEXIST_ENOTOWNER (released), COEXIST_EGONE (it went with its creator)
   */
  get memory(): InstanceMemory {
    this.#require();
    return this.#memory;
  }

  /**
   * Takes one more reference for a thread that does not run yet; give the loan to its `workerData` and call `adopt()` there.
   * @throws COEXIST_EFULL, COEXIST_ENOTOWNER, COEXIST_EGONE
   */
  lend(): Loan {
    this.#require();
    return lend(this.#machine, this.#word);
  }

  /** Takes back what this thread has lent; false where it was adopted, or revoked, before. */
  revoke(loan: Loan): boolean {
    return revoke(this.#machine, loan);
  }

  /**
   * Gives the reference back; the last one finalizes the instance. Throws what the finalizer throws; released it is all the same.
   * @throws COEXIST_ENOTOWNER where it was released already; nothing changed
   */
  release(): void {
    if (!this.#held) throw released(this.#machine.record, this.generation);
    this.#held = false;
    this.#machine.release(this.#word);
  }

  /** As `release()`, but does nothing the second time. */
  [dispose](): void {
    if (this.#held) this.release();
  }

  #require(): void {
    if (!this.#held) throw released(this.#machine.record, this.generation);
    if (this.#machine.isGone(this.#word)) throw gone(this.#machine.record, this.generation);
  }
}

function memoryOf({ core }: Record, { at, bytes }: InstanceType): InstanceMemory {
  const { buffer } = core.views;
  return Object.freeze({
    buffer,
    offset: at,
    length: bytes,
    u8: new Uint8Array(buffer, at, bytes),
    i32: new Int32Array(buffer, at, bytes >>> 2),
    u32: new Uint32Array(buffer, at, bytes >>> 2),
    f64: new Float64Array(buffer, at, bytes >>> 3),
    i64: new BigInt64Array(buffer, at, bytes >>> 3),
  });
}
