// What stands in for an import that no file answers: small ES modules whose exports are values on this thread's anchor. A dependency is
// there, evaluated to its end, before whatever imports it; its exports are taken as they are then. So a dependent's text holds a short
// URL, not the whole text of its dependency once for each path that leads there.

import { MODULES_KEY } from '../abi/module.js';
import { host } from '../host/host.js';
import { type Shimmed, threadModules } from './thread-state.js';

/** A dependency that has been evaluated. */
export interface Dependency {
  readonly name: string;
  /** Of its evaluation. */
  readonly number: number;
  readonly exports: unknown;
  /** Undefined for CommonJS. */
  readonly url: string | undefined;
}

/** @throws COEXIST_EANCHOR */
export function dependencyUrl(dependency: Dependency): string {
  const { name, number } = dependency;
  const shim = shimOf(number);
  shim.exports ??= exportsOf(dependency);
  const names = Object.keys(shim.exports);
  const taken = names.map((key, k) => `v${k} = e[${JSON.stringify(key)}]`);
  const given = names.map((key, k) => `v${k} as ${JSON.stringify(key)}`);
  const text = `const e = ${shimAt(number)}.exports${taken.map((part) => `, ${part}`).join('')};\nexport { ${given.join(', ')} };`;
  return host.modules.textUrl([text], `${name}-${number}`);
}

/** coexist/module for one evaluation: as for all others, but for the functions that know what they are of. */
export function boundUrl(number: number, name: string, bound: Readonly<Record<string, unknown>>): string {
  shimOf(number).bound = bound;
  const entry = host.modules.entryUrl('coexist/module');
  const all = entry === undefined ? '' : `export * from ${JSON.stringify(entry)};\n`;
  const text = `${all}export const { ${Object.keys(bound).join(', ')} } = ${shimAt(number)}.bound;`;
  return host.modules.textUrl([text], `coexist-module-for-${name}-${number}`);
}

const shimAt = (number: number): string => `${host.modules.anchorExpression(MODULES_KEY)}.shims.get(${number})`;

function shimOf(number: number): Shimmed {
  const { shims } = threadModules();
  const shim = shims.get(number) ?? {};
  shims.set(number, shim);
  return shim;
}

/** What imports of it reach: of CommonJS, module.exports as the default and its enumerable keys, as Node has it. */
function exportsOf({ exports, url }: Dependency): Readonly<Record<string, unknown>> {
  const shared: Record<string, unknown> = Object.create(null);
  if ((typeof exports === 'object' && exports !== null) || typeof exports === 'function') {
    for (const key of Object.keys(exports)) {
      // No name of an export.
      if (!key.isWellFormed()) continue;
      try {
        shared[key] = (exports as Record<string, unknown>)[key];
      } catch {
        // A getter that throws is no export.
      }
    }
  }
  if (url === undefined) shared['default'] = exports;
  return shared;
}
