// What the hooks ask, answered from a state. The same in the thread itself and in the thread of the hooks.

import type { GraphDecisions, Resolved } from '../host/graphs.js';
import { commonJsFor } from './exports.js';
import { createPackages, type Packages } from './packages.js';
import { createPlaces } from './place.js';
import type { Changes } from './replica.js';
import { BASE, type State } from './state.js';
import type { Tags } from './tags.js';
import { createUniques, type Uniques } from './unique.js';

export interface Decisions extends GraphDecisions {
  readonly uniques: Uniques;
  readonly packages: Packages;
  /** Whether an import has asked for a namespace's own module. */
  isImported(ns: number, path: string): boolean;
}

/** `pastHooks`: whether what a required ES module imports is loaded past all hooks, as on Node 20. */
export function createDecisions(
  state: State,
  tags: Tags,
  { locked, emit }: Changes,
  pastHooks: () => boolean,
): Decisions {
  const packages = createPackages(() => state.fresh);
  const uniques = createUniques(state, packages, emit);
  const places = createPlaces(state, tags, uniques, emit);
  const isImported = (ns: number, path: string): boolean => state.slots[ns]?.entries.get(path)?.imported === true;

  /** Whether a require() in a namespace is to get CommonJS where a package has it beside an ES module. */
  function wantsCommonJs({ ns, target, how }: Resolved): boolean {
    if (how !== 'require' || ns === BASE) return false;
    return state.slots[ns]?.kind === 'closable' || (pastHooks() && !isImported(ns, target));
  }

  return {
    uniques,
    packages,
    parse: (path) => tags.parse(path),
    mayBeDisguised: (at) => at.includes(tags.name),
    place: (resolved) =>
      locked(() => {
        if (!wantsCommonJs(resolved)) return places.place(resolved);
        return places.place({ ...resolved, target: commonJsFor(packages, resolved.specifier, resolved.target) });
      }),
    isImported: (ns, path) => locked(() => isImported(ns, path)),
    concerns: (specifier) => uniques.concerns(specifier),
    answer: (id, url) => locked(() => emit({ t: 'resolved', id, url })),
  };
}
