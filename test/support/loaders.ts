// A build of modules on disk, a loader for it in an area of its own, and the journal that modules write: what ran, in which order.

import { createArea } from 'coexist';
import { createLoader, inspectModules, type Loader, type LoaderOptions, type Outcome } from 'coexist/module';
import { aBuild, type ModuleSource, writeBuild } from './modules.js';

interface Journals {
  journal?: string[];
}

/** What modules of this thread have written with `globalThis.journal.push()`; emptied by `newJournal()`. */
export const journal = (): string[] => {
  const journals = globalThis as Journals;
  journals.journal ??= [];
  return journals.journal;
};

export function newJournal(): string[] {
  (globalThis as Journals).journal = [];
  return journal();
}

/** The body of an ES module that notes its evaluation, and each of its initialisers as `name.type`. */
export function noting(name: string, types: readonly string[] = []): string {
  const inits = types.map((type) => `moduleInit('${type}', () => { globalThis.journal.push('${name}.${type}'); });`);
  return ["import { moduleInit } from 'coexist/module';", `globalThis.journal.push('${name}');`, ...inits].join('\n');
}

export interface TestHost {
  readonly dir: string;
  readonly area: ReturnType<typeof createArea>;
  readonly options: LoaderOptions;
  readonly loader: Loader;
  /** Everything that a load could leave behind. */
  state(): unknown;
}

/** A loader of these modules in a new area. */
export function aHost(modules: readonly ModuleSource[], options: Partial<LoaderOptions> = {}): TestHost {
  const { dir, manifest } = writeBuild(modules);
  const area = createArea();
  const all: LoaderOptions = { fingerprint: aBuild(), dirs: [dir], manifest, area, timeout: 10_000, ...options };
  const loader = createLoader(all);
  return { dir, area, options: all, loader, state: () => ({ list: loader.list(), process: inspectModules({ area }) }) };
}

/** What is worth comparing of outcomes: 'loaded', 'absent c', 'refused build c', 'failed a'. */
export function told(outcome: Outcome): string {
  if (outcome.outcome === 'absent') return `absent ${outcome.missing}`;
  if (outcome.outcome === 'refused') return `refused ${outcome.reason} ${outcome.culprit}`;
  if (outcome.outcome === 'failed') return `failed ${outcome.error.code} ${outcome.culprit}`;
  return outcome.outcome;
}

/** Resolves when the journal holds the entry; fails after 10 s. */
export async function written(entry: string): Promise<void> {
  for (let k = 0; k < 1000; k++) {
    if (journal().includes(entry)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the journal never held ${entry}: ${journal().join(', ')}`);
}
