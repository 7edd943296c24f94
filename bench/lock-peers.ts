// What the benches of locks compare with: the classic futex mutex in JavaScript, a wasm lock word without an owner, and the library
// `multithreading`.

import wabt from 'wabt';
import { variable } from './kit.js';

export interface PlainLock {
  lock(): void;
  unlock(): void;
}

/** Ulrich Drepper's "mutex2" (Futexes Are Tricky, 2011): 0 free, 1 held, 2 held and somebody may wait. */
export function futexMutex(view: Int32Array, index: number): PlainLock {
  // See variable(): a captured index would cost more than the lock.
  const place = variable(index);
  return {
    lock() {
      const { at } = place;
      let seen = Atomics.compareExchange(view, at, 0, 1);
      if (seen === 0) return;
      if (seen !== 2) seen = Atomics.exchange(view, at, 2);
      while (seen !== 0) {
        Atomics.wait(view, at, 2);
        seen = Atomics.exchange(view, at, 2);
      }
    },
    unlock() {
      const { at } = place;
      if (Atomics.sub(view, at, 1) === 1) return;
      Atomics.store(view, at, 0);
      Atomics.notify(view, at, 1);
    },
  };
}

/** The same three states with one wasm call on the fast path, as ours have: what a lock costs that does not survive its owner. */
const ANONYMOUS = `(module
  (import "area" "memory" (memory 1 65536 shared))
  (func (export "lock") (param $at i32) (result i32)
    (i32.atomic.rmw.cmpxchg (local.get $at) (i32.const 0) (i32.const 1)))
  (func (export "unlock") (param $at i32)
    (if (i32.ne (i32.atomic.rmw.sub (local.get $at) (i32.const 1)) (i32.const 1))
      (then
        (i32.atomic.store (local.get $at) (i32.const 0))
        (drop (memory.atomic.notify (local.get $at) (i32.const 1)))))))`;

interface AnonymousSteps {
  lock(at: number): number;
  unlock(at: number): void;
}

class AnonymousLock implements PlainLock {
  readonly #view: Int32Array;
  readonly #steps: AnonymousSteps;
  readonly #at: number;

  constructor(view: Int32Array, steps: AnonymousSteps, at: number) {
    this.#view = view;
    this.#steps = steps;
    this.#at = at;
  }

  lock(): void {
    const seen = this.#steps.lock(this.#at);
    if (seen !== 0) this.#wait(seen);
  }

  unlock(): void {
    this.#steps.unlock(this.#at);
  }

  #wait(first: number): void {
    const index = this.#at >>> 2;
    let seen = first === 2 ? 2 : Atomics.exchange(this.#view, index, 2);
    while (seen !== 0) {
      Atomics.wait(this.#view, index, 2);
      seen = Atomics.exchange(this.#view, index, 2);
    }
  }
}

/** A lock whose word says that it is held, and not by whom. */
export async function anonymousLock(): Promise<PlainLock> {
  const { parseWat } = await wabt();
  const module = parseWat('anonymous.wat', ANONYMOUS, { threads: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(buffer)), { area: { memory } });
  return new AnonymousLock(new Int32Array(memory.buffer), instance.exports as unknown as AnonymousSteps, 1024);
}

/** It reads `navigator` while it loads, which Node 20 does not have. */
export async function loadMultithreading(): Promise<typeof import('multithreading')> {
  if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  return import('multithreading');
}
