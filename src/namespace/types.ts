// The public types of coexist/namespace.

import type { NamespaceKind, UniquePolicy } from './state.js';

export interface NamespaceOptions {
  /** NEW (a new one, the default), BASE, or the number of one that is there. */
  readonly id?: number;
  /**
   * Of a new one. permanent (the default): any modules; they stay in memory for good. closable: CommonJS, JSON, and what `transform` makes
   * CommonJS of; `close()` frees it.
   */
  readonly kind?: NamespaceKind;
  /** Highest number that a new one may have; 16 where it is left out. */
  readonly limit?: number;
  /** Numbers from 1 on that are kept for tools: no new namespace gets them, now or later. None where it is left out. */
  readonly reserve?: number;
  /** Makes CommonJS of the text of an ES module, for a closable one. `import()` is to become `require()`, too. */
  readonly transform?: Transform;
  /** File, path or URL, that specifiers are resolved from, unless `open()` says otherwise. The current directory where it is left out. */
  readonly from?: string | URL;
}

export type Transform = (source: string, file: { readonly path: string }) => string;

export interface OpenOptions {
  /** The base's module, of which the namespace has a proxy. Without effect in the base. */
  readonly shared?: boolean;
  /** A module of the namespace's own in any case, and all that it will ever import, too. Stronger than `shared` and unique packages. */
  readonly isolate?: boolean;
  /** Only if it is loaded. With `shared`: if the base has it. */
  readonly noload?: boolean;
  /** As dlopen's RTLD_GLOBAL: refused outside the base, and without effect there. */
  readonly global?: boolean;
  /** File, path or URL, that the specifier is resolved from. */
  readonly from?: string | URL;
}

/** What closing has left behind. */
export interface Closed {
  /** Whether the namespace, its modules and its number are free again. */
  readonly released: boolean;
  /** Modules of the namespace's own that stay in memory. */
  readonly retainedModules: number;
}

/** A module as a namespace has it. The same for everybody who opens it there. */
export interface Handle {
  /** The namespace that it was opened in. */
  readonly ns: number;
  /** The namespace that the module is of: the base's for a proxy. */
  readonly realNs: number;
  readonly kind: 'own' | 'proxy';
  /** What `import()` gives; what `require()` gives in a closable namespace. Undefined once that is released. */
  readonly module: unknown;
  /** Real path of its file, or the name of a module of the runtime's own. */
  readonly path: string;
  /** How often it is open. */
  readonly opens: number;
  /** Whose package it is of; undefined where there is none. */
  readonly package: string | undefined;
  readonly version: string | undefined;
  /** Ends one opening. No module's code runs. @throws COEXIST_EUNREGISTERED where it is not open */
  close(): Closed;
  /** Ends one opening, or does nothing. */
  [Symbol.dispose](): void;
}

/** A module that a namespace has. Plain data. */
export interface NamespaceEntry {
  readonly ns: number;
  readonly realNs: number;
  readonly kind: 'own' | 'proxy';
  /** Real path. */
  readonly path: string;
  /** As its own `import.meta.url`, or `__filename` as a URL. */
  readonly url: string;
  readonly package: string | undefined;
  readonly version: string | undefined;
  readonly isolated: boolean;
  readonly opens: number;
}

export interface NamespaceInfo {
  readonly id: number;
  readonly kind: NamespaceKind;
  /** Openings that have not been closed. */
  readonly opens: number;
  /** Modules of its own. */
  readonly modules: number;
  readonly proxies: number;
}

export interface Namespace {
  readonly id: number;
  readonly kind: NamespaceKind;
  /**
   * Loads a module, with what it imports. Null with `noload` where it is not loaded.
   * @throws COEXIST_EINVAL, COEXIST_EEXIST (it is the namespace's own already, and cannot become a proxy), COEXIST_EGONE,
   * COEXIST_EREFUSED (a unique package out of range), COEXIST_EUNSUPPORTED, and whatever the module throws
   */
  open(specifier: string | URL, options: OpenOptions & { readonly noload: true }): Promise<Handle | null>;
  open(specifier: string | URL, options?: OpenOptions): Promise<Handle>;
  info(): NamespaceInfo;
  /** Runs when the namespace is released, last come first. Not for a permanent one. */
  onClose(finalizer: () => void): void;
  /** Closes all that is open in it. What a permanent one has loaded stays. */
  close(): Closed;
  [Symbol.dispose](): void;
}

/** What `observe()` tells, after it has happened. */
export type NamespaceEvent =
  | { readonly type: 'created' | 'released'; readonly ns: number; readonly kind: NamespaceKind }
  | { readonly type: 'own' | 'proxy'; readonly ns: number; readonly path: string; readonly isolated: boolean }
  | { readonly type: 'opened' | 'closed'; readonly ns: number; readonly path: string; readonly opens: number }
  | { readonly type: 'dropped'; readonly ns: number; readonly path: string }
  | { readonly type: 'failed'; readonly ns: number; readonly path: string; readonly error: unknown }
  | { readonly type: 'unique'; readonly copy: UniqueCopy };

/** A copy of a unique package, and what became of it. */
export interface UniqueCopy {
  readonly name: string;
  readonly version: string;
  /** Its directory. */
  readonly root: string;
  /** master: it stands for others. merged: `into` stands for it. warned: likewise, out of range. kept: it stays beside `into`. */
  readonly outcome: 'master' | 'merged' | 'warned' | 'kept';
  readonly into: { readonly version: string; readonly root: string } | undefined;
  /** The package that asked for it, and the range that it declares; '' for a master. */
  readonly importer: string;
  readonly range: string;
}

export interface UniqueOptions {
  /** Where an importer's range does not allow the master. throw where it is left out. */
  readonly policy?: UniquePolicy;
  /**
   * Which copy becomes the master, where no master is in range. first (where it is left out): the one that is asked for. highest: of all that
   * are installed in the same tree of node_modules, the highest version that the importer's range and the version of its own copy allow
   * (`^` that version, so that nobody gets an older one, or another major). The tree is read at the first request, once.
   */
  readonly prefer?: 'first' | 'highest';
}

export type { NamespaceKind, UniquePolicy };
