// coexist/module: code built apart, loaded only where it is of the same build as its host, and interfaces that can be called before,
// while and after something implements them.

export {
  defineInterface,
  type FunctionsOf,
  type ImplementationDeclaration,
  type ImplementationOf,
  type InterfaceDeclaration,
  type InterfaceMethods,
  type InterfaceStatus,
  type InterfaceTable,
  implement,
  type Stub,
  type StubsOf,
  stub,
} from './core.js';
