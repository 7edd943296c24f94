// Who can load an implementation when a stub asks for one: the living loaders of this copy in this thread, in the order of their
// creation. They come here; interfaces know nothing of loaders.

import { CoexistError, show } from '../abi/errors.js';
import type { Outcome } from './outcome.js';
import type { AnyFunction, ThreadInterface } from './thread-state.js';

export interface LoadSource {
  /** The name of a module that implements the interface, as far as is known without loading any. */
  moduleOf(interfaceName: string): string | undefined;
  /** Loads that module; bounded. */
  load(module: string): Promise<Outcome>;
}

const sources = new Set<LoadSource>();

/** Stubs ask this source, too; until the returned function is called. */
export function onLoadStub(source: LoadSource): () => void {
  sources.add(source);
  return () => {
    sources.delete(source);
  };
}

/** The module that would implement the interface, if a loader knows one. */
export function knownModule(interfaceName: string): string | undefined {
  for (const source of sources) {
    const module = source.moduleOf(interfaceName);
    if (module !== undefined) return module;
  }
  return undefined;
}

/** Calls the index-th function of an interface as soon as a source has loaded an implementation. */
export async function callLoaded(
  entry: ThreadInterface,
  name: string,
  index: number,
  args: readonly never[],
): Promise<unknown> {
  let first: Outcome | undefined;
  for (const source of [...sources]) {
    // It may have been disposed while another was waited for.
    if (!sources.has(source)) continue;
    const module = source.moduleOf(entry.name);
    if (module === undefined) continue;
    const outcome = await source.load(module);
    // Never through the table: what stands there may be this stub still.
    if (entry.current.provider !== undefined) return (entry.current.calls[index] as AnyFunction)(...args);
    first ??= outcome;
  }
  throw notLoaded(entry.name, name, first);
}

function notLoaded(interfaceName: string, name: string, outcome: Outcome | undefined): CoexistError {
  const what = `${name}() of the interface ${show(interfaceName)} cannot be called`;
  const expected = 'a module that implements it, loaded';
  if (outcome === undefined) {
    return new CoexistError('COEXIST_EREFUSED', `${what}: no loader of this thread knows a module that implements it`, {
      found: 'no such module',
      expected,
      remedy: 'Create a loader with a manifest that lists such a module, before the call.',
    });
  }
  const { outcome: found, message } = outcome;
  const error = 'error' in outcome ? outcome.error : undefined;
  const missing = found === 'loaded' || found === 'already';
  const why = missing ? `the module ${show(outcome.name)} is loaded, and implements it no more` : message;
  return new CoexistError('COEXIST_EREFUSED', `${what}: ${why.replace(/\.$/, '')}`, {
    found: `${show(outcome.name)}: ${found}`,
    expected,
    remedy: error?.remedy ?? 'Make the module loadable, or use another stub.',
    cause: error ?? new Error(message),
  });
}
