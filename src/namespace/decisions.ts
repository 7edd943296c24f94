// What the hooks ask, answered from a state. The same in the thread itself and in the thread of the hooks.

import type { GraphDecisions } from '../host/graphs.js';
import { commonJsFor } from './exports.js';
import { createPackages, type Packages } from './packages.js';
import { createPlaces } from './place.js';
import type { Changes } from './replica.js';
import type { State } from './state.js';
import type { Tags } from './tags.js';
import { createUniques, type Uniques } from './unique.js';

export interface Decisions extends GraphDecisions {
  readonly uniques: Uniques;
  readonly packages: Packages;
  /** Whether an import has asked for a namespace's own module. */
  isImported(ns: number, path: string): boolean;
}

export function createDecisions(state: State, tags: Tags, { locked, emit }: Changes): Decisions {
  const packages = createPackages(() => state.fresh);
  const uniques = createUniques(state, packages, emit);
  const places = createPlaces(state, tags, uniques, emit);
  return {
    uniques,
    packages,
    parse: (path) => tags.parse(path),
    place: (resolved) =>
      locked(() => {
        const { ns, specifier, target, how } = resolved;
        if (how !== 'require' || state.slots[ns]?.kind !== 'closable') return places.place(resolved);
        return places.place({ ...resolved, target: commonJsFor(packages, specifier, target) });
      }),
    isImported: (ns, path) => locked(() => state.slots[ns]?.entries.get(path)?.imported === true),
    concerns: (specifier) => uniques.concerns(specifier),
    answer: (id, url) => locked(() => emit({ t: 'resolved', id, url })),
  };
}
