// Interfaces (docs/ABI.md, clauses 73 and 74): a table of functions that can be called before, while and after a module implements it.
// Every slot is there from the definition on, and answers as its stub says while nobody implements the interface. An implementation
// takes the place of all stubs at once, and references to slots taken before reach it, too.

import { requireSame, requireWhole, slotsOf } from './declared-interface.js';
import { type Implementer, implement, newInterface, putInForce, withdraw } from './implementing.js';
import type { FunctionsOf, InterfaceDeclaration, InterfaceTable, StubsOf } from './interface-types.js';
import { type Stub, standIn } from './stub.js';
import { forwarder, stateOf } from './table.js';
import { type InterfaceDefinition, type ThreadInterface, threadModules } from './thread-state.js';

/**
 * Defines an interface in this thread; the same table for whoever defines the same one again, in any copy of the library. Attaches
 * nothing. Where a loaded module implements it already, that is in force at once.
 *
 * A type argument says what its functions are, and each stub is checked against it; without one they take anything, and return what
 * their stubs do.
 * @throws COEXIST_EINVAL; COEXIST_EKIND where it is defined already with another version or other functions, or is implemented so
 * @since 0.1.0
 */
export function defineInterface<S extends Readonly<Record<string, Stub<unknown>>>>(
  name: string,
  declaration: InterfaceDeclaration<S>,
): InterfaceTable<FunctionsOf<S>>;
export function defineInterface<F extends object>(
  name: string,
  declaration: InterfaceDeclaration<StubsOf<F>>,
): InterfaceTable<F>;
export function defineInterface(name: string, declaration: InterfaceDeclaration<object>): object {
  return defined(name, declaration).definition.table;
}

/**
 * The same, with a table whose `implement()` goes elsewhere: what a module is given, so that it is known whose it is. What only modules
 * have defined is known by the numbers of their evaluations.
 */
export function defineInterfaceWith(implementer: Implementer, evaluation: number): typeof defineInterface {
  return ((name: string, declaration: InterfaceDeclaration<object>): object => {
    const entry = defined(name, declaration, evaluation);
    return tableOf(entry, entry.definition, entry.definition.table, implementer);
  }) as typeof defineInterface;
}

type DefinedInterface = ThreadInterface & { definition: InterfaceDefinition };

/** Takes back what an evaluation that came to nothing has defined, unless somebody else has, too, who has not come to nothing. */
export function forgetDefinitions(evaluation: number): void {
  const { interfaces } = threadModules();
  for (const { name, definedBy, current, waiting } of [...interfaces.values()]) {
    if (!definedBy?.delete(evaluation) || definedBy.size > 0) continue;
    if (current.provider !== undefined || waiting !== undefined) continue;
    interfaces.delete(name);
  }
}

function defined(name: string, declaration: InterfaceDeclaration<object>, evaluation?: number): DefinedInterface {
  const { version, stubs } = slotsOf(name, declaration);
  const names = [...stubs.keys()];
  const { interfaces } = threadModules();
  const entry = interfaces.get(name) ?? newInterface(name);
  const { definition, waiting } = entry;
  if (definition !== undefined) requireSame(name, definition, { version, names });
  else {
    const standIns = Object.freeze([...stubs].map(([slot, stub], index) => standIn(stub, entry, slot, index)));
    const fresh = { version, names: Object.freeze(names), stubs: standIns };
    if (waiting !== undefined) requireWhole(name, fresh, waiting);
    // Nobody can have called anything yet: the table is in nobody's hands.
    Object.setPrototypeOf(entry.current, stateOf(standIns, 0));
    const slots = Object.fromEntries(names.map((slot, index) => [slot, forwarder(entry.current, slot, index)]));
    entry.definition = Object.freeze({ ...fresh, table: tableOf(entry, fresh, slots, implement) });
    entry.definedBy = new Set();
    interfaces.set(name, entry);
  }
  if (evaluation === undefined) entry.definedBy = undefined;
  else entry.definedBy?.add(evaluation);
  takeUp(entry as DefinedInterface);
  return entry as DefinedInterface;
}

/** Puts an implementation in force that came first. Once more where the thread was cut in between. */
function takeUp(entry: DefinedInterface): void {
  const { waiting, definition } = entry;
  if (waiting === undefined) return;
  if (entry.current.provider === undefined) putInForce(entry, definition, waiting.functions, waiting.module);
  entry.waiting = undefined;
}

/** A table of these slots, which are forwarders. */
function tableOf(
  entry: ThreadInterface,
  { version, names }: Omit<InterfaceDefinition, 'table'>,
  slots: object,
  implementer: Implementer,
): object {
  const { name, current } = entry;
  const methods = {
    implement: (functions: object) => implementer(name, { version, functions }),
    withdraw: () => withdraw(name),
    status: () => ({
      name,
      version,
      generation: current.generation,
      provider: current.provider,
      functions: [...names],
    }),
    get generation() {
      return current.generation;
    },
  };
  // Inherited, so that a table has nothing of its own but slots: V8 keeps an object with an accessor of its own as a dictionary.
  const prototype = Object.create(Object.prototype, hidden(methods));
  return Object.freeze(Object.create(Object.freeze(prototype), Object.getOwnPropertyDescriptors(slots)));
}

function hidden(object: object): PropertyDescriptorMap {
  const properties = Object.getOwnPropertyDescriptors(object) as PropertyDescriptorMap;
  for (const key of Object.keys(properties)) properties[key] = { ...properties[key], enumerable: false };
  return properties;
}
