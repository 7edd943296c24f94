// An ES module that is required on Node 20. What it imports, Node loads at once and past all hooks, from where its file really is: the base's
// modules, in the middle of a namespace. Such a module is refused, unless an import has loaded it before.

import { parse } from 'es-module-lexer/js';
import { CoexistError } from '../abi/errors.js';
import { graphs } from '../host/graphs.js';
import type { Decisions } from './decisions.js';
import { BASE } from './state.js';

/** @throws COEXIST_EUNSUPPORTED, the function that it returns */
export const refuseImports =
  (decisions: Decisions) =>
  (at: string, source: string): void => {
    const tag = decisions.parse(at);
    if (tag === undefined || tag.ns === BASE) return;
    if (decisions.isImported(tag.ns, tag.path)) return;
    const outside = importsOf(source).find((specifier) => !graphs.isBuiltin(specifier));
    if (outside === undefined) return;
    throw new CoexistError(
      'COEXIST_EUNSUPPORTED',
      `${tag.path} is an ES module that is required in namespace ${tag.ns}, and what it imports would be the base's on Node 20`,
      {
        found: `import of ${outside}`,
        expected: 'a module that imports nothing but modules of the runtime, or one that was imported before',
        remedy: `Open ${tag.path} in the namespace before whatever requires it, or use a later Node.`,
      },
    );
  };

/** What a module imports, but for `import()`. None where it is no module: Node says so. */
function importsOf(source: string): string[] {
  try {
    const [imports] = parse(source);
    return imports.flatMap(({ n, d }) => (d === -1 && n !== undefined ? [n] : []));
  } catch {
    return [];
  }
}
