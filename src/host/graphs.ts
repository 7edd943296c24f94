// What namespaces ask of a runtime: to have a say in what every import and require() resolves to, and links under which a file is another
// module. It knows nothing of namespaces but that a path can be another one in disguise.

import { nodeGraphs } from './node/graphs.js';

/** A path in disguise, and the namespace that it is for. */
export interface Disguise {
  readonly ns: number;
  readonly path: string;
}

/** A request that the runtime has resolved. */
export interface Resolved {
  readonly ns: number;
  readonly specifier: string;
  /** Real path of who asks; undefined where that is no file. */
  readonly importer: string | undefined;
  /** The same as the runtime has it, which may be a disguise. */
  readonly importerAt: string | undefined;
  /** Real path of what it resolves to. */
  readonly target: string;
  readonly how: 'import' | 'require';
}

/** What the hooks ask. All of it is synchronous, and may throw: whoever asked for the module gets that. */
export interface GraphDecisions {
  /** Undefined for a path that is no disguise. */
  parse(path: string): Disguise | undefined;
  /** Whether a path or URL may be a disguise: false only where it is none. Fast. */
  mayBeDisguised(at: string): boolean;
  /** The path to load instead. */
  place(resolved: Resolved): string;
  /** Whether a request that comes from no namespace needs a decision. */
  concerns(specifier: string): boolean;
  /** A question of `ask()` has its answer. */
  answer(id: number, url: string): void;
}

/** The way in which imports are decided about: in this thread, or by a copy of the decisions in the thread of the hooks. */
export interface ImportHooks {
  /** undefined: by `decisions`, here. */
  readonly thread: { start(data: unknown, transfer: readonly unknown[]): void } | undefined;
}

/** How a file is to be compiled where the runtime would not: as CommonJS, from this text. */
export interface CompileAsCommonJs {
  /** Undefined: as the runtime does. */
  textFor(path: string): string | undefined;
}

export interface GraphHost {
  /** A new directory of this thread's own, for links; real path. Sweeps those of the dead. @throws what the file system throws */
  createRoot(prefix: string): string;
  /** Makes the link that gives all files another path. Does nothing where it is there. @throws what the file system throws */
  link(root: string, label: string): void;
  unlink(root: string, label: string): void;
  /** What is in the way of hooks; undefined where nothing is. */
  obstacle(): string | undefined;
  /** Installs the hooks of import and of require(), for good. */
  install(decisions: GraphDecisions): ImportHooks;
  /** Has files of CommonJS compiled from other texts, from now on. */
  compile(compile: CompileAsCommonJs): void;
  /** Calls back with the text of every ES module that is required, where Node loads what that imports past all hooks. It may throw. */
  onRequiredModule(check: (path: string, source: string) => void): void;
  /** What an import from `parent` resolves to, as a URL, by all hooks there are: `answer` gets it. Rejects where it resolves to nothing. */
  ask(id: number, specifier: string, parent: string): Promise<void>;
  /** What a require() from `parent` resolves to: a path, or the name of a module of the runtime's own. */
  resolveRequire(specifier: string, parent: string): string;
  import(url: string, json: boolean): Promise<unknown>;
  require(path: string): unknown;
  /** Whether CommonJS has a module under this path. */
  isRequired(path: string): boolean;
  /** The paths of all modules of CommonJS. */
  required(): readonly string[];
  /** Forgets the CommonJS modules under paths for which this holds. */
  forget(which: (path: string) => boolean): void;
  /** Whether the text of an ES module has been compiled; takes some 20 ms. False where the runtime does not tell. */
  isImported(url: string): boolean;
  isBuiltin(specifier: string): boolean;
  pathOf(url: string): string | undefined;
  urlOf(path: string): string;
  /** The first file on the call stack that is none of the library's. */
  caller(): string | undefined;
  onExit(listener: () => void): () => void;
}

export const graphs: GraphHost = nodeGraphs;
