// A 64-bit counter with one cell per thread (docs/ABI.md, clause 39): the owner adds with ordinary loads and stores, anyone
// sums. Cells go on where the last owner of the slot left them, so the sum is exact across deaths.

import { CoexistError, invalid, show } from '../abi/errors.js';
import type { AreaCore } from '../area/core.js';
import { coreFor } from '../area/current.js';
import { lookup } from '../area/directory.js';
import { dispose } from '../host/dispose.js';
import { host } from '../host/host.js';
import type { Area } from '../thread/area.js';
import { type Registration, register } from '../thread/registration.js';

const COUNTER_VERSION = 1;
const COUNTER_BYTES = 8;
const DISPOSED = -1;
const NOT_PLAIN = -1;

export interface CounterOptions {
  /** Name of the library, as in `register()`. */
  readonly holder?: string | undefined;
  readonly area?: Area | undefined;
}

/**
 * A named counter of the process. Constructing it registers this thread, disposing it unregisters.
 * @throws COEXIST_EKIND, COEXIST_ENOSPC, COEXIST_EINVAL, COEXIST_ETIMEDOUT, and as `register()`
 * @since 0.1.0
 */
export class Counter {
  readonly name: string;
  readonly #core: AreaCore;
  readonly #i64: BigInt64Array;
  readonly #offset: number;
  readonly #registration: Registration;
  // With values from the start, so that the engine knows them as small integers and need not look.
  #index: number = DISPOSED;
  /** The index where plain additions are allowed: one test says that, and that the counter lives. */
  #plain: number = NOT_PLAIN;

  constructor(name: string, { holder, area }: CounterOptions = {}) {
    const core = coreFor(area);
    const entry = lookup(core, { name, kind: 'counter', version: COUNTER_VERSION, size: COUNTER_BYTES, flags: 0 });
    this.name = name;
    this.#core = core;
    this.#i64 = core.views.i64;
    this.#offset = entry.offset;
    this.#registration = register({ name: holder, area });
    const { blockOffset, blockStride } = core.geometry;
    this.#index = (blockOffset + this.#registration.slot * blockStride + entry.offset) >>> 3;
    this.#plain = host.storesWhole64 ? this.#index : NOT_PLAIN;
  }

  /**
   * Adds a safe integer to this thread's cell. The cell is a 64-bit integer and wraps.
   * @throws COEXIST_EUNREGISTERED after disposal, COEXIST_EINVAL; nothing was added
   */
  add(n = 1): void {
    const index = this.#plain;
    // hot: owner-only plain store. The literal is its own branch: it needs no BigInt to be made.
    if (n === 1 && index >= 0) this.#i64[index]! += 1n;
    else this.#add(n);
  }

  /** The exact sum over all threads that ever counted, dead ones included, of what they have added by now. */
  sum(): bigint {
    return this.#core.transitions.sum(this.#offset);
  }

  /** This slot's cell: what this thread, and the slot's former owners, have added. */
  own(): bigint {
    if (this.#index === DISPOSED) throw disposed(this.name);
    return this.#i64[this.#index] as bigint;
  }

  /**
   * What all owners of a slot have added.
   * @throws COEXIST_EINVAL
   */
  of(slot: number): bigint {
    const { blockOffset, blockStride, slotCapacity } = this.#core.geometry;
    if (!Number.isInteger(slot) || slot < 0 || slot >= slotCapacity)
      throw invalid('slot', slot, `an integer from 0 to ${slotCapacity - 1}`);
    return Atomics.load(this.#i64, (blockOffset + slot * blockStride + this.#offset) >>> 3);
  }

  /** Unregisters; `sum()` and `of()` go on to work. Does nothing the second time. */
  dispose(): void {
    this.#index = DISPOSED;
    this.#plain = NOT_PLAIN;
    this.#registration[dispose]();
  }

  [dispose](): void {
    this.dispose();
  }

  #add(n: number): void {
    const index = this.#index;
    if (index === DISPOSED) throw disposed(this.name);
    if (!Number.isSafeInteger(n)) {
      throw invalid('n', n, 'a safe integer', 'Count in a smaller unit, or add in several steps.');
    }
    if (host.storesWhole64) this.#i64[index]! += BigInt(n);
    else Atomics.add(this.#i64, index, BigInt(n));
  }
}

function disposed(name: string): CoexistError {
  return new CoexistError('COEXIST_EUNREGISTERED', `the counter ${show(name)} was disposed of`, {
    found: 'a disposed counter',
    expected: 'a live one',
    remedy: 'Construct a new one.',
  });
}
