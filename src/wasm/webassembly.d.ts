// The little of WebAssembly that the library uses. Node's types do not declare it, and those of the DOM bring a browser along.

declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: { area: { memory: { readonly buffer: SharedArrayBuffer } } });
    readonly exports: object;
  }
}
