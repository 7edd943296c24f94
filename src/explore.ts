// coexist/explore: a deterministic schedule explorer for code that shares memory between threads.

export { describe } from './explore/describe.js';
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
