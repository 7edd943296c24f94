// coexist/singleton: one instance for the process, that exists once, is counted by thread, and never dangles.

export {
  type AcquireInstanceOptions,
  type Allowed,
  type Declaration,
  type HeldReferences,
  type InstanceMemory,
  type Loan,
  type MemoryDeclaration,
  MemoryReference,
  MemorySingleton,
  type SingletonPhase,
  type SingletonStatus,
  singleton,
  singletons,
  type ThreadName,
  type WaitOptions,
} from './core.js';
