// What goes with a module that is given up: all that depends on it, then what it depends on that nobody needs any more. Without
// recursion: each discard() only notes that it happened, and whoever was first goes on until there is nothing left, so that a chain can
// be as long as the manifest.

import { moduleOf, needed } from './registry.js';
import type { Ending, ThreadModule } from './thread-state.js';

interface Gone {
  readonly modules: ReadonlyMap<string, ThreadModule>;
  readonly module: ThreadModule;
  readonly ending: Ending;
}

/** Empty while nothing is being discarded. Modules of another copy have a list of their own: then two take turns, one inside the other. */
const gone: Gone[] = [];

/** To be called once for each module, when it is out of the map of its area. */
export function discardRelatives(
  modules: ReadonlyMap<string, ThreadModule>,
  module: ThreadModule,
  ending: Ending,
): void {
  gone.push({ modules, module, ending });
  if (gone.length > 1) return;
  try {
    // All dependents first: only then is it known what nobody needs.
    for (let up = 0, down = 0; down < gone.length; ) {
      if (up < gone.length) discardDependents(gone[up++] as Gone);
      else discardDependencies(gone[down++] as Gone);
    }
  } finally {
    gone.length = 0;
  }
}

function discardDependents({ modules, module: { name, fingerprint }, ending }: Gone): void {
  const dependents: ThreadModule[] = [];
  for (const each of modules.values()) {
    if (each.fingerprint === fingerprint && each.depends.includes(name)) dependents.push(each);
  }
  for (const each of dependents) each.steps.discard(ending);
}

function discardDependencies({ modules, module: { depends, fingerprint }, ending }: Gone): void {
  for (const name of [...depends].reverse()) {
    const dependency = moduleOf(modules, name, fingerprint);
    if (dependency !== undefined && !needed(modules, dependency)) dependency.steps.discard(ending);
  }
}
