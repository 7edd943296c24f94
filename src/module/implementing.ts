// Implementations of interfaces in this thread: checked before anything changes, put in force as a whole, withdrawn as a whole. Those of
// a module are collected while it is evaluated, and put in force when it is loaded.

import { CoexistError, show } from '../abi/errors.js';
import { type ImplementationDeclaration, implementationOf, wrongAlone, wrongWith } from './declared-interface.js';
import { evaluatedModule } from './evaluating.js';
import { boundTo, recordOf, stateOf, switchTo } from './table.js';
import {
  type AnyFunction,
  type Functions,
  type Implementation,
  type InterfaceDefinition,
  type InterfaceState,
  type ThreadInterface,
  type ThreadModule,
  threadModules,
} from './thread-state.js';

export { implementationOf };

/** What takes implementations. */
export type Implementer = (name: string, declaration: ImplementationDeclaration) => void;

/**
 * Implements an interface by its name, for those who do not have its definition: in force at once, or as soon as somebody defines it;
 * while a module is evaluated, as soon as that is loaded. As `implement()` of its table.
 * @throws COEXIST_EINVAL, COEXIST_EREFUSED, COEXIST_EEXIST
 * @since 0.1.0
 */
export function implement(name: string, declaration: ImplementationDeclaration): void {
  const implementation = implementationOf(name, declaration);
  const module = evaluatedModule(`the implementation of ${show(name)}`);
  if (module !== undefined) {
    collect(module, name, implementation);
    return;
  }
  const { version, functions } = implementation;
  const wrong = checkImplementation(name, version, functions);
  if (wrong !== undefined) throw wrong;
  patch(name, version, functions, null);
}

/** Notes an implementation of a module that is being evaluated; it is inert. @throws COEXIST_EEXIST */
export function collect(module: ThreadModule, name: string, implementation: Implementation): void {
  if (module.implementations.has(name)) throw exists(name, module.name);
  module.implementations.set(name, implementation);
}

/** Why a module, or the program (null), cannot implement this now; undefined where it can. */
export function checkImplementation(
  name: string,
  version: number,
  functions: Functions,
  module: string | null = null,
): CoexistError | undefined {
  const entry = threadModules().interfaces.get(name);
  const provider = entry?.waiting === undefined ? entry?.current.provider : entry.waiting.module;
  if (provider !== undefined && (provider !== module || module === null)) return exists(name, provider);
  const implementation = { version, functions };
  if (entry?.definition === undefined) return wrongAlone(name, implementation);
  return wrongWith(name, entry.definition, implementation);
}

function exists(name: string, provider: string | null): CoexistError {
  const whose = provider === null ? 'the program itself' : `the module ${show(provider)}`;
  return new CoexistError('COEXIST_EEXIST', `the interface ${show(name)} is implemented by ${whose} already`, {
    found: provider,
    expected: 'no implementation',
    remedy: 'Implement it once; withdraw() the other first.',
  });
}

/** Puts a checked implementation in force; where nobody has defined the interface yet, as soon as somebody does. */
export function patch(name: string, version: number, functions: Functions, module: string | null): void {
  const { interfaces } = threadModules();
  const entry = interfaces.get(name) ?? newInterface(name);
  const { definition } = entry;
  if (definition === undefined) entry.waiting = { module, version, functions };
  else putInForce(entry, definition, functions, module);
  interfaces.set(name, entry);
}

export function putInForce(
  entry: ThreadInterface,
  { names }: Pick<InterfaceDefinition, 'names'>,
  { self, all }: Functions,
  module: string | null,
): void {
  const calls = names.map((name) => all.get(name) as AnyFunction);
  switchTo(entry, boundTo(self, calls), module, self);
}

/** Puts the stubs back where it is this module's implementation that is in force; takes back what waits for a definition. */
export function unpatch(name: string, module: string | null, { self }: Functions): void {
  const { interfaces } = threadModules();
  const entry = interfaces.get(name);
  if (entry?.waiting?.module === module && entry.waiting.functions.self === self) {
    entry.waiting = undefined;
    if (entry.definition === undefined) interfaces.delete(name);
  }
  if (entry?.current.provider === module && entry.current.self === self) withdraw(name);
}

/** Puts the stubs back. */
export function withdraw(name: string): void {
  const entry = threadModules().interfaces.get(name);
  if (entry?.definition === undefined || entry.current.provider === undefined) return;
  switchTo(entry, entry.definition.stubs, undefined, undefined);
}

const NOBODY: InterfaceState = stateOf([], 0);

export const newInterface = (name: string): ThreadInterface => ({
  name,
  definition: undefined,
  current: recordOf(NOBODY),
  waiting: undefined,
  definedBy: undefined,
});
