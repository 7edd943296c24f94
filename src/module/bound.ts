// What a module's own import of coexist/module gives it: the functions that declare something, knowing which module they are of. What
// they declare waits, inert, until the whole module is loaded, and is dropped with it otherwise.

import { CoexistError, show } from '../abi/errors.js';
import type { ImplementationDeclaration } from './declared-interface.js';
import { collect, implementationOf } from './implementing.js';
import { declareInit, type Initialiser, type InitOptions } from './init.js';
import { defineInterfaceWith } from './interface.js';
import type { InterfaceDeclaration, StubsOf } from './interface-types.js';
import type { ThreadModule } from './thread-state.js';

/** The functions for one module. */
export function boundTo(module: ThreadModule): Readonly<Record<string, unknown>> {
  const implement = (name: string, declaration: ImplementationDeclaration): void => {
    requireOpen(module, 'implement()');
    collect(module, name, implementationOf(name, declaration));
  };
  const define = defineInterfaceWith(implement, module.number);
  return Object.freeze({
    moduleInit(type: string, fn: Initialiser, options?: InitOptions): void {
      requireOpen(module, 'moduleInit()');
      declareInit(module.entries, type, fn, options, true);
    },
    implement,
    // What it defines is everybody's, and may come later; implementing that is the module's.
    defineInterface(name: string, declaration: InterfaceDeclaration<StubsOf<object>>): object {
      if (module.state === 'failed') throw closed(module, 'defineInterface()', 'one that is not given up');
      return define(name, declaration);
    },
  });
}

function requireOpen(module: ThreadModule, what: string): void {
  if (!module.open) throw closed(module, what, 'one that is being evaluated');
}

function closed(module: ThreadModule, what: string, expected: string): CoexistError {
  const state = module.state === 'loading' ? 'evaluated' : module.state === 'loaded' ? 'loaded' : 'given up';
  return new CoexistError('COEXIST_EREFUSED', `${what} of module ${show(module.name)}, which is ${state} already`, {
    found: `a module that is ${state}`,
    expected,
    remedy:
      state === 'given up'
        ? 'Load the module again; nothing that an evaluation which was given up declares counts.'
        : 'Declare it at the top level of the module: what is declared later would be seen by some and not by others.',
  });
}
