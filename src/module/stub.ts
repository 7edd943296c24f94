// What a slot of an interface answers while nobody implements it: a value, nothing, an error, or the implementation itself, loaded for
// that call. A stub is data until an interface is defined with it, so that stubs of any copy of the library do.

import { CoexistError, invalid, show } from '../abi/errors.js';
import { host } from '../host/host.js';
import { callLoaded, knownModule } from './load-source.js';
import type { AnyFunction, ThreadInterface } from './thread-state.js';

const STUB = Symbol.for('coexist.stub.v1');

/** What a slot answers without an implementation; R is what its function returns. */
export interface Stub<out R> {
  readonly kind: 'value' | 'throws' | 'load';
  /** Never there: it carries the type. */
  readonly returns?: R;
}

interface Made extends Stub<unknown> {
  readonly [STUB]: Kind;
}

type Kind =
  | { readonly kind: 'value'; readonly answer: () => unknown }
  | { readonly kind: 'throws'; readonly message: string | undefined }
  | { readonly kind: 'load' };

/**
 * Stubs for `defineInterface()`.
 * @since 0.1.0
 */
export const stub = {
  /**
   * Answers with a value; an object as it is now, cloned anew for each call (`structuredClone`).
   * @throws COEXIST_EINVAL for a function, and what cannot be cloned
   */
  value<R>(value: R): Stub<R> {
    const whole = (typeof value === 'object' && value !== null) || typeof value === 'function';
    return made({ kind: 'value', answer: whole ? copies(value) : () => value });
  },

  /** Does nothing and returns undefined. */
  noop(): Stub<undefined> {
    return made({ kind: 'value', answer: () => undefined });
  },

  /**
   * Throws COEXIST_EUNSUPPORTED, which names the interface, the function, and the module that would implement it, if a loader knows one.
   * @throws COEXIST_EINVAL
   */
  throws(message?: string): Stub<never> {
    if (message !== undefined && typeof message !== 'string') throw invalid('message', message, 'a string');
    return made({ kind: 'throws', message });
  },

  /**
   * Has the thread's loaders load a module that implements the interface, then calls that. Rejects with COEXIST_EREFUSED where none
   * does; its `cause` is why. For functions that return promises.
   */
  load<R = unknown>(): Stub<Promise<R>> {
    return made({ kind: 'load' });
  },
} as const;

const made = <R>(kind: Kind): Stub<R> => Object.freeze({ kind: kind.kind, [STUB]: Object.freeze(kind) });

/** A function that returns a copy of its own at each call, of the value as it is now. */
function copies(value: unknown): () => unknown {
  const expected = 'a primitive, or an object that can be cloned';
  if (typeof value === 'function') throw invalid('value', value, expected, 'Use stub.noop() or stub.throws().');
  const { clone } = host;
  try {
    if (clone.foreign(value)) {
      const kept = clone.cloned(value);
      return () => clone.cloned(kept);
    }
    const bytes = clone.write(value);
    return () => clone.read(bytes);
  } catch (cause) {
    const problem = `value is ${show(value)}, expected ${expected}`;
    const remedy = 'Correct the argument; nothing has changed.';
    throw new CoexistError('COEXIST_EINVAL', problem, { found: value, expected, remedy, cause });
  }
}

export const isStub = (value: unknown): value is Stub<unknown> =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, STUB);

/** The function that stands in the slot of this name, the index-th of the interface. */
export function standIn(stub: Stub<unknown>, entry: ThreadInterface, name: string, index: number): AnyFunction {
  const kind = (stub as Made)[STUB];
  switch (kind.kind) {
    case 'value':
      return kind.answer;
    case 'throws':
      return () => {
        throw unsupported(entry.name, name, kind.message);
      };
    case 'load':
      return (...args: never[]) => callLoaded(entry, name, index, args);
    default:
      throw invalid(`functions[${show(name)}]`, stub, 'a stub that this version of the library knows');
  }
}

function unsupported(interfaceName: string, name: string, message: string | undefined): CoexistError {
  const module = knownModule(interfaceName);
  const what = `nothing implements ${name}() of the interface ${show(interfaceName)}`;
  return new CoexistError('COEXIST_EUNSUPPORTED', message === undefined ? what : `${message}: ${what}`, {
    found: { interface: interfaceName, function: name, implementation: undefined },
    expected: module === undefined ? 'a module that implements it' : `the module ${module}, loaded`,
    remedy:
      module === undefined
        ? 'Load a module that implements it; no loader of this thread knows one.'
        : `Load the module ${show(module)}, which implements it.`,
  });
}
