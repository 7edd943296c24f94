// What TypeScript knows of an interface: its functions, from the type argument or from its stubs; which stub may stand in which slot;
// what may implement it.

import type { Stub } from './stub.js';
import type { AnyFunction } from './thread-state.js';

/** An interface: its version, and what each of its functions answers without an implementation. */
export interface InterfaceDeclaration<S> {
  /** 1 to 65535; an implementation has the same. */
  readonly version: number;
  readonly functions: S;
}

type Result<F> = F extends (...args: never[]) => infer R ? R : never;
type Arguments<F> = F extends (...args: infer A) => unknown ? A : never;

/** What may stand in the slots of F: each returns what its function returns. */
export type StubsOf<F> = { readonly [K in keyof F]-?: F[K] extends AnyFunction ? Stub<Result<F[K]>> : never };

/** The functions of an interface of which only the stubs are known: they take anything. */
export type FunctionsOf<S> = {
  readonly [K in keyof S]: S[K] extends Stub<infer R> ? (...args: unknown[]) => R : never;
};

/** What implements F; where arguments are not known, it may take any. */
export type ImplementationOf<F> = {
  readonly [K in keyof F]-?: unknown[] extends Arguments<F[K]> ? (...args: never[]) => Result<F[K]> : F[K];
};

/** As data. */
export interface InterfaceStatus {
  readonly name: string;
  readonly version: number;
  /** Counts the switches. */
  readonly generation: number;
  /** The module that implements it; null: the program itself; undefined: nobody. */
  readonly provider: string | null | undefined;
  readonly functions: readonly string[];
}

export interface InterfaceMethods<F> {
  /**
   * Puts functions in all slots at once, as they are now; `this` of each is the object passed. It has these functions as own enumerable
   * properties, and nothing else. In a module that is being loaded this waits until the module is.
   * @throws COEXIST_EREFUSED (missing, beyond the interface, or not a function; it names them), COEXIST_EEXIST where somebody
   * implements it; nothing changed
   */
  implement(functions: ImplementationOf<F>): void;
  /** Puts the stubs back, whoever implements it; nothing to do where nobody does. */
  withdraw(): void;
  status(): InterfaceStatus;
  /** Counts the switches of the table: another one is another implementation, or none. */
  readonly generation: number;
}

/** The functions of an interface, for good: references to them reach whatever implements it when they are called. */
export type InterfaceTable<F> = { readonly [K in keyof F]-?: F[K] } & InterfaceMethods<F>;
