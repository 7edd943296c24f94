// Everything the entries re-export, bundled into one file.

export * from './abi/directory.js';
export { type CoexistCode, CoexistError } from './abi/errors.js';
export { endOf, type Field, type FieldType, word } from './abi/field.js';
export * from './abi/header.js';
export * from './abi/slot.js';
export { type AreaValue, checkArea, type Geometry, type SharedMemory, type Views, viewsOf } from './abi/views.js';
export { type AreaCore, coreOf } from './area/core.js';
export type { AreaOptions } from './area/create.js';
export type { AttachAsyncOptions, AttachOptions } from './area/rendezvous.js';
export { type Host, host } from './host/host.js';
export { Counter, type CounterOptions } from './percpu/counter.js';
export { type ElementType, PerThread, type PerThreadOptions, type ThreadBlock } from './percpu/per-thread.js';
export { type Area, attach, attachAsync, createArea, openArea, type Probe, probe } from './thread/area.js';
export type { Inspection, SlotRow } from './thread/inspect.js';
export { preload } from './thread/preload.js';
export { type RegisterOptions, Registration, register } from './thread/registration.js';
export { version } from './version.js';
export { type Assembler, assembler } from './wasm/instantiate.js';
