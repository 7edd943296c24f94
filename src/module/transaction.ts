// One request to load: all that it needs is verified before anything of it runs, and becomes visible in one go at the end, or not at
// all. Modules are shared with whatever else in this thread needs them at the same time: each step of a module is done once, a
// request that is given up stops waiting, and a module that no request and no other module needs any more is discarded.
//
// Every wait ends with a look at what has changed meanwhile: a module of the plan may have been discarded, a phase called, the time
// be up. From the last look to the last effect nothing is waited for.

import { show } from '../abi/errors.js';
import { endingOf, failure, outcomeOf } from './endings.js';
import { pendingOf } from './init.js';
import type { RequestLimit } from './limit.js';
import { beginLoading, verified } from './loading.js';
import type { ManifestModule } from './manifest.js';
import type { Settings } from './options.js';
import type { Outcome } from './outcome.js';
import { planFor } from './plan.js';
import { refusedInterface, refusedProcess } from './refusals.js';
import { besideKey, moduleOf, needed } from './registry.js';
import type { Ending, ThreadModule } from './thread-state.js';
import { unlisted } from './unlisted.js';

export interface LoaderState {
  readonly settings: Settings;
  readonly modules: Map<string, ThreadModule>;
  /** Phases that were called, in that order. */
  readonly phases: readonly string[];
}

/** Loads a module with what it depends on. Rejects for nothing that a module does. */
export async function load(loader: LoaderState, name: string, limit: RequestLimit): Promise<Outcome> {
  const { settings, modules } = loader;
  const plan = planFor(settings, name);
  if (plan.ending !== undefined) {
    const { ending, chain } = plan;
    return outcomeOf(name, plan.unlisted ? (unlisted(settings, ending.culprit) ?? ending) : ending, chain);
  }
  const members: ThreadModule[] = [];
  let ending: Ending | undefined;
  try {
    ending = claimAll(loader, plan.modules, members, limit.until);
    const root = members.at(-1);
    const already = root?.state === 'loaded';
    ending ??= await loadAll(loader, members, limit);
    if (ending === undefined && root !== undefined) {
      root.requested = true;
      const { exports, path, fingerprint, generation } = root;
      const message = already ? `module ${show(name)} was loaded already` : `module ${show(name)} is loaded`;
      return { outcome: already ? 'already' : 'loaded', name, message, exports, path, fingerprint, generation };
    }
  } catch (error) {
    ending = failure(name, 'being loaded', error);
  } finally {
    for (const member of members) {
      member.interest--;
      member.phases.splice(member.phases.indexOf(loader.phases), 1);
    }
    for (const member of [...members].reverse()) {
      if (ending !== undefined && !needed(modules, member)) member.steps.discard(ending);
    }
  }
  return outcomeOf(name, ending as Ending, chainTo(plan.modules, name, (ending as Ending).culprit));
}

/** Takes an interest in every module of the plan, begins those that are neither loaded nor being loaded. */
function claimAll(
  { settings, modules, phases }: LoaderState,
  entries: readonly ManifestModule[],
  members: ThreadModule[],
  until: number,
): Ending | undefined {
  const clash = clashOf(entries);
  if (clash !== undefined) return clash;
  for (const entry of entries) {
    const found = claim(settings, modules, entry);
    if ('outcome' in found) return found;
    found.interest++;
    found.until = Math.max(found.until, until);
    found.phases.push(phases);
    members.push(found);
  }
  return undefined;
}

function claim(settings: Settings, modules: Map<string, ThreadModule>, entry: ManifestModule): ThreadModule | Ending {
  const { name } = entry;
  const { fingerprint, origin } = settings;
  const here = moduleOf(modules, name, fingerprint);
  if (here !== undefined) return here;
  const first = modules.get(name);
  if (first === undefined) return beginLoading(settings, entry, modules, name);
  if (settings.otherBuilds === 'refuse') {
    // What could not be loaded anyway is refused for that.
    const found = verified(entry, settings);
    if ('outcome' in found) return found;
    const expected = { fingerprint, path: origin };
    const path = first.path === '' ? 'a file that is being looked for' : first.path;
    return endingOf(refusedProcess(name, { fingerprint: first.fingerprint, path }, expected));
  }
  return beginLoading(settings, entry, modules, besideKey(name, fingerprint));
}

/** Two modules of one plan that implement the same interface. */
function clashOf(entries: readonly ManifestModule[]): Ending | undefined {
  const by = new Map<string, string>();
  for (const { name, interfaces } of entries) {
    for (const each of Object.keys(interfaces)) {
      const other = by.get(each);
      if (other !== undefined) {
        const problem = `modules ${show(name)} and ${show(other)} both implement interface ${show(each)}, expected one of them to`;
        const remedy = 'Let one of them implement it.';
        return endingOf(refusedInterface(name, problem, { found: [other, name], expected: 'one module', remedy }));
      }
      by.set(each, name);
    }
  }
  return undefined;
}

async function loadAll(
  { phases }: LoaderState,
  members: readonly ThreadModule[],
  limit: RequestLimit,
): Promise<Ending | undefined> {
  const root = members.at(-1) as ThreadModule;
  let at = root;
  // What ended it, if anything has.
  const over = (): Ending | undefined => {
    const failed = members.find(({ state }) => state === 'failed');
    return failed?.ending ?? (limit.isOver() ? limit.ending(at.name, at.doing || 'being asked for') : undefined);
  };
  const after = async (module: ThreadModule, promise: Promise<unknown>): Promise<Ending | undefined> => {
    at = module;
    await limit.within(promise);
    return over();
  };
  const initialised = async (of: readonly ThreadModule[]): Promise<Ending | undefined> => {
    for (;;) {
      const module = of.find((each) => pendingOf(each, phases) !== undefined);
      const entry = module && pendingOf(module, phases);
      if (module === undefined || entry === undefined) return undefined;
      const begun = entry.running === undefined;
      const ending = await after(module, module.steps.run(entry));
      // One that is not loaded goes when nobody needs it any more.
      if (begun && !entry.done && module.state === 'loaded') {
        module.steps.discard(limit.ending(module.name, module.doing));
      }
      if (ending !== undefined) return ending;
    }
  };

  if (limit.wasAborted()) return over();
  let ending: Ending | undefined;
  const fresh = members.filter(({ state }) => state === 'loading');
  // All of them first: nothing of a plan runs before the whole plan is known to be good.
  for (const module of fresh) ending ??= await after(module, module.steps.verify());
  for (const module of fresh) ending ??= await after(module, module.steps.enter());
  for (const module of fresh) {
    // What was loaded before may have initialisers of phases that this loader alone has called.
    ending ??= await initialised(members.slice(0, members.indexOf(module)));
    ending ??= await after(module, module.steps.evaluate(limit.left()));
  }
  // To the last one, and those of phases that were called meanwhile: while this was told that there are no more, too.
  do ending ??= await initialised(members);
  while (ending === undefined && members.some((each) => pendingOf(each, phases) !== undefined));
  return ending ?? commit(members);
}

/** Nothing is waited for in here. */
function commit(members: readonly ThreadModule[]): Ending | undefined {
  // The last look was a turn ago.
  const failed = members.find(({ state }) => state === 'failed');
  if (failed !== undefined) return failed.ending;
  const fresh = members.filter(({ state }) => state === 'loading');
  for (const step of ['object', 'publish'] as const) {
    for (const { steps } of fresh) {
      const ending = steps[step]();
      if (ending === undefined) continue;
      steps.discard(ending);
      return ending;
    }
  }
  for (const { name, steps } of fresh) {
    try {
      steps.commit();
    } catch (error) {
      // Its functions refused to be bound; what was committed before it goes, too.
      const ending = failure(name, 'being put in force', error);
      for (const each of fresh) each.steps.discard(ending);
      return ending;
    }
  }
  return undefined;
}

/** From what was asked for to the culprit, by what depends on what: a shortest way. */
function chainTo(entries: readonly ManifestModule[], name: string, culprit: string): string[] {
  const depends = new Map(entries.map((entry) => [entry.name, entry.depends]));
  const cameFrom = new Map<string, string | undefined>([[name, undefined]]);
  for (const each of cameFrom.keys()) {
    if (each === culprit) break;
    for (const next of depends.get(each) ?? []) if (!cameFrom.has(next)) cameFrom.set(next, each);
  }
  const chain: string[] = [];
  let at = cameFrom.has(culprit) ? culprit : name;
  for (;;) {
    chain.unshift(at);
    const before = cameFrom.get(at);
    if (before === undefined) return chain;
    at = before;
  }
}
