// coexist/percpu: data in every thread's own block.

export {
  Counter,
  type CounterOptions,
  type ElementType,
  PerThread,
  type PerThreadOptions,
  type ThreadBlock,
} from './core.js';
