// What a request would load, and in which order, by the manifest alone: dependencies first, depth first, in the order in which each
// module declares them. Nothing is read and nothing has run before all of it may be loaded here.

import { show } from '../abi/errors.js';
import { MODULE_NAME } from '../abi/module.js';
import { absence, endingOf } from './endings.js';
import type { Manifest, ManifestModule } from './manifest.js';
import { refusedCycle, refusedHost, refusedName, refusedNotAllowed } from './refusals.js';
import type { Ending } from './thread-state.js';

export interface PlanSettings {
  readonly manifest: Manifest;
  readonly manifestPath: string | undefined;
  readonly origin: string;
  readonly host: string | undefined;
  readonly allowed: (name: string) => boolean;
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

/** The plan for a name, or what it is refused for. */
export function planFor(settings: PlanSettings, name: string): Plan {
  const modules: ManifestModule[] = [];
  const done = new Set<string>();
  const chain: string[] = [];

  const visit = (each: string): Plan | undefined => {
    if (done.has(each)) return undefined;
    const from = chain.indexOf(each);
    chain.push(each);
    if (from >= 0) return stop(endingOf(refusedCycle(each, chain.slice(from))));
    if (!MODULE_NAME.test(each)) return stop(endingOf(refusedName(each)));
    const entry = settings.manifest.modules.find((module) => module.name === each);
    if (entry === undefined)
      return stop(
        absence(each, `no module ${show(each)} is in the manifest ${settings.manifestPath ?? `of ${settings.origin}`}`),
        true,
      );
    const ending = refused(settings, entry);
    if (ending !== undefined) return stop(ending);
    for (const dependency of entry.depends) {
      const stopped = visit(dependency);
      if (stopped !== undefined) return stopped;
    }
    chain.pop();
    done.add(each);
    modules.push(entry);
    return undefined;
  };
  const stop = (ending: Ending, unlisted = false): Plan => ({ ending, chain: [...chain], unlisted });

  return visit(name) ?? { modules };
}

/** Whether this host may load it: its targets and the host's own list agree. */
export function mayLoad(settings: PlanSettings, entry: ManifestModule): boolean {
  return isTarget(entry, settings.host) && settings.allowed(entry.name);
}

const isTarget = ({ targets }: ManifestModule, host: string | undefined): boolean =>
  targets.length === 0 || (host !== undefined && targets.includes(host));

function refused({ host, allowed, allow }: PlanSettings, entry: ManifestModule): Ending | undefined {
  const { name, targets } = entry;
  if (!isTarget(entry, host)) return endingOf(refusedHost(name, host, targets));
  return allowed(name) ? undefined : endingOf(refusedNotAllowed(name, allow));
}
