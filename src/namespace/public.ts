// The functions of coexist/namespace. Whatever copy of the library they are of, they are those of the thread's first.

import { graphs } from '../host/graphs.js';
import { createNamespaces, type Namespaces } from './namespaces.js';
import { shared } from './thread.js';
import type {
  Namespace,
  NamespaceEntry,
  NamespaceEvent,
  NamespaceOptions,
  UniqueCopy,
  UniqueOptions,
} from './types.js';

let found: Namespaces | undefined;
const namespaces = (): Namespaces => {
  found ??= shared(createNamespaces);
  return found;
};

/**
 * A namespace: a place in which modules are loaded once more, apart from those of the base and of other namespaces, in the same thread. The
 * first call installs hooks of import and require() for good. Restates dlmopen(3).
 * @throws COEXIST_EINVAL (an option; no such namespace; no number left), COEXIST_EUNSUPPORTED (links are not to be had), COEXIST_EANCHOR
 * @since 0.1.0
 */
export const openNamespace = (options: NamespaceOptions = {}): Namespace => namespaces().openNamespace(options);

/**
 * What a namespace has, proxies with their masters' data; of the base, what the hooks have seen and what CommonJS has. Without an argument
 * that of the module that calls, so that code of a shared master sees the base's.
 * @throws COEXIST_EINVAL, COEXIST_EGONE
 * @since 0.1.0
 */
export const iterate = (ns?: number | Namespace): NamespaceEntry[] =>
  namespaces().iterate(
    // A namespace that is gone says so: another one may have its number.
    typeof ns === 'object' && ns !== null ? ns.info().id : ns,
    ns === undefined ? graphs.caller() : undefined,
  );

/**
 * The number of the namespace that a module is in, by its `import.meta.url` or `__filename`.
 * @since 0.1.0
 */
export const namespaceOf = (place: string | URL): number => namespaces().namespaceOf(place);

/**
 * Calls back for what happens in all namespaces of the thread, behind it, until the function that it returns is called. On Node 20 what
 * imports bring is told at the next call of the library.
 * @since 0.1.0
 */
export const observe = (observer: (event: NamespaceEvent) => void): (() => void) => namespaces().observe(observer);

/**
 * Declares packages unique: of all copies that the ranges of those who import them allow, one stands for all, in all namespaces. Call it before they are loaded.
 * @throws COEXIST_EINVAL
 * @since 0.1.0
 */
export const unique = (names: string | readonly string[], options: UniqueOptions = {}): void =>
  namespaces().unique(names, options);

/**
 * The copies of unique packages that were met, and what became of each.
 * @since 0.1.0
 */
export const uniqueCopies = (): UniqueCopy[] => namespaces().uniqueCopies();
