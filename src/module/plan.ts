// What a request would load, and in which order, by the manifest alone: dependencies first, depth first, in the order in which each
// module declares them. Nothing is read and nothing has run before all of it may be loaded here.

import { show } from '../abi/errors.js';
import { MODULE_NAME } from '../abi/module.js';
import { absence, endingOf } from './endings.js';
import type { Manifest, ManifestModule } from './manifest.js';
import { refusedCycle, refusedHost, refusedName, refusedNotAllowed, refusedUndecided } from './refusals.js';
import type { Ending } from './thread-state.js';

/** What `allow` says of a name, or has thrown instead. */
export type Permission = boolean | { readonly thrown: unknown };

export interface PlanSettings {
  readonly manifest: Manifest;
  readonly manifestPath: string | undefined;
  readonly origin: string;
  readonly host: string | undefined;
  readonly allowed: (name: string) => Permission;
  /** The names that it permits, undefined where a function decides. */
  readonly allow: readonly string[] | undefined;
}

export type Plan =
  | { readonly modules: readonly ManifestModule[]; readonly ending?: undefined }
  | {
      readonly ending: Ending;
      /** From what was asked for to the culprit. */
      readonly chain: readonly string[];
      /** It is in no manifest: its file, if there is one, has to say more. */
      readonly unlisted: boolean;
    };

/** The plan for a name, or what it is refused for. Without recursion: a chain can be as long as the manifest. */
export function planFor(settings: PlanSettings, name: string): Plan {
  const entries = new Map(settings.manifest.modules.map((entry) => [entry.name, entry]));
  const modules: ManifestModule[] = [];
  const done = new Set<string>();
  /** From what was asked for to what is looked at, each with the dependency that is next; `open`: their names. */
  const path: { readonly entry: ManifestModule; next: number }[] = [];
  const open = new Set<string>();

  const enter = (each: string): Plan | undefined => {
    if (done.has(each)) return undefined;
    const stop = (ending: Ending, unlisted = false): Plan => ({ ending, chain: [...open, each], unlisted });
    if (open.has(each)) {
      const names = [...open, each];
      return stop(endingOf(refusedCycle(each, names.slice(names.indexOf(each)))));
    }
    if (!MODULE_NAME.test(each)) return stop(endingOf(refusedName(each)));
    const entry = entries.get(each);
    if (entry === undefined) {
      const where = settings.manifestPath ?? `of ${settings.origin}`;
      return stop(
        absence(
          each,
          `no module ${show(each)} is in the manifest ${where}. Correct the name, or install the module and collect the manifest again`,
        ),
        true,
      );
    }
    const ending = refused(settings, entry);
    if (ending !== undefined) return stop(ending);
    open.add(each);
    path.push({ entry, next: 0 });
    return undefined;
  };

  let stopped = enter(name);
  for (let last = path.at(-1); stopped === undefined && last !== undefined; last = path.at(-1)) {
    const dependency = last.entry.depends[last.next++];
    if (dependency !== undefined) {
      stopped = enter(dependency);
      continue;
    }
    path.pop();
    open.delete(last.entry.name);
    done.add(last.entry.name);
    modules.push(last.entry);
  }
  return stopped ?? { modules };
}

/** Whether this host may load it: its targets and the host's own list agree. */
export function mayLoad(settings: PlanSettings, entry: ManifestModule): boolean {
  return isTarget(entry, settings.host) && settings.allowed(entry.name) === true;
}

/** Whether nobody is to hear of it here. One for which `allow` throws is asked for, so that this comes to light. */
export function isLeftOut(settings: PlanSettings, entry: ManifestModule): boolean {
  return !isTarget(entry, settings.host) || settings.allowed(entry.name) === false;
}

const isTarget = ({ targets }: ManifestModule, host: string | undefined): boolean =>
  targets.length === 0 || (host !== undefined && targets.includes(host));

function refused({ host, allowed, allow }: PlanSettings, entry: ManifestModule): Ending | undefined {
  const { name, targets } = entry;
  if (!isTarget(entry, host)) return endingOf(refusedHost(name, host, targets));
  const permission = allowed(name);
  if (permission === true) return undefined;
  return endingOf(permission === false ? refusedNotAllowed(name, allow) : refusedUndecided(name, permission.thrown));
}
