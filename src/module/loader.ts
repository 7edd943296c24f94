// createLoader(): what a program asks for modules. A loader is a set of decisions (which build, which directories, which names) over
// what the thread has: what one has loaded, another finds loaded.

import { CoexistError, invalid } from '../abi/errors.js';
import { dispose } from '../host/dispose.js';
import { type Registration, register } from '../thread/registration.js';
import { absence, outcomeOf } from './endings.js';
import { callPhase, type InitReport, requireType } from './init.js';
import { inspectModules } from './inspect.js';
import { RequestLimit } from './limit.js';
import { listModules, type ModuleListing } from './listing.js';
import { onLoadStub } from './load-source.js';
import {
  checkLoaderOptions,
  checkLoadOptions,
  type LoaderOptions,
  type LoadOptions,
  type Settings,
} from './options.js';
import type { Outcome } from './outcome.js';
import { isLeftOut } from './plan.js';
import { modulesOf } from './registry.js';
import type { ThreadModule } from './thread-state.js';
import { load } from './transaction.js';

/** What a module is looked for by, instead of its name. */
export type LoadFor = { readonly object: string } | { readonly option: string };

/**
 * Loads modules of one build into this thread.
 * @since 0.1.0
 */
export class Loader {
  readonly #settings: Settings;
  readonly #modules: Map<string, ThreadModule>;
  readonly #registration: Registration;
  readonly #phases: string[] = [];
  readonly #disposed = new AbortController();
  readonly #forget: () => void;

  /** @internal Use `createLoader()`. */
  constructor(options: LoaderOptions) {
    const settings = checkLoaderOptions(options);
    this.#settings = settings;
    this.#registration = register({ name: 'coexist/module', area: settings.area as never });
    this.#modules = modulesOf(settings.area);
    this.#forget = onLoadStub({
      moduleOf: (name) => this.#implementing(name),
      load: (name) => this.load(name),
    });
  }

  /**
   * Loads a module and what it depends on, unless it is loaded. What becomes of it is the outcome: the promise rejects for misuse only.
   * Another thread sees the module in `inspectModules()`, and nothing of one that was not loaded.
   * @throws (rejects) COEXIST_EINVAL, COEXIST_EUNREGISTERED
   */
  async load(name: string, options?: LoadOptions): Promise<Outcome> {
    if (typeof name !== 'string') throw invalid('name', name, 'the name of a module');
    return await this.#within(options, (limit) => this.#load(name, limit));
  }

  /**
   * Loads the module that provides an object, or that an option needs, by the manifest.
   * @throws (rejects) COEXIST_EINVAL, COEXIST_EUNREGISTERED
   */
  async loadFor(what: LoadFor, options?: LoadOptions): Promise<Outcome> {
    const [kind, value] = requireOne(what);
    const entries = this.#settings.manifest.modules.filter((entry) => entry[kind].includes(value));
    const entry = entries.find((each) => !isLeftOut(this.#settings, each)) ?? entries[0];
    return await this.#within(options, async (limit) => {
      if (entry !== undefined) return await this.#load(entry.name, limit);
      const noun = kind === 'objects' ? 'provides object' : 'is for option';
      return outcomeOf(
        value,
        absence(
          value,
          `no module of the manifest ${noun} ${JSON.stringify(value)}. Correct the name, or add a module for it and collect the manifest again`,
        ),
        [value],
      );
    });
  }

  /**
   * Loads every module that this host may load, or has not decided about, one after the other in the manifest's order; the time is for each of them.
   * @throws (rejects) COEXIST_EINVAL, COEXIST_EUNREGISTERED
   */
  async loadAll(options?: LoadOptions): Promise<Outcome[]> {
    const { manifest } = this.#settings;
    const names = manifest.modules.filter((entry) => !isLeftOut(this.#settings, entry)).map(({ name }) => name);
    return await this.#loadEach(names, options);
  }

  /**
   * Loads what living threads of the area have loaded, in the order in which the process came to know it.
   * @throws (rejects) COEXIST_EINVAL, COEXIST_EUNREGISTERED
   */
  async loadPresent(options?: LoadOptions): Promise<Outcome[]> {
    const present = inspectModules({ area: this.#settings.area });
    const loaded = present.filter(({ threads }) => threads.some((thread) => thread.loaded));
    return await this.#loadEach([...new Set(loaded.map(({ name }) => name))], options);
  }

  /** Every module of the manifest, as plain data. */
  list(): ModuleListing[] {
    return listModules(this.#settings, this.#modules);
  }

  /**
   * Calls a phase: runs the initialisers of this type that have not run in this thread, one after the other, and from now on those of
   * what this loader loads. A module whose initialiser throws is discarded, with what depends on it.
   * @throws (rejects) COEXIST_EINVAL, COEXIST_EUNREGISTERED
   */
  async callInit(type: string, options?: LoadOptions): Promise<InitReport> {
    requireType(type);
    return await this.#within(options, async (limit) => {
      if (!this.#phases.includes(type)) this.#phases.push(type);
      return await callPhase(type, this.#modules, limit);
    });
  }

  /** Gives up what it is loading, and its registration. What is loaded stays. */
  [dispose](): void {
    if (this.#disposed.signal.aborted) return;
    this.#disposed.abort(new Error('the loader was disposed'));
    this.#forget();
    this.#registration[dispose]();
  }

  #load(name: string, limit: RequestLimit): Promise<Outcome> {
    return load({ settings: this.#settings, modules: this.#modules, phases: this.#phases }, name, limit);
  }

  async #loadEach(names: readonly string[], options: LoadOptions | undefined): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    checkLoadOptions(options);
    this.#requireLive();
    for (const name of names) outcomes.push(await this.#within(options, (limit) => this.#load(name, limit), true));
    return outcomes;
  }

  async #within<T>(
    options: LoadOptions | undefined,
    run: (limit: RequestLimit) => Promise<T>,
    begun = false,
  ): Promise<T> {
    const { timeout = this.#settings.timeout, signal } = checkLoadOptions(options);
    if (!begun) this.#requireLive();
    const limit = new RequestLimit(timeout, [signal, this.#disposed.signal]);
    try {
      return await run(limit);
    } finally {
      limit.stop();
    }
  }

  #implementing(name: string): string | undefined {
    const { manifest } = this.#settings;
    return manifest.modules.find((each) => Object.hasOwn(each.interfaces, name) && !isLeftOut(this.#settings, each))
      ?.name;
  }

  #requireLive(): void {
    if (!this.#disposed.signal.aborted) return;
    throw new CoexistError('COEXIST_EUNREGISTERED', 'this loader was disposed', {
      found: 'a loader that was disposed',
      expected: 'one that is in use',
      remedy: 'Create a loader where modules are loaded, and dispose it when nothing more is.',
    });
  }
}

/**
 * A loader of modules for this thread, which it registers.
 * @throws COEXIST_EINVAL, and as `register()`; nothing changed
 * @since 0.1.0
 */
export function createLoader(options: LoaderOptions): Loader {
  return new Loader(options);
}

function requireOne(what: unknown): readonly ['objects' | 'options', string] {
  const { object, option } = (typeof what === 'object' && what !== null ? what : {}) as Record<string, unknown>;
  if (typeof object === 'string' && option === undefined) return ['objects', object];
  if (typeof option === 'string' && object === undefined) return ['options', option];
  throw invalid('what', what, '{ object } or { option }, a string');
}
