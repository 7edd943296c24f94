// The table that holders call through: one forwarder for each slot, for good. All of them read one record, whose prototype is the state
// in force, so that setting the prototype switches the whole table, in one operation that nothing can come between.
//
// Why a prototype, and not a field: V8 compiles into a caller what an unchanging object holds, a prototype's properties too, and throws
// that code away when a prototype is replaced. A field that has been stored twice is variable for good, and what was found in it is
// called without being known. With the prototype, the frozen array and the bound functions all constant, a call through a slot compiles
// to a call of the implementation, for however many slots and interfaces, though all forwarders are closures of one line and share what
// V8 learns about that line. A forwarder of at most 27 bytes of bytecode is inlined whatever the caller's size.

import type { AnyFunction, InterfaceState, ThreadInterface } from './thread-state.js';

/** A record that has this state. */
export const recordOf = (state: InterfaceState): InterfaceState => Object.create(state);

/** The whole switch: one operation. */
export function switchTo(
  { current }: ThreadInterface,
  calls: readonly AnyFunction[],
  provider: string | null | undefined,
  self: object | undefined,
): void {
  Object.setPrototypeOf(current, stateOf(calls, current.generation + 1, provider, self));
}

export const stateOf = (
  calls: readonly AnyFunction[],
  generation: number,
  provider?: string | null,
  self?: object,
): InterfaceState => Object.freeze({ calls: Object.freeze(calls), generation, provider, self });

/** What the index-th slot of a table is. */
export function forwarder(record: InterfaceState, name: string, index: number): AnyFunction {
  // hot: nothing is left of it where the caller is compiled
  const forward = (...args: never[]): unknown => record.calls[index]!(...args);
  return Object.defineProperty(forward, 'name', { value: name });
}

/** Functions with the object that they are called on; whatever properties of their own they have. */
export function boundTo(self: object, functions: readonly AnyFunction[]): readonly AnyFunction[] {
  return functions.map((fn) => {
    try {
      return Reflect.apply(Function.prototype.bind, fn, [self]);
    } catch {
      // Its name, or its length, is a getter that throws: nothing may stop a switch that has begun.
      return (...args: never[]): unknown => Reflect.apply(fn, self, args);
    }
  });
}
