// node:ffi of Node 26. Loading it prints an ExperimentalWarning, once in every thread, which a library does not do to a program
// that has not chosen it: so it is used where the program has loaded it itself, or says so by COEXIST_NODE_FFI=1.

import { process } from '../node/builtin.js';
import type { Ffi } from '../rseq-area.js';

/** What is used of it. */
interface NodeFfi {
  readonly DynamicLibrary: new (
    path: null,
  ) => {
    getFunction(name: string, signature: { arguments: readonly string[]; return: string }): () => never;
    getSymbol(name: string): bigint;
  };
  getInt64(pointer: bigint): bigint;
  getUint32(pointer: bigint): number;
  toArrayBuffer(pointer: bigint, bytes: number, copy: boolean): ArrayBuffer;
}

/** Says why there is none where it cannot be had. Throws where Node does. */
export function openNodeFfi(): Ffi | string {
  // First, since it costs least: whether this Node has it is not looked up for those who do not want it.
  const { moduleLoadList } = process as unknown as { moduleLoadList?: readonly string[] };
  if (process.env['COEXIST_NODE_FFI'] !== '1' && !moduleLoadList?.includes('NativeModule ffi')) {
    return 'node:ffi, where there is one, prints a warning when it is loaded; COEXIST_NODE_FFI=1 allows that';
  }
  if (!process.getBuiltinModule('node:module').isBuiltin('node:ffi')) return 'this Node has no node:ffi';
  if (process.permission !== undefined && !process.permission.has('ffi'))
    return 'node:ffi is refused by the permission model';
  const ffi = process.getBuiltinModule('node:ffi' as 'node:os') as unknown as NodeFfi;
  const lib = new ffi.DynamicLibrary(null);
  const found = <T>(look: () => T): T | undefined => {
    try {
      return look();
    } catch {
      return undefined;
    }
  };
  const threadPointer: () => bigint = lib.getFunction('pthread_self', { arguments: [], return: 'u64' });
  return {
    name: 'node:ffi',
    schedGetCpu: found((): (() => number) => lib.getFunction('sched_getcpu', { arguments: [], return: 'i32' })),
    threadPointer: () => BigInt(threadPointer()),
    rseqOffset: found(() => ffi.getInt64(lib.getSymbol('__rseq_offset'))),
    rseqSize: found(() => ffi.getUint32(lib.getSymbol('__rseq_size'))),
    view: (address, bytes) => ffi.toArrayBuffer(address, bytes, false),
  };
}
