// What a module's own import of coexist/module gives it: the functions that declare something, knowing which module they are of. What
// they declare waits, inert, until the whole module is loaded, and is dropped with it otherwise.

import { CoexistError, show } from '../abi/errors.js';
import type { ImplementationDeclaration } from './declared-interface.js';
import { collect, implementationOf } from './implementing.js';
import { declareInit, type Initialiser, type InitOptions } from './init.js';
import { defineInterfaceWith } from './interface.js';
import type { ThreadModule } from './thread-state.js';

/** The functions for one module. */
export function boundTo(module: ThreadModule): Readonly<Record<string, unknown>> {
  const implement = (name: string, declaration: ImplementationDeclaration): void => {
    requireOpen(module, 'implement()');
    collect(module, name, implementationOf(name, declaration));
  };
  return Object.freeze({
    moduleInit(type: string, fn: Initialiser, options?: InitOptions): void {
      requireOpen(module, 'moduleInit()');
      declareInit(module.entries, type, fn, options, true);
    },
    implement,
    // What it defines is everybody's; implementing that is the module's.
    defineInterface: defineInterfaceWith(implement, module.number),
  });
}

function requireOpen(module: ThreadModule, what: string): void {
  if (module.open) return;
  const state = module.state === 'loading' ? 'evaluated' : module.state === 'loaded' ? 'loaded' : 'given up';
  throw new CoexistError('COEXIST_EREFUSED', `${what} of module ${show(module.name)}, which is ${state} already`, {
    found: `a module that is ${state}`,
    expected: 'one that is being evaluated',
    remedy:
      'Declare it at the top level of the module: what is declared later would be seen by some and not by others.',
  });
}
