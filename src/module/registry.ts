// Which modules this thread has, of an area, by name and build.

import { BUILD_DIGITS } from '../abi/module.js';
import { type AreaLike, coreFor } from '../area/current.js';
import { type ThreadModule, threadModules } from './thread-state.js';

/** Those of an area, in the order in which they were loaded; those being loaded, too. */
export function modulesOf(area: AreaLike | undefined): Map<string, ThreadModule> {
  const { areas } = threadModules();
  const { id } = coreFor(area);
  let modules = areas.get(id);
  if (modules === undefined) {
    modules = new Map();
    areas.set(id, modules);
  }
  return modules;
}

/** The key of a build beside another of the same name. */
export const besideKey = (name: string, fingerprint: string): string => `${name}#${fingerprint.slice(0, BUILD_DIGITS)}`;

/** The module of this name and build, loaded or being loaded. */
export function moduleOf(
  modules: ReadonlyMap<string, ThreadModule>,
  name: string,
  fingerprint: string,
): ThreadModule | undefined {
  const first = modules.get(name);
  return first?.fingerprint === fingerprint ? first : modules.get(besideKey(name, fingerprint));
}

/** Whether a request, a name that was asked for, or another module keeps a module here. */
export function needed(modules: ReadonlyMap<string, ThreadModule>, module: ThreadModule): boolean {
  if (module.interest > 0 || module.requested) return true;
  for (const each of modules.values()) {
    if (each.fingerprint === module.fingerprint && each.depends.includes(module.name)) return true;
  }
  return false;
}
