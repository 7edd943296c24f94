// Deno's FFI. Asked only where it is granted already: nobody is prompted for a CPU number.

import type { Ffi } from '../rseq-area.js';

type Symbols = Readonly<Record<string, { parameters: []; result: string } | { type: string; optional: true }>>;

/** What is used of it. */
interface Deno {
  readonly permissions: { querySync(descriptor: { name: string }): { readonly state: string } };
  dlopen(path: string, symbols: Symbols): { readonly symbols: Readonly<Record<string, unknown>> };
  readonly UnsafePointer: { create(address: bigint): unknown };
  readonly UnsafePointerView: { getArrayBuffer(pointer: unknown, bytes: number): ArrayBuffer };
}

/** Says why there is none where it cannot be had. Throws where Deno does. */
export function openDenoFfi(): Ffi | string {
  const { Deno: deno } = globalThis as unknown as { Deno: Deno };
  const { state } = deno.permissions.querySync({ name: 'ffi' });
  if (state !== 'granted') return `Deno's FFI is not allowed (its permission is "${state}"; --allow-ffi grants it)`;
  const { symbols } = deno.dlopen('libc.so.6', {
    sched_getcpu: { parameters: [], result: 'i32' },
    pthread_self: { parameters: [], result: 'u64' },
    __rseq_offset: { type: 'i64', optional: true },
    __rseq_size: { type: 'u32', optional: true },
  });
  const { sched_getcpu, pthread_self, __rseq_offset, __rseq_size } = symbols as {
    sched_getcpu: () => number;
    pthread_self: () => bigint;
    __rseq_offset: bigint | null;
    __rseq_size: number | null;
  };
  return {
    name: 'Deno FFI',
    schedGetCpu: sched_getcpu,
    threadPointer: () => BigInt(pthread_self()),
    rseqOffset: __rseq_offset === null ? undefined : BigInt(__rseq_offset),
    rseqSize: __rseq_size ?? undefined,
    view: (address, bytes) => deno.UnsafePointerView.getArrayBuffer(deno.UnsafePointer.create(address), bytes),
  };
}
