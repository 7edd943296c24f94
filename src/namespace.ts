// coexist/namespace: a module graph twice in one thread, isolated, with shared masters and unique packages.

export { type CoexistCode, CoexistError } from './abi/errors.js';
export { iterate, namespaceOf, observe, openNamespace, unique, uniqueCopies } from './namespace/public.js';
export { BASE, NEW } from './namespace/state.js';
export { untag } from './namespace/tags.js';
export type {
  Closed,
  Handle,
  Namespace,
  NamespaceEntry,
  NamespaceEvent,
  NamespaceInfo,
  NamespaceKind,
  NamespaceOptions,
  OpenOptions,
  Transform,
  UniqueCopy,
  UniqueOptions,
  UniquePolicy,
} from './namespace/types.js';
