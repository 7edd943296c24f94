// Everything the entries re-export, bundled into one file.

export * from './abi/call.js';
export * from './abi/directory.js';
export { type CoexistCode, CoexistError, invalid } from './abi/errors.js';
export { endOf, type Field, type FieldType, word } from './abi/field.js';
export * from './abi/header.js';
export * from './abi/histogram.js';
export * from './abi/module.js';
export * from './abi/percpu.js';
export * from './abi/pool.js';
export * from './abi/ring.js';
export * from './abi/singleton.js';
export * from './abi/slot.js';
export * from './abi/sync.js';
export { type AreaValue, checkArea, type Geometry, type SharedMemory, type Views, viewsOf } from './abi/views.js';
export { type AreaCore, coreOf } from './area/core.js';
export type { AreaOptions } from './area/create.js';
export type { AttachAsyncOptions, AttachOptions } from './area/rendezvous.js';
export { type ChannelStatus, Client, type ConnectOptions, connect, connectTo } from './call/client.js';
export type { CallContext } from './call/context.js';
export type { CallOptions } from './call/link.js';
export { type Methods, type MethodsOf, type ServeOptions, Server, serve } from './call/server.js';
export { type Host, host } from './host/host.js';
export type { Json, JsonObject } from './module/canonical.js';
export { checkManifest, isOwn } from './module/check-manifest.js';
export { checkDeclaration, type FullDeclaration, readDeclaration, sourceText } from './module/declaration.js';
export type { ImplementationDeclaration } from './module/declared-interface.js';
export { type Evaluated, evaluate } from './module/evaluate.js';
export { type Found, findAndVerify } from './module/find.js';
export { type FingerprintInputs, type FingerprintOptions, fingerprint } from './module/fingerprint.js';
export { implement, implementationOf, patch, unpatch } from './module/implementing.js';
export { type InitFailure, type Initialiser, type InitOptions, type InitReport, moduleInit } from './module/init.js';
export { inspectModules, type ModuleThread, type ProcessModule } from './module/inspect.js';
export { defineInterface } from './module/interface.js';
export type {
  FunctionsOf,
  ImplementationOf,
  InterfaceDeclaration,
  InterfaceMethods,
  InterfaceStatus,
  InterfaceTable,
  StubsOf,
} from './module/interface-types.js';
export { interfaceVersionAt, noteInterface } from './module/interface-word.js';
export type { ModuleListing } from './module/listing.js';
export { onLoadStub } from './module/load-source.js';
export { createLoader, Loader, type LoadFor } from './module/loader.js';
export {
  MANIFEST_FILE,
  type Manifest,
  type ManifestModule,
  MODULE_BYTES_MAX,
  type ModuleDeclaration,
  type SourceReference,
} from './module/manifest.js';
export type { LoaderOptions, LoadOptions } from './module/options.js';
export type { Absent, Failed, Loaded, Outcome, RefusalReason, Refused } from './module/outcome.js';
export * as moduleRecords from './module/record.js';
export { type Stub, stub } from './module/stub.js';
export { type InitContext, type ThreadModules, threadModules } from './module/thread-state.js';
export { Counter, type CounterOptions } from './percpu/counter.js';
export { PerCpuBuffer, type PerCpuBufferOptions } from './percpu/cpu-buffer.js';
export { PerCpuCounter } from './percpu/cpu-counter.js';
export { PerCpuList, type PerCpuListOptions } from './percpu/cpu-list.js';
export { PerCpuLock, type ShardGuard } from './percpu/cpu-lock.js';
export { type FenceOptions, fence, fenceAsync } from './percpu/fence.js';
export { Gauge, type GaugeOptions, type GaugeValue } from './percpu/gauge.js';
export { Histogram, type HistogramOptions } from './percpu/histogram.js';
export * as ops from './percpu/ops.js';
export { PerCpu, type PerCpuOptions } from './percpu/per-cpu.js';
export { type ElementType, PerThread, type PerThreadOptions, type ThreadBlock } from './percpu/per-thread.js';
export { Pool } from './percpu/pool.js';
export type { PoolItem } from './percpu/pool-errors.js';
export type { PoolOptions } from './percpu/pool-options.js';
export { Ring, type RingOptions, type RingPolicy } from './percpu/ring.js';
export {
  type DrainOptions,
  RingReader,
  type RingReaderOptions,
  type RingSlotStats,
  type RingStats,
} from './percpu/ring-reader.js';
export type { RingRecord } from './percpu/ring-records.js';
export type { ShardedOptions, ShardIndex } from './percpu/shards.js';
export { type Bucket, type HistogramData, type HistogramSnapshot, snapshotOf } from './percpu/snapshot.js';
export type { AcquireInstanceOptions, Declaration } from './singleton/declaration.js';
export type { ThreadName } from './singleton/errors.js';
export { type HostedDeclaration, HostedSingleton } from './singleton/hosted.js';
export { type HostedCalls, type HostedMethods, HostedReference, type Remote } from './singleton/hosted-reference.js';
export type { Loan } from './singleton/loans.js';
export { type InstanceMemory, type MemoryDeclaration, MemoryReference, MemorySingleton } from './singleton/memory.js';
export { singleton } from './singleton/singleton.js';
export {
  type Allowed,
  type HeldReferences,
  type SingletonPhase,
  type SingletonStatus,
  singletons,
} from './singleton/status.js';
export { Barrier, type BarrierOptions } from './sync/barrier.js';
export { Condvar, type RelockableGuard } from './sync/condvar.js';
export type { HoldersOptions } from './sync/holders.js';
export { Mutex, MutexGuard } from './sync/mutex.js';
export { Once, type OnceState } from './sync/once.js';
export type { LockMemory, NamedOptions } from './sync/place.js';
export { RwLock, RwLockGuard, type RwLockOptions } from './sync/rwlock.js';
export { type AcquireOptions, Semaphore, SemaphoreGuard, type SemaphoreOptions } from './sync/semaphore.js';
export { SPIN } from './sync/spin.js';
export type { WaitOptions } from './sync/wait.js';
export { type Area, attach, attachAsync, createArea, openArea, type Probe, probe } from './thread/area.js';
export { type Diagnosis, doctor } from './thread/doctor.js';
export type { Inspection, SlotRow } from './thread/inspect.js';
export { preload } from './thread/preload.js';
export { type RegisterOptions, Registration, register } from './thread/registration.js';
export { version } from './version.js';
export { injection } from './wasm/inject.js';
export { type Assembler, assembler } from './wasm/instantiate.js';
