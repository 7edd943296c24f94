// What the copies of one thread share of loaded modules (docs/ABI.md, clause 74): plain data on an anchor, first wins, so that a module
// is evaluated once and an interface is one table, whichever copy comes first.

import { CoexistError } from '../abi/errors.js';
import { MODULES_KEY } from '../abi/module.js';
import { host } from '../host/host.js';

/** What a module, or the program itself, wants run in a phase. */
export interface InitEntry {
  readonly type: string;
  /** Runs once in the thread, or once in the process. */
  readonly scope: 'thread' | 'process';
  readonly fn: (context: InitContext) => unknown;
  /** Of process-wide ones: which word of Once is its. */
  readonly once: number;
  /** Set as it is begun: it is not begun again. It rejects with what the function threw. */
  running: Promise<void> | undefined;
  done: boolean;
}

export interface InitContext {
  /** The module's name; undefined for an initialiser of the program itself. */
  readonly module: string | undefined;
  readonly type: string;
  /** Aborted when the load or the call is given up. */
  readonly signal: AbortSignal;
}

/** A module of this thread and area. */
export interface ThreadModule {
  readonly name: string;
  readonly fingerprint: string;
  readonly path: string;
  readonly number: number;
  state: 'loading' | 'loaded' | 'failed';
  generation: number;
  exports: unknown;
  /** The URL that imports of it are, for an ES module; undefined for CommonJS. */
  url: string | undefined;
  readonly depends: readonly string[];
  readonly entries: InitEntry[];
  /** Settles, never rejects, when the load has ended either way. */
  readonly ended: Promise<unknown>;
}

/** An interface of this thread: `functions` is what calls reach, and is replaced as a whole. */
export interface ThreadInterface {
  readonly name: string;
  /** Undefined until somebody defines it. */
  version: number | undefined;
  table: object | undefined;
  /** The only word that says which implementation calls reach. */
  functions: Readonly<Record<string, (...args: never[]) => unknown>>;
  stubs: Readonly<Record<string, (...args: never[]) => unknown>>;
  generation: number;
  /** The module that implements it; undefined: nobody, null: the program itself. */
  provider: string | null | undefined;
  /** Implementations of loaded modules that came before the definition. */
  waiting: { readonly module: string; readonly version: number; readonly functions: object } | undefined;
}

/** What is being evaluated, for `moduleInit()` in a copy that was bundled into the module. */
export interface Evaluating {
  readonly number: number;
  /** CommonJS is evaluated in one go, so that what is called meanwhile is the module's. */
  readonly synchronous: boolean;
}

/** What an import reaches that cannot be a file's: values are taken from here as the importing text is linked. */
export interface Shimmed {
  /** Of a module that others depend on. */
  exports?: Readonly<Record<string, unknown>>;
  /** The functions of coexist/module that know which module they are of. */
  bound?: Readonly<Record<string, unknown>>;
}

export interface ThreadModules {
  readonly version: 1;
  readonly areas: Map<number, Map<string, ThreadModule>>;
  readonly interfaces: Map<string, ThreadInterface>;
  readonly builtin: InitEntry[];
  readonly evaluating: Evaluating[];
  /** What modules that stand in for others export, by the number of the evaluation that they are of. */
  readonly shims: Map<number, Shimmed>;
  next: number;
}

/** @throws COEXIST_EANCHOR */
export function threadModules(): ThreadModules {
  const fresh: ThreadModules = {
    version: 1,
    areas: new Map(),
    interfaces: new Map(),
    builtin: [],
    evaluating: [],
    shims: new Map(),
    next: 1,
  };
  const found = host.anchored(MODULES_KEY) ?? host.anchor(MODULES_KEY, fresh);
  if (typeof found === 'object' && found !== null && (found as ThreadModules).version === 1) {
    return found as ThreadModules;
  }
  throw new CoexistError('COEXIST_EANCHOR', `the anchor ${MODULES_KEY} holds something else, or cannot be set`, {
    found,
    expected: 'the module state of this thread, version 1',
    remedy: 'Leave Symbol.for keys of coexist on node:worker_threads alone.',
  });
}
