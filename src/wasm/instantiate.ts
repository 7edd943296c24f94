// How a wasm module of the library comes to run on a memory. One function, held in an object so that a tool can put another
// assembly of the same source in its place before any memory is opened.

import type { SharedMemory } from '../abi/views.js';

/** The sources in this folder, by name. */
export type ModuleName = 'transitions' | 'sync' | 'percpu' | 'pool' | 'ring' | 'sums' | 'call' | 'singleton';

export interface Assembler {
  /** Exports of the module on this memory, with what else it imports. Throws where the realm refuses to compile. */
  instantiate(name: ModuleName, bytes: Uint8Array, memory: SharedMemory, more?: object): object;
}

const compiled = new Map<ModuleName, WebAssembly.Module>();

export const assembler: Assembler = {
  instantiate(name, bytes, memory, more) {
    let module = compiled.get(name);
    if (module === undefined) {
      module = new WebAssembly.Module(bytes);
      compiled.set(name, module);
    }
    return new WebAssembly.Instance(module, { area: { ...more, memory } }).exports;
  },
};
