// Threads that load at one moment, and that end at held places of a load: in the evaluation, in an initialiser of the thread, of the process, between two, and
// loaded. Whoever waits goes on, nothing of the dead is left, and interfaces are whole wherever somebody looks.

import { inspectModules } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import type { Actor } from '../support/actor.js';
import { startActors } from '../support/actors.js';
import { copyUrl } from '../support/copies.js';
import { aHost, journal, newJournal, type TestHost, told } from '../support/loaders.js';
import { kill } from '../support/threads.js';

beforeEach(() => {
  newJournal();
});

interface Args {
  readonly url: string;
  readonly memory: unknown;
  readonly options: object;
  /** Where this thread stays, for good. */
  readonly stays?: string;
}

const argsFor = ({ options: { area: _, ...options }, area }: TestHost, stays?: string): Args => ({
  url: copyUrl('a', 'core.js'),
  memory: area.memory ?? area.buffer,
  options,
  ...(stays === undefined ? {} : { stays }),
});

type Globals = typeof globalThis & {
  journal: string[];
  reached(place: string): unknown;
  arrived?: (place: string) => void;
};
interface State {
  readonly loader: core.Loader;
  readonly table: { f(): string; g(): string; readonly generation: number };
}

/** A loader, a table, and `globalThis.reached()`, which never comes back where the thread is to stay. */
const prepare = async ({ load, state }: { load(url: string): Promise<unknown>; state: object }, args: Args) => {
  const library = (await load(args.url)) as typeof core;
  const shared = globalThis as Globals;
  shared.journal = [];
  shared.reached = (place) => {
    shared.journal.push(place);
    if (place !== args.stays) return undefined;
    shared.arrived?.(place);
    return new Promise(() => undefined);
  };
  const { stub } = library;
  const functions = { f: stub.value('stub'), g: stub.value('stub') };
  const table = library.defineInterface('deaths/table', { version: 1, functions });
  const area = library.openArea(args.memory as never);
  const loader = library.createLoader({ ...args.options, area } as never);
  await loader.callInit('t');
  Object.assign(state, { loader, table });
};

/** Loads as far as the thread is to go; it answers from there. */
const loadUpTo = ({ state }: { state: object }): Promise<string> =>
  new Promise((resolve) => {
    (globalThis as Globals).arrived = resolve;
    void (state as State).loader.load('user').then(({ outcome }) => resolve(outcome));
  });

const loadHere = async ({ state }: { state: object }) => {
  const { loader, table } = state as State;
  // What a reader sees between any two steps of the load.
  const seen = new Set<string>();
  let over = false;
  const look = (): void => {
    seen.add(`${table.f()} ${table.g()} ${table.generation}`);
    if (!over) setImmediate(look);
  };
  look();
  const { outcome, message } = await loader.load('user');
  over = true;
  look();
  return { outcome, message, seen: [...seen], journal: (globalThis as Globals).journal };
};

const MODULES = [
  [
    { name: 'm', objects: ['thing'], interfaces: { 'deaths/table': 1 } },
    `import { implement, moduleInit } from 'coexist/module';
     const { reached } = globalThis;
     await reached('evaluation');
     implement('deaths/table', { version: 1, functions: { f: () => 'module', g: () => 'module' } });
     moduleInit('t', async () => { await reached('initialiser'); });
     moduleInit('t', async () => { await reached('process'); }, { scope: 'process' });
     moduleInit('t', async () => { await reached('between'); });
     moduleInit('t', async () => { await reached('second'); }, { scope: 'process' });`,
  ],
  [{ name: 'user', depends: ['m'] }, "await globalThis.reached('dependent');"],
] as const;

const PLACES = ['evaluation', 'initialiser', 'process', 'between', 'second', 'dependent'];
const WHOLE = ['stub stub 0', 'module module 1'];

test.each(PLACES)(
  'a thread that ends in a load, at: %s',
  async (place) => {
    const host = aHost(MODULES);
    const [dying, waiting, late] = (await startActors(3)) as [Actor, Actor, Actor];
    await Promise.all([
      dying.run(prepare, argsFor(host, place)),
      waiting.run(prepare, argsFor(host)),
      late.run(prepare, argsFor(host)),
    ]);
    expect(await dying.run(loadUpTo)).toBe(place);
    const held = inspectModules({ area: host.area });
    expect(held.map(({ name, threads }) => [name, threads.map(({ loaded }) => loaded)])).toEqual([
      ['m', [false]],
      ['user', [false]],
    ]);
    const result = waiting.run(loadHere);
    await kill(dying);
    const { outcome, seen, journal: ran } = await result;
    expect([outcome, seen.filter((each) => !WHOLE.includes(each)), seen.at(-1)]).toEqual(['loaded', [], WHOLE[1]]);
    // What the dead has ended for the process stays ended; what it was inside of has been run again, here.
    const ended: readonly string[] = PLACES.slice(0, PLACES.indexOf(place)).filter(
      (each) => each === 'process' || each === 'second',
    );
    expect(ran).toEqual(PLACES.filter((each) => !ended.includes(each)));
    expect(inspectModules({ area: host.area }).map(({ threads }) => threads.map(({ loaded }) => loaded))).toEqual([
      [true],
      [true],
    ]);
    // One that comes later asks what there is, and runs nothing of the process again.
    const present = await late.run(async ({ state }) => {
      const outcomes = await (state as unknown as State).loader.loadPresent();
      return {
        outcomes: outcomes.map((each) => `${each.name} ${each.outcome}`),
        journal: (globalThis as Globals).journal,
      };
    });
    expect(present.outcomes).toEqual(['m loaded', 'user loaded']);
    expect(present.journal).toEqual(PLACES.filter((each) => each !== 'process' && each !== 'second'));
    expect(inspectModules({ area: host.area })[0]).toMatchObject({ generation: 1, interfaces: [{ generation: 1 }] });
  },
  60_000,
);

test('when all threads that had a build are gone, the next is of the same one, and what has ended for the process stays so', async () => {
  const host = aHost(MODULES);
  const threads = await startActors(2);
  await Promise.all(threads.map((actor, k) => actor.run(prepare, argsFor(host, k === 0 ? undefined : 'second'))));
  const [loaded, dying] = threads as [Actor, Actor];
  expect(await dying.run(loadUpTo)).toBe('second');
  await kill(dying);
  expect(await loaded.run(loadUpTo)).toBe('loaded');
  await kill(loaded);
  expect(inspectModules({ area: host.area })).toEqual([]);
  Object.assign(globalThis, { reached: (place: string) => journal().push(place) });
  await host.loader.callInit('t');
  expect(told(await host.loader.load('user'))).toBe('loaded');
  expect(journal()).toEqual(PLACES.filter((each) => each !== 'process' && each !== 'second'));
});

test('eight threads at one moment: in each one load and one whole interface, in the process one initialiser', async () => {
  const host = aHost(MODULES);
  const threads = await startActors(8);
  await Promise.all(threads.map((actor) => actor.run(prepare, argsFor(host))));
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const results = threads.map((actor) =>
    actor.run(async ({ state }, word: Int32Array) => {
      const { loader, table } = state as unknown as State;
      const seen = new Set<string>();
      let over = false;
      const look = (): void => {
        seen.add(`${table.f()} ${table.g()} ${table.generation}`);
        if (!over) setImmediate(look);
      };
      look();
      Atomics.wait(word, 0, 0, 20_000);
      const loads = [loader.loadFor({ object: 'thing' }), loader.load('user'), loader.loadFor({ object: 'thing' })];
      const outcomes = (await Promise.all(loads)).map(({ outcome }) => outcome);
      over = true;
      look();
      return { outcomes, seen: [...seen], journal: (globalThis as Globals).journal };
    }, gate),
  );
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const all = await Promise.all(results);
  const own = PLACES.filter((each) => each !== 'process' && each !== 'second');
  for (const { outcomes, seen, journal: ran } of all) {
    expect(outcomes).toEqual(['loaded', 'loaded', 'loaded']);
    expect([seen.filter((each) => !WHOLE.includes(each)), seen.at(-1)]).toEqual([[], WHOLE[1]]);
    expect(ran.filter((each) => own.includes(each))).toEqual(own);
  }
  expect(all.flatMap(({ journal: ran }) => ran.filter((each) => !own.includes(each))).sort()).toEqual([
    'process',
    'second',
  ]);
  const process = inspectModules({ area: host.area });
  expect(process.map(({ name, generation, threads: rows }) => [name, generation, rows.length])).toEqual([
    ['m', 1, 8],
    ['user', 1, 8],
  ]);
  expect(process[0]?.interfaces).toEqual([{ name: 'deaths/table', version: 1, generation: 1 }]);
}, 60_000);
