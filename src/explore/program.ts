// An explored program in its worker: functions made of the source texts that were shipped, or exported by modules.

import vm from 'node:vm';
import type { Shipped } from './messages.js';
import type { ExploreContext, ExploreFunction } from './types.js';

export interface Program {
  readonly setup: ExploreFunction | undefined;
  readonly prepare: ExploreFunction | undefined;
  readonly reset: ExploreFunction | undefined;
  readonly invariant: ExploreFunction | undefined;
  readonly after: ExploreFunction | undefined;
  readonly observed: ((address: number, context: ExploreContext) => unknown) | undefined;
  readonly threads: readonly ExploreFunction[];
  readonly nameOf: (address: number, context: ExploreContext) => string | undefined;
}

type Exports = Readonly<Record<string, unknown>>;

export async function loadProgram(shipped: Shipped, data: unknown): Promise<Program> {
  if (shipped.module !== undefined) return fromModule((await import(shipped.module)) as Exports, data);
  const threads: ExploreFunction[] = [];
  for (const thread of shipped.threads) {
    if ('source' in thread) threads.push(compile(thread.source));
    else threads.push(functionIn((await import(thread.url)) as Exports, 'thread') ?? missing(thread.url, 'thread'));
  }
  const { setup, prepare, reset, invariant, after } = shipped.hooks;
  const names = typeof shipped.names === 'string' ? compile(shipped.names) : shipped.names;
  return {
    setup: optional(setup),
    prepare: optional(prepare),
    reset: optional(reset),
    invariant: optional(invariant),
    after: optional(after),
    observed: optional(shipped.hooks.observed) as Program['observed'],
    threads,
    nameOf: namer(names),
  };
}

function fromModule(exports: Exports, data: unknown): Program {
  const given = exports['threads'];
  const threads = typeof given === 'function' ? given(data) : given;
  if (!Array.isArray(threads) || threads.some((thread) => typeof thread !== 'function')) {
    throw new TypeError('the module exports no array of functions named threads, and no function that returns one');
  }
  return {
    setup: functionIn(exports, 'setup'),
    prepare: functionIn(exports, 'prepare'),
    reset: functionIn(exports, 'reset'),
    invariant: functionIn(exports, 'invariant'),
    after: functionIn(exports, 'after'),
    observed: functionIn(exports, 'observed') as Program['observed'],
    threads: threads as ExploreFunction[],
    nameOf: namer(exports['names']),
  };
}

function functionIn(exports: Exports, name: string): ExploreFunction | undefined {
  const value = exports[name];
  if (value === undefined || typeof value === 'function') return value as ExploreFunction | undefined;
  throw new TypeError(`the export ${name} is not a function`);
}

function missing(url: string, name: string): never {
  throw new TypeError(`${url} has no export ${name}`);
}

const optional = (source: string | undefined): ExploreFunction | undefined =>
  source === undefined ? undefined : compile(source);

/** Functions, arrow functions and methods (`setup() {}` in an object) alike. */
function compile(source: string): ExploreFunction {
  for (const text of [`(${source})`, `Object.values({${source}})[0]`]) {
    try {
      const made: unknown = new vm.Script(text).runInThisContext();
      if (typeof made === 'function') return made as ExploreFunction;
    } catch (error) {
      if ((error as Error).name !== 'SyntaxError') throw error;
    }
  }
  throw new SyntaxError(`not the source text of a function: ${source.slice(0, 80)}`);
}

function namer(names: unknown): Program['nameOf'] {
  if (typeof names === 'function') return names as Program['nameOf'];
  const byOffset = new Map(Object.entries((names ?? {}) as Record<string, number>).map(([name, at]) => [at, name]));
  return (address) => byOffset.get(address);
}
