// The per-CPU operations in JavaScript. A thread can be terminated, or cut by a vm timeout, between any two operations here: nothing
// of a section counts before its commit, the announcement is void once its thread is dead, and the CPU's word is taken over.
// `Atomics` is looked up at each call, so that a stepping one can be put in its place.

import { OPERATIONS, SECTION_STEP } from '../abi/percpu.js';
import { MUTEX, TOKEN_GUARDED, WAITERS } from '../abi/sync.js';
import type { Views } from '../abi/views.js';
import type { Halves } from './bound.js';
import { injection } from './inject.js';
import {
  COMMIT_CAS,
  COMMIT_PLAIN,
  RUN_ABORTED,
  RUN_BUSY,
  RUN_COMPARE_FAILED,
  RUN_DONE,
  RUN_FAULT,
} from './outcomes.js';
import type { PercpuSteps } from './percpu.js';

export function createPercpuTwin(
  { i32, u32, i64, u8 }: Views,
  { low, high }: Halves,
  from: number,
  least: number,
): PercpuSteps {
  const self = (BigInt(high) << 32n) | BigInt(low >>> 0);
  let section = BigInt.asIntN(64, BigInt(from) << 32n);

  function take(word: number): boolean {
    if (Atomics.compareExchange(i64, (word + MUTEX.owner.offset) >>> 3, 0n, self) !== 0n) return false;
    const token = (word + MUTEX.token.offset) >>> 2;
    i32[token] = ((i32[token] as number) + 1) & ~TOKEN_GUARDED || 1;
    return true;
  }

  function leave(word: number): void {
    const owner = (word + MUTEX.owner.offset) >>> 3;
    if (Atomics.compareExchange(i64, owner, self, 0n) === self) return;
    Atomics.store(i64, owner, 0n);
    // Stopped here: a waiter finds the word free when its bounded sleep ends.
    Atomics.notify(i32, (word + MUTEX.owner.offset + 4) >>> 2, 1);
  }

  const leads = (pointer: number, limit: number): boolean =>
    pointer >= least && pointer <= limit && (pointer & 3) === 0;

  function adding(how: number, limit: number, v: number, offset: number, count: number): number {
    const p = Atomics.load(u32, v >>> 2);
    if (COEXIST_INJECT) injection.at(4);
    // An integer as wasm makes it of anything: a sum with NaN would be 0.
    const at = (p + (offset | 0)) >>> 0;
    // The pointer itself, too: a sum may come back into the memory from the other end.
    if (p === 0 || p > limit || !leads(at, limit)) return RUN_FAULT;
    const q = Atomics.load(u32, at >>> 2);
    if (!leads(q, limit)) return RUN_FAULT;
    if (COEXIST_INJECT) injection.at(5);
    if (how === COMMIT_CAS) Atomics.add(i32, q >>> 2, count);
    else Atomics.store(i32, q >>> 2, Atomics.load(i32, q >>> 2) + (count | 0));
    return RUN_DONE;
  }

  function body(op: number, how: number, limit: number, v: number, a: number, b: number, c: number, d: number): number {
    const seen = Atomics.load(i32, v >>> 2);
    if (COEXIST_INJECT) injection.at(4);
    let value = b | 0;
    let result = RUN_DONE;
    if (op === OPERATIONS.load_cbeq_store_add_load_store) {
      if (seen === (a | 0)) return RUN_COMPARE_FAILED;
      const next = (seen + value) >>> 0;
      if (seen === 0 || seen >>> 0 > limit || (seen & 3) !== 0 || !leads(next, limit)) return RUN_FAULT;
      value = Atomics.load(i32, next >>> 2);
      result = seen >>> 2;
    } else {
      if (seen !== (a | 0)) return RUN_COMPARE_FAILED;
      if (op === OPERATIONS.load_cbne_load_cbne_store && Atomics.load(i32, c >>> 2) !== (d | 0))
        return RUN_COMPARE_FAILED;
      if (op === OPERATIONS.load_cbne_store_store) i32[c >>> 2] = d;
      if (op === OPERATIONS.load_cbne_memcpy_store) u8.copyWithin(c, d, d + limit);
    }
    if (COEXIST_INJECT) injection.at(5);
    // How a section that only sections of its kind touch finds its word again.
    if (COEXIST_COMPARE_TWICE && (how !== COMMIT_CAS || op !== OPERATIONS.load_cbeq_store_add_load_store)) {
      if (Atomics.load(i32, v >>> 2) !== seen)
        throw new Error(`operation ${op}: the word at ${v} changed inside its section`);
    }
    if (how === COMMIT_CAS) return Atomics.compareExchange(i32, v >>> 2, seen, value) === seen ? result : RUN_ABORTED;
    if (how === COMMIT_PLAIN) i32[v >>> 2] = value;
    else Atomics.store(i32, v >>> 2, value);
    return result;
  }

  return {
    add64(at, n) {
      Atomics.add(i64, at >>> 3, BigInt(n));
    },

    add(at, n) {
      Atomics.add(i32, at >>> 2, n);
    },

    cas(at, expect, value) {
      return Atomics.compareExchange(i32, at >>> 2, expect, value) === (expect | 0) ? 1 : 0;
    },

    run(op, how, cs, word, limit, v, a, b, c, d) {
      if (COEXIST_INJECT) injection.at(1);
      if (word !== 0 && !take(word)) return RUN_BUSY;
      if (COEXIST_INJECT) injection.at(2);
      section = BigInt.asIntN(64, section + SECTION_STEP);
      const announced = section | BigInt(op);
      Atomics.store(i64, cs >>> 3, announced);
      if (COEXIST_INJECT) injection.at(3);
      const adds = op === OPERATIONS.load_add_load_load_add_store;
      const result = adds ? adding(how, limit, v, a, b) : body(op, how, limit, v, a, b, c, d);
      if (COEXIST_COMPARE_TWICE) {
        if (Atomics.load(i64, cs >>> 3) !== announced) throw new Error(`operation ${op}: its announcement changed`);
        const owner = word === 0 ? self : Atomics.load(i64, (word + MUTEX.owner.offset) >>> 3) & ~WAITERS;
        if (owner !== self) throw new Error(`operation ${op}: thread ${owner} holds the word of thread ${self}`);
      }
      if (COEXIST_INJECT) injection.at(6);
      Atomics.store(i64, cs >>> 3, 0n);
      if (word !== 0) leave(word);
      return result;
    },
  };
}
