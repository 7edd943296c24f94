// One module on its way into this thread: found and verified, entered in the process, evaluated, its initialisers run, committed; or
// out again by the one exit, from wherever it is. Each step is done once, however many requests wait for it, and does nothing once the
// module has been given up; what was under way then finds that out when it comes back.

import { type CoexistError, show } from '../abi/errors.js';
import { coreFor } from '../area/current.js';
import { host } from '../host/host.js';
import { SLICE_MS, suspend } from '../sync/wait.js';
import { boundTo } from './bound.js';
import { endingOf, failedWith, failure } from './endings.js';
import { evaluate } from './evaluate.js';
import { findAndVerify } from './find.js';
import { hold, release } from './holding.js';
import { patch, unpatch } from './implementing.js';
import { otherBeside } from './inspect.js';
import { forgetDefinitions } from './interface.js';
import { noteInterface } from './interface-word.js';
import type { ManifestModule } from './manifest.js';
import type { Settings } from './options.js';
import { misfit, otherVersion, taken } from './provided.js';
import { enter, type ModuleRecord, markLoaded, markUnloaded, onceOf, recordOf } from './record.js';
import { refusedBuild, refusedProcess } from './refusals.js';
import { moduleOf } from './registry.js';
import { discardRelatives } from './relatives.js';
import { type Ending, type InitEntry, type ThreadModule, threadModules } from './thread-state.js';
import type { Source, Verified } from './verify.js';

/** The file that the manifest lists, of the loader's build; why there is none otherwise. Nothing of it has run. */
export function verified(entry: ManifestModule, settings: Settings): Verified | Ending {
  const found = findAndVerify(entry, settings);
  if (!found.ok) return endingOf(found);
  const { fingerprint, origin } = settings;
  if (entry.fingerprint === fingerprint) return found;
  const listed = { fingerprint: entry.fingerprint, path: found.path };
  return endingOf(refusedBuild(entry.name, listed, { fingerprint, path: origin }));
}

/** A module that begins to be loaded, and is in the thread's map from now on. */
export function beginLoading(
  settings: Settings,
  entry: ManifestModule,
  modules: Map<string, ThreadModule>,
  key: string,
): ThreadModule {
  const { area, fingerprint } = settings;
  const { name } = entry;
  const state = threadModules();
  const controller = new AbortController();
  let source: Source | undefined;
  let record: ModuleRecord | undefined;
  let held = false;
  let end = (): void => undefined;
  /** As it is given up: nobody waits any longer for what it is at. */
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  /** Process-wide initialisers that have not come back. */
  let inside = 0;

  const verify = once('being verified', async () => {
    const found = verified(entry, settings);
    if ('outcome' in found) return discard(found);
    module.path = found.path;
    source = found;
  });

  const enterProcess = once('being entered in the process', async () => {
    const other = otherVersion(settings, entry) ?? taken(module, entry);
    if (other !== undefined) return discard(other);
    module.claims = Object.keys(entry.interfaces);
    const beside = settings.otherBuilds === 'refuse' ? otherBeside(name, area, fingerprint) : undefined;
    if (beside !== undefined) {
      return discard(endingOf(refusedProcess(name, beside, { fingerprint, path: module.path })));
    }
    if (await enterAs(undefined)) return;
    if (settings.otherBuilds === 'allow' && (await enterAs(fingerprint))) return;
  });

  async function enterAs(build: string | undefined): Promise<boolean> {
    const core = coreFor(area);
    const { signal } = controller;
    const place = recordOf(name, area, { build });
    const entered = await suspend(enter(place, fingerprint, module.path, true, { signal }), core.views.i32, signal);
    if (!entered.entered) {
      const last = build !== undefined || settings.otherBuilds === 'refuse';
      if (last) discard(endingOf(refusedProcess(name, entered.other, { fingerprint, path: module.path })));
      return false;
    }
    record = place;
    held = true;
    hold(place);
    module.record = place.index;
    module.generation = entered.generation;
    // It was given up while it waited.
    if (module.state === 'failed') leave();
    return true;
  }

  let evaluation: Promise<void> | undefined;
  const evaluateOnce = (timeout: number): Promise<void> => {
    evaluation ??= step('being evaluated', async () => {
      const { path, number } = module;
      const dependency = (each: string): ThreadModule | undefined => moduleOf(modules, each, fingerprint);
      module.open = true;
      // The first request that comes here is not the only one whose time counts.
      const longest = Math.max(timeout, module.until - host.now());
      const options = { path, number, dependency, bound: boundTo(module), timeout: longest, signal: controller.signal };
      const evaluated = await evaluate(source as Source, entry, options).catch((error: CoexistError) => error);
      module.open = false;
      source = undefined;
      if (module.state !== 'loading') return;
      if (evaluated instanceof Error) return discard(failedWith(name, evaluated));
      module.exports = evaluated.exports;
      module.url = evaluated.url;
      const ending = misfit(module, entry);
      if (ending !== undefined) discard(ending);
    });
    return Promise.race([evaluation, ended]);
  };

  async function run(each: InitEntry): Promise<void> {
    // Noted before it begins: what it does may ask for it again.
    each.running ??= Promise.resolve().then(() => begin(each));
    await Promise.race([each.running.catch(() => undefined), ended]);
  }

  async function begin(each: InitEntry): Promise<void> {
    if (module.state === 'failed') return;
    const number = module.entries.indexOf(each) + 1;
    const doing = `running its initialiser ${number}, of type ${show(each.type)}`;
    module.doing = doing;
    try {
      const call = (): unknown => each.fn({ module: name, type: each.type, signal: controller.signal });
      if (each.scope === 'thread') await call();
      else await beginOnce(each.once, call);
      each.done = true;
    } catch (error) {
      discard(failure(name, doing, error));
      throw error;
    }
  }

  async function beginOnce(k: number, call: () => unknown): Promise<void> {
    const once = onceOf(record as ModuleRecord, k);
    inside++;
    try {
      for (let begun = false; !begun; ) {
        const initialise = (): unknown => {
          begun = true;
          return call();
        };
        try {
          await once.callForceAsync(initialise, { signal: controller.signal });
          return;
        } catch (error) {
          // A load of it that was given up in this thread is inside that initialiser still.
          if (begun || (error as CoexistError).code !== 'COEXIST_EDEADLK') throw error;
          await new Promise<void>((resolve) => host.after(SLICE_MS, resolve));
        }
      }
    } finally {
      inside--;
      if (module.state === 'failed') leave();
    }
  }

  const object = (): Ending | undefined => taken(module, entry) ?? misfit(module, entry);

  function publish(): Ending | undefined {
    try {
      for (const [each, { version }] of module.implementations) {
        noteInterface(area, each, version, (record as ModuleRecord).index);
      }
      return undefined;
    } catch (error) {
      // It may have come into the process in another version since this one was entered.
      return otherVersion(settings, entry) ?? failure(name, 'being made known in the process', error);
    }
  }

  function commit(): void {
    if (module.state !== 'loading') return;
    module.state = 'loaded';
    module.doing = '';
    markLoaded(record as ModuleRecord);
    // Behind those that were loaded before it.
    modules.delete(key);
    modules.set(key, module);
    for (const [each, { version, functions }] of module.implementations) patch(each, version, functions, key);
  }

  function discard(ending: Ending): void {
    if (module.state === 'failed') return;
    const wasLoaded = module.state === 'loaded';
    module.state = 'failed';
    module.ending = ending;
    module.open = false;
    source = undefined;
    if (modules.get(key) === module) modules.delete(key);
    if (wasLoaded) for (const [each, { functions }] of module.implementations) unpatch(each, key, functions);
    else forgetDefinitions(module.number);
    module.implementations.clear();
    module.entries.length = 0;
    const { evaluating, shims } = state;
    const mark = evaluating.findIndex(({ number }) => number === module.number);
    if (mark >= 0) evaluating.splice(mark, 1);
    shims.delete(module.number);
    end();
    controller.abort(ending.error);
    if (wasLoaded) markUnloaded(record as ModuleRecord);
    leave();
    discardRelatives(modules, module, ending);
  }

  // Not while another thread could take what an initialiser does here for something that nobody does any more.
  function leave(): void {
    if (!held || inside > 0) return;
    held = false;
    release(record as ModuleRecord);
  }

  function once(doing: string, body: () => Promise<void>): () => Promise<void> {
    let promise: Promise<void> | undefined;
    return () => {
      promise ??= step(doing, body);
      return Promise.race([promise, ended]);
    };
  }

  async function step(doing: string, body: () => Promise<void>): Promise<void> {
    if (module.state !== 'loading') return;
    module.doing = doing;
    try {
      await body();
    } catch (error) {
      discard(failure(name, doing, error));
    }
  }

  const module: ThreadModule = {
    name,
    key,
    fingerprint,
    number: state.next++,
    depends: entry.depends,
    path: '',
    state: 'loading',
    generation: 0,
    exports: undefined,
    url: undefined,
    entries: [],
    claims: [],
    implementations: new Map(),
    open: false,
    record: undefined,
    interest: 0,
    until: 0,
    phases: [],
    requested: false,
    doing: 'being verified',
    ending: undefined,
    steps: { verify, enter: enterProcess, evaluate: evaluateOnce, run, object, publish, commit, discard },
  };
  modules.set(key, module);
  return module;
}
