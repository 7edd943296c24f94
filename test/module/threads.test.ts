// Modules across threads and copies: one load in each thread, one build and one process-wide initialiser in the process, and a death in
// the middle stops nobody (docs/ABI.md, clauses 72 and 74).

import { inspectModules } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import type { Actor } from '../support/actor.js';
import { startActors } from '../support/actors.js';
import { copyUrl } from '../support/copies.js';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
import { aBuild, type ModuleSource, writeBuild } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

interface Args {
  readonly url: string;
  readonly memory: core.SharedMemory | SharedArrayBuffer;
  readonly options: Record<string, unknown>;
}

type Module = typeof core & { [name: string]: unknown };

/** Makes a loader in the actor's thread, and counts what its modules do in `globalThis.journal`. */
const prepare = async ({ load, state }: { load(url: string): Promise<unknown>; state: object }, args: Args) => {
  const library = (await load(args.url)) as Module;
  Object.assign(globalThis, { journal: [] });
  const area = library.openArea(args.memory as never);
  Object.assign(state, { library, loader: library.createLoader({ ...args.options, area } as never) });
};

interface State {
  readonly loader: core.Loader;
  readonly library: Module;
}

/** Loads by the name of a module, and says what is in the thread afterwards. */
const loadThere = async ({ state }: { state: object }, name: string) => {
  const { loader } = state as State;
  const outcomes = await Promise.all([loader.loadFor({ object: name }), loader.load('user')]);
  const { journal } = globalThis as unknown as { journal: string[] };
  return { outcomes: outcomes.map(({ outcome, message }) => ({ outcome, message })), journal };
};

const SHARED: readonly ModuleSource[] = [
  [
    { name: 'service', objects: ['thing'] },
    `import { moduleInit } from 'coexist/module';
     globalThis.journal.push('service');
     moduleInit('t', async () => {
       globalThis.journal.push('once begun');
       await new Promise((resolve) => setTimeout(resolve, 20));
       globalThis.journal.push('once');
     }, { scope: 'process' });
     moduleInit('t', () => { globalThis.journal.push('each'); });`,
  ],
  [{ name: 'user', depends: ['service'] }, noting('user')],
];

function argsFor(host: ReturnType<typeof aHost>, copy: 'a' | 'b' = 'a'): Args {
  const { area: _, ...options } = host.options;
  return { url: copyUrl(copy, 'core.js'), memory: (host.area.memory ?? host.area.buffer) as never, options };
}

test('eight threads ask for one object at the same moment: one load in each, one initialiser of the process', async () => {
  const host = aHost(SHARED);
  const threads = await startActors(8);
  await Promise.all(threads.map((actor) => actor.run(prepare, argsFor(host))));
  await Promise.all(threads.map((actor) => actor.run(({ state }) => (state as unknown as State).loader.callInit('t'))));
  const results = await Promise.all(threads.map((actor) => actor.run(loadThere, 'thing')));
  for (const { outcomes, journal } of results) {
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['loaded', 'loaded']);
    expect(journal.filter((each) => each === 'service' || each === 'user' || each === 'each')).toEqual([
      'service',
      'each',
      'user',
    ]);
  }
  expect(results.filter(({ journal }) => journal.includes('once begun'))).toHaveLength(1);
  const service = inspectModules({ area: host.area }).find(({ name }) => name === 'service');
  expect(service?.threads.filter(({ loaded }) => loaded)).toHaveLength(8);
  expect(service?.generation).toBe(1);
  // A thread that comes later loads the same.
  const outcomes = await host.loader.loadPresent();
  expect(outcomes.map((each) => `${each.name} ${told(each)}`)).toEqual(['service loaded', 'user loaded']);
  expect(await host.loader.callInit('t')).toMatchObject({ ran: 2, failures: [] });
  expect(journal()).toEqual(['service', 'user', 'each']);
}, 60_000);

test('another build in another thread is refused with both named, and comes in when that thread is gone', async () => {
  const host = aHost([[{ name: 'm' }, noting('m')]]);
  const [thread] = (await startActors(1)) as [Actor];
  const { dir, manifest } = writeBuild([[{ name: 'm', fingerprint: aBuild('other') }, noting('m')]]);
  const other = { ...argsFor(host), options: { fingerprint: aBuild('other'), dirs: [dir], manifest } };
  await thread.run(prepare, other);
  const loaded = await thread.run(async ({ state }) => (await (state as unknown as State).loader.load('m')).outcome);
  expect(loaded).toBe('loaded');
  const before = host.state();
  const outcome = await host.loader.load('m');
  expect(told(outcome)).toBe('refused process m');
  expect(outcome.message).toMatch(
    new RegExp(`${aBuild('other')}.*${dir}/m\\.mjs.*${aBuild()}.*${host.dir}/m\\.mjs.*otherBuilds`),
  );
  expect([journal(), host.state()]).toEqual([[], before]);
  await thread.terminate();
  expect(await host.loader.load('m')).toMatchObject({ outcome: 'loaded', generation: 2 });
});

test('threads that die while they load, inside an initialiser of the process too, stop nobody', async () => {
  const host = aHost([
    [
      { name: 'm' },
      `import { moduleInit } from 'coexist/module';
       moduleInit('t', () => new Promise((resolve) => globalThis.dies ? globalThis.dies() : resolve()), { scope: 'process' });
       moduleInit('t', () => { globalThis.journal.push('done'); });`,
    ],
  ]);
  const [dying, other] = (await startActors(2)) as [Actor, Actor];
  for (const actor of [dying, other]) await actor.run(prepare, argsFor(host));
  // It answers from inside the initialiser, which never ends.
  await dying.run(async ({ state }) => {
    const { loader } = state as unknown as State;
    await loader.callInit('t');
    await new Promise<void>((resolve) => {
      Object.assign(globalThis, { dies: resolve });
      void loader.load('m');
    });
  });
  expect(inspectModules({ area: host.area })[0]?.threads).toMatchObject([{ loaded: false }]);
  await host.loader.callInit('t');
  const waiting = host.loader.load('m');
  await dying.terminate();
  expect(told(await waiting)).toBe('loaded');
  const there = await other.run(async ({ state }) => {
    const { loader } = state as unknown as State;
    await loader.callInit('t');
    return (await loader.load('m')).outcome;
  });
  expect(there).toBe('loaded');
  expect(journal()).toEqual(['done']);
});

test('two copies in one thread share one load, its exports, and its failure', async () => {
  const host = aHost([...SHARED, [{ name: 'bad' }, "globalThis.journal.push('bad'); throw new Error('broken');"]]);
  const [thread] = (await startActors(1)) as [Actor];
  await thread.run(prepare, argsFor(host));
  const result = await thread.run(
    async ({ state, load }, { url, memory, options }: Args) => {
      const { loader } = state as unknown as State;
      const library = (await load(url)) as Module;
      const beside = library.createLoader({ ...options, area: library.openArea(memory as never) } as never);
      await beside.callInit('t');
      const [first, second] = await Promise.all([loader.load('user'), beside.load('user')]);
      const failed = await Promise.all([beside.load('bad'), loader.load('bad')]);
      const { journal } = globalThis as unknown as { journal: string[] };
      return {
        outcomes: [first, second, ...failed].map(({ outcome }) => outcome),
        same: 'exports' in first && 'exports' in second && first.exports === second.exports,
        again: (await beside.load('user')).outcome,
        reports: [(await loader.callInit('t')).ran, (await beside.callInit('t')).ran],
        journal,
      };
    },
    argsFor(host, 'b'),
  );
  expect(result).toEqual({
    outcomes: ['loaded', 'loaded', 'failed', 'failed'],
    same: true,
    again: 'already',
    reports: [0, 0],
    journal: ['service', 'once begun', 'once', 'each', 'user', 'bad'],
  });
});
