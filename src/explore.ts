// coexist/explore: a deterministic schedule explorer for code that shares memory between threads.

export { explain } from './explore/explain.js';
export { explore } from './explore/explore.js';
export type {
  AddressFunction,
  ExploreBudget,
  ExploreContext,
  ExploreFailure,
  ExploreFunction,
  ExploreOptions,
  ExploreProgram,
  ExploreProgress,
  ExploreResult,
  FailureKind,
  Instrumentable,
} from './explore/types.js';
