// coexist/sync: locks that survive their owner, in shared memory, for every library and every copy in the process.

export {
  type AcquireOptions,
  Barrier,
  type BarrierOptions,
  Condvar,
  type HoldersOptions,
  type LockMemory,
  Mutex,
  MutexGuard,
  type NamedOptions,
  Once,
  type OnceState,
  type RelockableGuard,
  RwLock,
  RwLockGuard,
  type RwLockOptions,
  Semaphore,
  SemaphoreGuard,
  type SemaphoreOptions,
  type WaitOptions,
} from './core.js';
