// Whose a declaration is that does not come through a module's own import of coexist/module: the program's, or that of a module with a
// copy of the library bundled into it.

import { CoexistError } from '../abi/errors.js';
import { type ThreadModule, threadModules } from './thread-state.js';

/**
 * The module that this call is part of; undefined: none, so it is the program's. CommonJS is evaluated in one go, so that what is called
 * meanwhile is the module's; while an ES module is evaluated, anything may be called in between.
 * @throws COEXIST_EREFUSED where that cannot be told
 */
export function evaluatedModule(call: string): ThreadModule | undefined {
  const { evaluating, areas } = threadModules();
  const last = evaluating.at(-1);
  if (last === undefined) return undefined;
  for (const modules of last.synchronous ? areas.values() : []) {
    for (const module of modules.values()) if (module.number === last.number) return module;
  }
  throw new CoexistError('COEXIST_EREFUSED', `nobody can tell whose ${call} is while a module is being evaluated`, {
    found: 'a call through a copy of coexist/module that is not its own',
    expected: 'coexist/module as the loader gives it',
    remedy: 'Leave coexist/module out of the bundle (external); the program declares its own outside loads.',
  });
}
