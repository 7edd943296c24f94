// A lock's bytes, written and read word by word as docs/ABI.md says, with canaries around them. Words have the names of the
// tables of coexist/abi, rows of holders those of the row, as in `row2.count`. Uses nothing else of the library.

import { existsSync } from 'node:fs';
import {
  BARRIER,
  bytesWithHolders,
  CONDVAR,
  CONDVAR_BYTES,
  type Field,
  HOLDER,
  HOLDER_BYTES,
  HOLDERS_OFFSET,
  MUTEX,
  MUTEX_BYTES,
  ONCE,
  ONCE_BYTES,
  RWLOCK,
  SEMAPHORE,
} from 'coexist/abi';
import type { LockMemory } from 'coexist/sync';
import { until } from './actor.js';
import type { Backend } from './backends.js';
import { deadIdentity } from './stepper.js';

const TABLES = { mutex: MUTEX, once: ONCE, condvar: CONDVAR, rwlock: RWLOCK, semaphore: SEMAPHORE, barrier: BARRIER };
const SIZES = { mutex: MUTEX_BYTES, once: ONCE_BYTES, condvar: CONDVAR_BYTES };

export type LockKind = keyof typeof TABLES;
/** Values of words that are not 0. */
export type Words = Readonly<Record<string, number | bigint>>;
export type LockBytes = ReturnType<typeof lockBytes>;

/** Bits 62 and 63 of an owner word. */
export const W = 1n << 62n;
export const D = -(1n << 63n);
/** Bit 31 of a token. */
export const GUARDED = 0x80000000;
export const HOLDERS = 4;

const PAGE = 65536;
const CANARY = 0xa5a5a5a5;
const SLEEP_MS = 20_000;

/** The owner words of a lock that a thread holds. */
export const heldBy = (name: string, identity: bigint): [string, bigint][] => [
  [name, identity],
  [`${name}|W`, identity | W],
  [`D|${name}`, D | identity],
  [`D|${name}|W`, D | identity | W],
];

/** The words of a row of holders that are not 0. */
export const row = (k: number, identity: bigint, count = 0, phase = 0): Words =>
  Object.fromEntries(
    Object.entries({ identity, count, phase }).flatMap(([name, value]) =>
      BigInt(value) === 0n ? [] : [[`row${k}.${name}`, value]],
    ),
  );

/** Identity of a thread that the kernel has forgotten. */
export async function forgottenThread(): Promise<bigint> {
  const identity = await deadIdentity();
  const path = `/proc/self/task/${identity & ((1n << 22n) - 1n)}`;
  await until('the thread is gone', () => !existsSync(path));
  return identity;
}

/** A page of memory full of canaries, with room for one zeroed lock. */
export function lockMemory(backend: Backend, kind: LockKind, words: Words = {}, holders = HOLDERS) {
  const memory: LockMemory =
    backend === 'wasm' ? new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) : new SharedArrayBuffer(PAGE);
  const buffer = 'buffer' in memory ? memory.buffer : memory;
  new Uint32Array(buffer).fill(CANARY);
  const lock = lockBytes(memory, kind, 1096, holders);
  new Uint8Array(buffer).fill(0, lock.at, lock.at + lock.size);
  lock.plant(words);
  return lock;
}

/** The bytes of a lock in somebody's memory. */
export function lockBytes(memory: LockMemory, kind: LockKind, at: number, holders = HOLDERS) {
  const buffer = 'buffer' in memory ? memory.buffer : memory;
  const [i32, u32, i64] = [new Int32Array(buffer), new Uint32Array(buffer), new BigInt64Array(buffer)];
  const fields = new Map<string, Field>(Object.entries(TABLES[kind]));
  const hasRows = !(kind in SIZES);
  const size = hasRows ? bytesWithHolders(holders) : SIZES[kind as keyof typeof SIZES];
  for (let k = 0; hasRows && k < holders; k++) {
    for (const [name, field] of Object.entries(HOLDER)) {
      fields.set(`row${k}.${name}`, { ...field, offset: HOLDERS_OFFSET + k * HOLDER_BYTES + field.offset });
    }
  }
  const fieldOf = (name: string): Field => {
    const field = fields.get(name);
    if (field === undefined) throw new Error(`a ${kind} has no word ${name}`);
    return field;
  };
  const viewOf = ({ type }: Field): Int32Array | Uint32Array => (type === 'i32' ? i32 : u32);
  /** What is waited on: a 32-bit word, or the high half of a 64-bit one. */
  const futexOf = (name: string): number => {
    const { offset, size } = fieldOf(name);
    return (at + offset + (size === 8 ? 4 : 0)) >>> 2;
  };

  const read = (name: string): number | bigint => {
    const field = fieldOf(name);
    const start = at + field.offset;
    return field.size === 8 ? Atomics.load(i64, start >>> 3) : Atomics.load(viewOf(field), start >>> 2);
  };

  return {
    memory,
    buffer,
    at,
    size,
    holders,
    i32,
    read,
    futexOf,
    /** Writes these words, and leaves the others. */
    plant(words: Words): void {
      for (const [name, value] of Object.entries(words)) {
        const field = fieldOf(name);
        const start = at + field.offset;
        if (field.size === 8) Atomics.store(i64, start >>> 3, BigInt.asIntN(64, BigInt(value)));
        else Atomics.store(viewOf(field), start >>> 2, Number(value));
      }
    },
    /** Every word of the lock that is not 0, by name; bytes that no table assigns, and harmed canaries, by their offset. */
    words(): Record<string, number | bigint> {
      const found: Record<string, number | bigint> = {};
      const named = new Set<number>();
      for (const [name, field] of fields) {
        for (let k = 0; k < field.size; k += 4) named.add(at + field.offset + k);
        const value = read(name);
        if (BigInt(value) !== 0n) found[name] = value;
      }
      for (let byte = at; byte < at + size; byte += 4) {
        if (!named.has(byte) && u32[byte >>> 2] !== 0) found[`reserved@${byte - at}`] = u32[byte >>> 2] as number;
      }
      return found;
    },
    /** Offsets of the words outside the lock that are not as `lockMemory` left them. */
    harmed(): number[] {
      const offsets: number[] = [];
      for (let k = 0; k < u32.length; k++) {
        if ((k * 4 < at || k * 4 >= at + size) && u32[k] !== CANARY) offsets.push(k * 4);
      }
      return offsets;
    },
    /** Has so many sleepers wait on a word, as other threads would, for as long as the test needs. */
    sleepers(name: string, count: number): void {
      const index = futexOf(name);
      for (let k = 0; k < count; k++) Atomics.waitAsync(i32, index, i32[index] as number, SLEEP_MS);
    },
    /** Wakes all that sleep on a word, and says how many those were. */
    asleep: (name: string): number => Atomics.notify(i32, futexOf(name)),
  };
}

/** Waits until another thread sleeps on the word. It is woken by that, and goes to sleep again. */
export const untilAsleep = (lock: LockBytes, name: string, count = 1): Promise<void> =>
  until(`${count} sleep on ${name}`, () => lock.asleep(name) >= count);
