// An interface of three functions, with its stubs and an implementation.

import { defineInterface, type ImplementationOf, stub } from 'coexist/module';

export interface Disk {
  open(path: string): string;
  size(): number;
  close(): void;
}
export type Functions = ImplementationOf<Disk>;

let count = 0;
/** A name that no other test has. */
export const fresh = (): string => `test/disk-${++count}`;
export const stubs = { open: stub.value('stub'), size: stub.value(-1), close: stub.noop() };
export const disk = (name = fresh()) => defineInterface<Disk>(name, { version: 1, functions: stubs });
export const real = (mark = 'real'): Functions => ({ open: (path) => `${mark} ${path}`, size: () => 7, close() {} });
