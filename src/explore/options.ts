// Checks the options of explore() and turns them into what travels and what is written into the control memory.

import { availableParallelism } from 'node:os';
import { invalid } from '../core.js';
import * as K from './control.js';
import type { Shipped } from './messages.js';
import { checkSchedule } from './schedule.js';
import type { ExploreFunction, ExploreOptions } from './types.js';

const MODES = { exhaustive: K.EXHAUSTIVE, random: K.RANDOM, both: K.BOTH } as const;
const HOOKS = ['setup', 'prepare', 'reset', 'invariant', 'observed', 'after'] as const;
const KNOWN = new Set<string>([
  ...HOOKS,
  ...['threads', 'module', 'names', 'bytes', 'data', 'env', 'maxPreemptions', 'kills', 'timeouts', 'mode', 'reduce'],
  ...['spin', 'seed', 'replay', 'budget', 'signal', 'onProgress'],
]);
const MAX = 2 ** 31 - 1;

export interface Plan {
  readonly program: Shipped;
  /** Undefined where a module will tell. */
  readonly threads: number | undefined;
  readonly hangMs: number;
  readonly ms: number;
  readonly schedules: number;
  readonly stackSize: number;
  /** Words of the control memory. */
  readonly words: ReadonlyMap<number, number>;
  readonly replay: string | undefined;
}

/** @throws COEXIST_EINVAL */
export function planOf(options: ExploreOptions): Plan {
  if (typeof options !== 'object' || options === null) throw invalid('options', options, 'an object');
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) throw invalid(`options.${name}`, name, `one of ${[...KNOWN].join(', ')}`);
  }
  const { budget = {}, replay, mode = 'exhaustive', timeouts = 'idle', reduce = true } = options;
  const program = shipped(options);
  const threads = options.module === undefined ? program.threads.length : undefined;
  if (!Object.hasOwn(MODES, mode)) throw invalid('mode', mode, "'exhaustive', 'random' or 'both'");
  if (timeouts !== 'idle' && timeouts !== 'any') throw invalid('timeouts', timeouts, "'idle' or 'any'");
  if (typeof reduce !== 'boolean') throw invalid('reduce', reduce, 'true or false');
  if (replay !== undefined) checkSchedule(replay);
  if (typeof budget !== 'object' || budget === null) throw invalid('budget', budget, 'an object');
  const operations = within('budget.operations', budget.operations, 1, 10_000_000, 10_000);
  const kills = within('kills', options.kills, 0, (threads ?? K.MAX_THREADS) - 1, 0);
  const cores = availableParallelism();
  // At most a kill, an expiry and a switch for each operation, and the free switches.
  const stackSize = 6 * operations + 256;
  return {
    program,
    threads,
    replay,
    hangMs: within('budget.hang', budget.hang, 10, MAX, 5000),
    ms: within('budget.ms', budget.ms, 1, MAX, 60_000),
    schedules: within('budget.schedules', budget.schedules, 1, Number.MAX_SAFE_INTEGER, 1_000_000),
    stackSize,
    words: new Map<number, number>([
      [K.STACK_SIZE, stackSize],
      [K.MODE, replay === undefined ? MODES[mode] : K.REPLAY],
      [K.MAX_PREEMPTIONS, within('maxPreemptions', options.maxPreemptions, 0, 16, 2)],
      [K.MAX_KILLS, kills],
      [K.MAX_OPERATIONS, operations],
      [K.REDUCE, reduce ? 1 : 0],
      [K.EXPIRE_ANY, timeouts === 'any' ? 1 : 0],
      [K.SPIN_LIMIT, within('spin', options.spin, 0, MAX, 100)],
      [K.SEED, within('seed', options.seed, 0, 2 ** 32 - 1, 1) | 0],
      [K.MAX_SPINNERS, cores - 1],
    ]),
  };
}

function within(name: string, value: number | undefined, least: number, most: number, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalid(name, value, `an integer from ${least} to ${most}`);
}

function shipped(options: ExploreOptions): Shipped {
  const { threads, module, names } = options;
  const bytes = within('bytes', options.bytes, 8, 2 ** 31, 4096);
  const hooks = Object.fromEntries(HOOKS.map((name) => [name, source(name, options[name])])) as Shipped['hooks'];
  if (names !== undefined && typeof names !== 'function' && (typeof names !== 'object' || names === null)) {
    if (typeof names !== 'string') throw invalid('names', names, 'an object of byte offsets, or a function');
  }
  const shippedNames = typeof names === 'function' ? String(names) : names;
  if (module !== undefined) {
    const given = [...HOOKS, 'threads', 'names'].find((name) => options[name as 'threads'] !== undefined);
    if (given !== undefined) throw invalid(given, options[given as 'threads'], 'nothing: the module exports it');
    return { module: urlOf('module', module), threads: [], hooks, names: undefined, bytes };
  }
  if (!Array.isArray(threads) || threads.length < 2 || threads.length > K.MAX_THREADS) {
    throw invalid('threads', threads, `an array of 2 to ${K.MAX_THREADS} functions, or a module`);
  }
  return {
    module: undefined,
    threads: threads.map((thread: unknown, k) =>
      thread instanceof URL
        ? { url: urlOf(`threads[${k}]`, thread) }
        : { source: source(`threads[${k}]`, thread) ?? missing(k) },
    ),
    hooks,
    names: shippedNames,
    bytes,
  };
}

function missing(k: number): never {
  throw invalid(`threads[${k}]`, undefined, 'a function, its source text, or the URL of a module');
}

function source(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'function') {
    const text = String(value as ExploreFunction);
    if (!/\{\s*\[native code\]\s*\}$/.test(text)) return text;
  } else if (typeof value === 'string' && value.trim() !== '') {
    return value;
  }
  throw invalid(name, value, 'a function, or its source text');
}

function urlOf(name: string, value: unknown): string {
  const text = value instanceof URL ? value.href : value;
  if (typeof text === 'string' && /^(file|data|node):/.test(text)) return text;
  throw invalid(name, value, 'a URL with file: or data:');
}
