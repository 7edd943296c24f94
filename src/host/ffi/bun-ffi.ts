// bun:ffi. It knows functions only, so glibc's two variables are declared as functions and never called: their addresses are
// what counts.

import { process } from '../node/builtin.js';
import type { Ffi } from '../rseq-area.js';

interface Foreign {
  (): number;
  readonly ptr: number;
}

/** What is used of it. */
interface BunFfi {
  dlopen<Name extends string>(
    path: string,
    symbols: Readonly<Record<Name, { args: []; returns: 'i32' | 'ptr' }>>,
  ): { readonly symbols: Readonly<Record<Name, Foreign>> };
  readonly read: { i64(pointer: number): bigint; u32(pointer: number): number };
  toArrayBuffer(pointer: number, offset: number, bytes: number): ArrayBuffer;
}

const LIBC = 'libc.so.6';

/** Throws where Bun does. */
export function openBunFfi(): Ffi {
  const { dlopen, read, toArrayBuffer } = process.getBuiltinModule('bun:ffi' as 'node:os') as unknown as BunFfi;
  const { sched_getcpu, pthread_self } = dlopen(LIBC, {
    sched_getcpu: { args: [], returns: 'i32' },
    pthread_self: { args: [], returns: 'ptr' },
  }).symbols;
  const variable = (name: string): number | undefined => {
    try {
      return dlopen(LIBC, { [name]: { args: [], returns: 'ptr' } }).symbols[name]?.ptr;
    } catch {
      return undefined;
    }
  };
  const [offset, size] = [variable('__rseq_offset'), variable('__rseq_size')];
  return {
    name: 'bun:ffi',
    schedGetCpu: sched_getcpu,
    threadPointer: () => BigInt(pthread_self()),
    rseqOffset: offset === undefined ? undefined : read.i64(offset),
    rseqSize: size === undefined ? undefined : read.u32(size),
    view: (address, bytes) => toArrayBuffer(Number(address), 0, bytes),
  };
}
