// Initialisers: what a module, or the program itself, wants run in a phase. Declaring one runs nothing. Each runs once, in its phase,
// whether that is called before the module is loaded or after, and whoever calls it.

import { type CoexistError, invalid, show } from '../abi/errors.js';
import { MODULE_ONCES } from '../abi/module.js';
import { failure, PROGRAM } from './endings.js';
import { evaluatedModule } from './evaluating.js';
import type { RequestLimit } from './limit.js';
import { type Ending, type InitContext, type InitEntry, type ThreadModule, threadModules } from './thread-state.js';

export interface InitOptions {
  /** Once in each thread that loads the module, or once in the process. */
  readonly scope?: 'thread' | 'process' | undefined;
}

export type Initialiser = (context: InitContext) => unknown;

export interface InitFailure {
  /** undefined: an initialiser of the program itself. */
  readonly module: string | undefined;
  readonly error: CoexistError;
}

export interface InitReport {
  readonly type: string;
  /** Initialisers that this call brought to their end; process-wide ones also where another thread had run them, or did meanwhile. */
  readonly ran: number;
  readonly failures: readonly InitFailure[];
}

/** @throws COEXIST_EINVAL */
export function requireType(type: unknown): asserts type is string {
  if (typeof type !== 'string' || type === '') throw invalid('type', type, 'the name of a phase');
}

/**
 * Adds an entry to a module's, or to the program's (`processWide` false: those are once in a thread only).
 * @throws COEXIST_EINVAL; nothing changed
 */
export function declareInit(
  entries: InitEntry[],
  type: string,
  fn: Initialiser,
  options: InitOptions | undefined,
  processWide: boolean,
): void {
  requireType(type);
  if (typeof fn !== 'function') throw invalid('fn', fn, 'a function');
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw invalid('options', options, "an object, as { scope: 'process' }");
  }
  const scope = options?.scope ?? 'thread';
  if (scope !== 'thread' && scope !== 'process') throw invalid('scope', scope, "'thread' or 'process'");
  const once = scope === 'process' ? entries.filter((entry) => entry.scope === 'process').length : -1;
  if (scope === 'process' && !processWide) {
    throw invalid('scope', scope, "'thread' outside a module", 'Use a Once of coexist/sync, which has a name.');
  }
  if (once >= MODULE_ONCES) {
    throw invalid(
      'scope',
      scope,
      `at most ${MODULE_ONCES} process-wide initialisers in a module`,
      'Make one of several.',
    );
  }
  entries.push({ type, scope, fn, once, running: undefined, done: false });
}

/**
 * Declares an initialiser of the program itself, or of the module that is being evaluated. It runs in `callInit(type)`; a module's,
 * at the latest as the module is loaded where the phase was called before.
 * @throws COEXIST_EINVAL, COEXIST_EREFUSED where it is not known whose it is; nothing changed
 * @since 0.1.0
 */
export function moduleInit(type: string, fn: Initialiser, options?: InitOptions): void {
  const module = evaluatedModule('moduleInit()');
  declareInit(module?.entries ?? threadModules().builtin, type, fn, options, module !== undefined);
}

/**
 * The first entry that has to end before the module may count as loaded, by the order of the phases, then of declaration. Those of other
 * requests count, too: what depends on the module must not be evaluated, for whichever of them, before it is initialised.
 */
export function pendingOf(module: ThreadModule, phases: readonly string[]): InitEntry | undefined {
  const { entries } = module;
  if (entries.every(({ done }) => done)) return undefined;
  for (const type of [...phases, ...module.phases.flat()]) {
    const entry = nextOf(entries, type);
    if (entry !== undefined) return entry;
  }
  // Begun for a request that has given up since, or by a call of its phase.
  return entries.find((each) => each.running !== undefined && !each.done);
}

/** Runs a phase in this thread: the program's initialisers, then those of loaded modules, in the order in which they were loaded. */
export async function callPhase(
  type: string,
  modules: ReadonlyMap<string, ThreadModule>,
  limit: RequestLimit,
): Promise<InitReport> {
  const failures: InitFailure[] = [];
  let ran = await callBuiltin(type, limit, failures);
  while (!limit.isOver()) {
    const loaded = [...modules.values()].filter(({ state }) => state === 'loaded');
    const module = loaded.find(({ entries }) => nextOf(entries, type) !== undefined);
    const entry = module && nextOf(module.entries, type);
    if (module === undefined || entry === undefined) break;
    const begun = entry.running === undefined;
    // Whoever has begun it gives it up.
    if (!(await limit.within(module.steps.run(entry))) && begun && !entry.done) {
      module.steps.discard(limit.ending(module.name, module.doing));
    }
    if (begun && entry.done) ran++;
    for (const { state, name, ending } of loaded) {
      if (state === 'failed' && ending?.error !== undefined) failures.push({ module: name, error: ending.error });
    }
  }
  // What there was no time for can be called again.
  for (const { state, name, entries } of modules.values()) {
    if (state !== 'loaded' || nextOf(entries, type) === undefined) continue;
    const { error } = limit.ending(name, `waiting to run its initialisers of type ${show(type)}`);
    failures.push({ module: name, error: error as CoexistError });
  }
  return { type, ran, failures };
}

const nextOf = (entries: readonly InitEntry[], type: string): InitEntry | undefined =>
  entries.find((entry) => entry.type === type && !entry.done);

async function callBuiltin(type: string, limit: RequestLimit, failures: InitFailure[]): Promise<number> {
  const { builtin } = threadModules();
  const doing = `running an initialiser of type ${show(type)}`;
  const failed = ({ error }: Ending): void => {
    failures.push({ module: undefined, error: error as CoexistError });
  };
  let ran = 0;
  // Each adds to the list what it declares.
  for (let entry = nextOf(builtin, type); entry !== undefined; entry = nextOf(builtin, type)) {
    if (limit.isOver()) {
      failed(limit.ending(PROGRAM, doing));
      break;
    }
    const begun = entry.running === undefined;
    let thrown: { readonly value: unknown } | undefined;
    const running = runBuiltin(entry, limit.signal).catch((value: unknown) => {
      thrown = { value };
    });
    await limit.within(running);
    if (thrown !== undefined) failed(failure(PROGRAM, doing, thrown.value));
    else if (begun && entry.done) ran++;
  }
  return ran;
}

function runBuiltin(entry: InitEntry, signal: AbortSignal): Promise<void> {
  // Noted before it begins: what it does may call the phase again.
  entry.running ??= Promise.resolve().then(async () => {
    try {
      await entry.fn({ module: undefined, type: entry.type, signal });
    } finally {
      // Also where it threw: it is not begun again.
      entry.done = true;
    }
  });
  return entry.running;
}
