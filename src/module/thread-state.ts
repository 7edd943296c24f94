// What the copies of one thread share of loaded modules (docs/ABI.md, clause 74): plain data on an anchor, first wins, so that a module
// is evaluated once and an interface is one table, whichever copy comes first.

import { CoexistError } from '../abi/errors.js';
import { MODULES_KEY } from '../abi/module.js';
import { host } from '../host/host.js';
import type { RefusalReason } from './outcome.js';

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

/** Why a module is not loaded after all. Plain data: another copy may read it. */
export interface Ending {
  readonly outcome: 'absent' | 'refused' | 'failed';
  /** Of refusals only. */
  readonly reason?: RefusalReason | undefined;
  /** The module that it is about. */
  readonly culprit: string;
  readonly message: string;
  /** Of all but absence. */
  readonly error?: CoexistError | undefined;
}

/** A module of this thread and area. Only the copy that made it advances it; every copy may ask it to. */
export interface ThreadModule {
  readonly name: string;
  /** In the map of its area: the name, or name#digits beside another build. */
  readonly key: string;
  readonly fingerprint: string;
  readonly number: number;
  readonly depends: readonly string[];
  /** Where it was found; empty until then. */
  path: string;
  state: 'loading' | 'loaded' | 'failed';
  generation: number;
  exports: unknown;
  /** The URL that imports of it are, for an ES module; undefined for CommonJS. */
  url: string | undefined;
  readonly entries: InitEntry[];
  /** What it implements, by the names of the interfaces; inert until it is loaded. */
  /** Interfaces that it is to implement, from its entering on. */
  claims: readonly string[];
  readonly implementations: Map<string, Implementation>;
  /** Whether it takes declarations: while it is evaluated, unless that was given up. */
  open: boolean;
  /** Number of the directory entry that this thread has entered its build in. */
  record: number | undefined;
  /** Requests in flight that need it. */
  interest: number;
  /** When the time of the last of these requests is over, by the thread's clock. */
  until: number;
  /** The phases that the loaders of these requests have called: lists that grow. */
  readonly phases: (readonly string[])[];
  /** Whether it was asked for by its own name, and so stays when nothing depends on it. */
  requested: boolean;
  /** What it is at, for messages. */
  doing: string;
  ending: Ending | undefined;
  readonly steps: ModuleSteps;
}

/** The steps of a load, each done once whoever asks. They never reject: afterwards, `state` says. */
export interface ModuleSteps {
  verify(): Promise<void>;
  enter(): Promise<void>;
  /** CommonJS may run for so many ms, or until the time of every request that needs it is over. */
  evaluate(timeout: number): Promise<void>;
  run(entry: InitEntry): Promise<void>;
  /** What keeps it from being loaded now. This and what follows are one go. */
  object(): Ending | undefined;
  /** Tells the process what it implements; undefined: done. */
  publish(): Ending | undefined;
  commit(): void;
  /** The only way out for what is not loaded, or not any more. */
  discard(ending: Ending): void;
}

/** A function of an interface, whatever it takes. */
export type AnyFunction = (...args: never[]) => unknown;

/** One state of an interface: who implements it, and with what. Frozen; only ever replaced by another. */
export interface InterfaceState {
  /** What calls reach, in the order of the definition's names. */
  readonly calls: readonly AnyFunction[];
  readonly generation: number;
  /** The module that implements it; undefined: nobody, null: the program itself. */
  readonly provider: string | null | undefined;
  /** The object that it was handed over as: tells two evaluations of one module apart. */
  readonly self: object | undefined;
}

/** What somebody has defined; all at once, and never again. */
export interface InterfaceDefinition {
  readonly version: number;
  /** Of its functions, in the order of the definition. */
  readonly names: readonly string[];
  readonly stubs: readonly AnyFunction[];
  readonly table: object;
}

/** What an object of functions had when it was handed over; they are called on the object. */
export interface Functions {
  readonly self: object;
  /** Functions under names, once it has been checked. */
  readonly all: ReadonlyMap<string | symbol, unknown>;
}

/** What a module, or the program, implements; inert until it is put in force. */
export interface Implementation {
  readonly version: number;
  readonly functions: Functions;
}

/** An interface of this thread. */
export interface ThreadInterface {
  readonly name: string;
  /** Undefined until somebody defines it. */
  definition: InterfaceDefinition | undefined;
  /** Inherits all that it has: its prototype is the state that is in force, and the one word that says which. */
  readonly current: InterfaceState;
  /** An implementation that came before the definition. */
  waiting: (Implementation & { readonly module: string | null }) | undefined;
  /** The evaluations of the modules that alone have defined it, and have not come to nothing; undefined: somebody else has. */
  definedBy: Set<number> | undefined;
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
  /** How many loads keep this thread's row in a module's record, by area and directory entry. */
  readonly holds: Map<string, number>;
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
    holds: new Map(),
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
