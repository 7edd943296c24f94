// Singletons whose instance is an object of the thread that made it, reached by calls (docs/ABI.md, clause 69). The creator serves the
// channel of the key from before the instance lives; whoever lets go last rings it, and it closes the channel and finalizes.

import { invalid } from '../abi/errors.js';
import { HOSTED_PREFIX, INSTANCE_HOSTED } from '../abi/singleton.js';
import { bellsOf } from '../call/bell.js';
import { requireShape } from '../call/channel.js';
import { type Client, connectTo } from '../call/client.js';
import { block, Limits, suspend } from '../sync/wait.js';
import type { Area } from '../thread/area.js';
import {
  type AcquireInstanceOptions,
  type Declaration,
  declare,
  requireFunctions,
  requirePlain,
  wantedOf,
} from './declaration.js';
import { gone, threadName } from './errors.js';
import { type HostedMethods, HostedReference, type Remote } from './hosted-reference.js';
import { beginHosting, hostingOf, warnOfFinalizer } from './hosting.js';
import { adopt, type Loan } from './loans.js';
import { Machine } from './machine.js';
import { generationOf, wordOf } from './record.js';
import { type Allowed, allowedFor, type SingletonStatus, statusOf } from './status.js';
import type { Claimed } from './transitions.js';
import type { InstanceType } from './types.js';

export interface HostedDeclaration<T, M extends HostedMethods<T>> extends Declaration {
  readonly bytes?: undefined;
  /** Makes the instance, in the thread that acquires it first. Without it the declaration is abstract: everything works but creating. */
  readonly create?: (() => T | Promise<T>) | undefined;
  /** Runs once behind the last reference, in the thread that made the instance. */
  readonly finalize?: ((instance: T) => void | Promise<void>) | undefined;
  /** What others can ask of the instance, which each gets as its first argument; `this` says who calls. */
  readonly methods?: M | undefined;
  /** It goes with the thread that made it. */
  readonly onOwnerDeath?: 'discard' | undefined;
  /** Of its channel, as in `serve()`. */
  readonly cells?: number | undefined;
  readonly cellBytes?: number | undefined;
}

/**
 * A singleton whose instance is an object in one thread. Use `singleton()`.
 * @since 0.1.0
 */
export class HostedSingleton<T, M extends HostedMethods<T>> {
  readonly key: string;
  readonly type: string;
  readonly version: number;
  readonly #machine: Machine;
  readonly #declared: InstanceType;
  readonly #declaration: HostedDeclaration<T, M>;
  readonly #area: Area | undefined;
  #client: { readonly word: number; readonly client: Client<Remote<M>> } | undefined;
  /** References of this copy. */
  #held = 0;

  /** @internal */
  constructor(key: string, declaration: HostedDeclaration<T, M>) {
    const { create, methods, onOwnerDeath, area } = declaration;
    requireFunctions(declaration, ['create', 'finalize']);
    if (methods !== undefined) requireMethods(methods);
    else if (create !== undefined) throw invalid('methods', methods, 'an object of functions');
    if (onOwnerDeath !== undefined && onOwnerDeath !== 'discard') {
      throw invalid('onOwnerDeath', onOwnerDeath, "'discard', since a hosted instance goes with its thread");
    }
    requireShape(declaration);
    const { record, type, refusal } = declare(key, declaration, 0, create === undefined);
    this.key = key;
    this.type = type.name;
    this.version = type.version;
    this.#declared = type;
    this.#declaration = declaration;
    this.#area = area;
    this.#machine = new Machine(record, {
      type,
      kind: INSTANCE_HOSTED,
      refusal,
      finalize() {},
      ring: (creator, again) => this.#ring(creator, again),
    });
  }

  /**
   * Joins the instance, or constructs it in this thread; `created` says which. While another thread constructs or finalizes, waits,
   * blocking.
   * @throws COEXIST_EEXIST (another type lives under the key), COEXIST_EFAILED, COEXIST_EREFUSED, COEXIST_EDEADLK (from inside
   * the constructor), COEXIST_EFULL, COEXIST_ENOSPC, COEXIST_ETIMEDOUT, COEXIST_EABORTED, COEXIST_EUNSUPPORTED, COEXIST_EINVAL, and
   * what the constructor throws; nothing is held then
   */
  acquire(options?: AcquireInstanceOptions): HostedReference<T, M> {
    return this.#acquire(options, false);
  }

  /** As `acquire()`, without blocking; the constructor may be asynchronous. */
  acquireAsync(options?: AcquireInstanceOptions): Promise<HostedReference<T, M>> {
    return this.#acquireAsync(options, false);
  }

  /** Constructs an instance in this thread; COEXIST_EEXIST where one lives or is being made. @throws as `acquire()` */
  createNew(options?: AcquireInstanceOptions): HostedReference<T, M> {
    return this.#acquire(options, true);
  }

  /** As `createNew()`, without blocking; the constructor may be asynchronous. */
  createNewAsync(options?: AcquireInstanceOptions): Promise<HostedReference<T, M>> {
    return this.#acquireAsync(options, true);
  }

  /**
   * A reference to the instance if one lives; never constructs, and never waits. That its thread has died is found within 50 ms.
   * @throws COEXIST_EFULL, COEXIST_EOVERFLOW
   */
  get(): HostedReference<T, M> | undefined {
    const word = this.#machine.get();
    return word === 0 ? undefined : this.#reference(word, false);
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
  adopt(loan: Loan): HostedReference<T, M> {
    return this.#reference(adopt(this.#machine, loan), false);
  }

  /** Subtracts the references of threads that are proven dead, and ends what nobody holds any more; how many those were. */
  reclaim(): number {
    return this.#machine.reclaim();
  }

  #acquire(options: AcquireInstanceOptions | undefined, fresh: boolean): HostedReference<T, M> {
    const limits = new Limits(options, false);
    const { i32 } = this.#machine.record.place.ground.views;
    const claimed = block(this.#machine.claim(limits, wantedOf(options, fresh)), i32);
    if (claimed.constructing) {
      this.#attempt(claimed, () => {
        const instance = this.#declaration.create?.();
        requirePlain(instance, this.key);
        this.#host(claimed.word, instance as T);
      });
    }
    return this.#reference(claimed.word, claimed.constructing);
  }

  async #acquireAsync(options: AcquireInstanceOptions | undefined, fresh: boolean): Promise<HostedReference<T, M>> {
    const limits = new Limits(options, true);
    const { i32 } = this.#machine.record.place.ground.views;
    const claimed = await suspend(this.#machine.claim(limits, wantedOf(options, fresh)), i32, limits.signal);
    if (claimed.constructing) {
      let instance: T | undefined;
      try {
        instance = await this.#declaration.create?.();
      } catch (error) {
        this.#machine.threw(claimed.word, error);
        throw error;
      }
      this.#attempt(claimed, () => this.#host(claimed.word, instance as T));
    }
    return this.#reference(claimed.word, claimed.constructing);
  }

  #attempt({ word }: Claimed, make: () => void): void {
    try {
      make();
    } catch (error) {
      this.#machine.threw(word, error);
      throw error;
    }
  }

  // Serves the instance, then LIVE: who finds it alive finds its channel open.
  #host(word: number, instance: T): void {
    let epoch: number;
    try {
      ({ epoch } = beginHosting<T>(this.#machine, word, instance, this.#declaration));
    } catch (error) {
      // It was made, and nobody will ever reach it.
      Promise.resolve(this.#declaration.finalize?.(instance)).catch((late) => warnOfFinalizer(this.#machine, late));
      throw error;
    }
    this.#machine.constructed(word, epoch);
  }

  #ring(creator: bigint, again: boolean): void {
    const { core, place } = this.#machine.record;
    const hosting = creator === place.ground.self ? hostingOf(this.#machine) : undefined;
    if (hosting === undefined) {
      const { slot } = threadName(core, place.ground.self, creator);
      if (slot === undefined) return;
      if (again) bellsOf(core).ringHard(slot);
      else bellsOf(core).ring(slot);
      return;
    }
    try {
      hosting.end();
    } catch (error) {
      if (!again) throw error;
      warnOfFinalizer(this.#machine, error);
    }
  }

  #reference(word: number, created: boolean): HostedReference<T, M> {
    this.#held++;
    const hosting = hostingOf(this.#machine);
    return new HostedReference<T, M>({
      machine: this.#machine,
      word,
      created,
      instance: hosting?.word === word ? (hosting.instance as T) : undefined,
      client: () => this.#connected(word),
      released: () => this.#letGo(),
    });
  }

  // One connection for all references of this copy, made when it is first needed.
  #connected(word: number): Client<Remote<M>> {
    if (this.#client?.word !== word) {
      this.#client?.client.close();
      const epoch = wordOf(this.#machine.record, 'epoch');
      // Behind that: else it is perhaps the next instance's.
      if (this.#machine.isGone(word)) throw gone(this.#machine.record, generationOf(word));
      const { cells, cellBytes } = this.#declaration;
      const options = { cells, cellBytes, area: this.#area };
      this.#client = { word, client: connectTo<Remote<M>>(HOSTED_PREFIX + this.key, epoch, options) };
    }
    return this.#client.client;
  }

  #letGo(): void {
    this.#held--;
    if (this.#held > 0) return;
    this.#client?.client.close();
    this.#client = undefined;
  }
}

function requireMethods(methods: unknown): void {
  if (typeof methods !== 'object' || methods === null) throw invalid('methods', methods, 'an object of functions');
  const odd = Object.entries(methods).find(([, method]) => typeof method !== 'function');
  if (odd !== undefined) throw invalid(`method ${odd[0]}`, odd[1], 'a function');
}
