// What a module depends on: first, each verified, shared, and gone with it where nobody else needs it.

import { createLoader, defineInterface, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told, written } from '../support/loaders.js';
import { aBuild, type ModuleSource, writeBuild, writeModule } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

test('a -> b -> c with c of another build: a is refused, names c, and nothing of the three has run', async () => {
  const { dir, manifest } = writeBuild([
    [{ name: 'a', depends: ['b'] }, noting('a')],
    [{ name: 'b', depends: ['c'] }, noting('b')],
    [{ name: 'c' }, noting('c')],
  ]);
  writeModule(dir, { name: 'c', fingerprint: aBuild('other') }, noting('c'));
  const { loader, state } = aHost([], { dirs: [dir], manifest });
  const before = state();
  const outcome = await loader.load('a');
  expect(outcome).toMatchObject({
    outcome: 'refused',
    reason: 'build',
    name: 'a',
    culprit: 'c',
    chain: ['a', 'b', 'c'],
  });
  expect(outcome.message).toMatch(/"c".*a -> b -> c/);
  expect([journal(), state()]).toEqual([[], before]);
  // Each of them by itself, too.
  expect(told(await loader.load('b'))).toBe('refused build c');
  expect(told(await loader.load('c'))).toBe('refused build c');
  writeModule(dir, { name: 'c' }, noting('c'));
  expect(told(await loader.load('a'))).toBe('loaded');
  expect(journal()).toEqual(['c', 'b', 'a']);
});

const order = (seed: readonly ModuleSource[]): readonly ModuleSource[] => [...seed].reverse();

test('the order is that of the declarations, depth first, whatever the files are', async () => {
  const modules: readonly ModuleSource[] = [
    [{ name: 'top', depends: ['z', 'a', 'm'] }, noting('top')],
    [{ name: 'z', depends: ['y', 'x'] }, noting('z')],
    [{ name: 'a', depends: ['x'] }, noting('a')],
    [{ name: 'm' }, noting('m')],
    [{ name: 'x' }, `${noting('x')}\nawait new Promise((resolve) => setTimeout(resolve, 10));`],
    [{ name: 'y' }, noting('y')],
  ];
  for (const each of [modules, order(modules)]) {
    newJournal();
    const { loader } = aHost(each);
    expect(told(await loader.load('top'))).toBe('loaded');
    expect(journal()).toEqual(['y', 'x', 'z', 'a', 'm', 'top']);
  }
});

const SHARED: readonly ModuleSource[] = [
  [{ name: 'bad', depends: ['base', 'own'] }, `${noting('bad')}\nthrow new Error('broken');`],
  [{ name: 'base' }, noting('base', ['t'])],
  [{ name: 'good', depends: ['base'] }, noting('good')],
  [{ name: 'own' }, noting('own', ['t'])],
];
const states = (loader: { list(): { name: string; state: string }[] }): string[] =>
  loader.list().map(({ name, state }) => `${name} ${state}`);

test('what a failed module brought goes with it', async () => {
  const { loader, state } = aHost(SHARED);
  const before = state();
  expect(told(await loader.load('bad'))).toBe('failed COEXIST_EFAILED bad');
  expect(state()).toEqual(before);
  expect(await loader.callInit('t')).toMatchObject({ ran: 0 });
  // Evaluated anew.
  expect(told(await loader.load('base'))).toBe('loaded');
  expect(journal()).toEqual(['base', 'own', 'bad', 'base', 'base.t']);
});

test('what others need, or was asked for by its name, stays', async () => {
  const { loader } = aHost(SHARED);
  expect(told(await loader.load('good'))).toBe('loaded');
  expect(told(await loader.load('own'))).toBe('loaded');
  expect(told(await loader.load('bad'))).toBe('failed COEXIST_EFAILED bad');
  expect(states(loader)).toEqual(['bad unloaded', 'base loaded', 'good loaded', 'own loaded']);
  expect(journal()).toEqual(['base', 'good', 'own', 'bad']);
});

test('a dependency in flight is shared with a load that fails', async () => {
  const slow = `${noting('base')}\nawait new Promise((resolve) => { globalThis.release = resolve; });`;
  const { loader, options } = aHost([...SHARED.filter(([{ name }]) => name !== 'base'), [{ name: 'base' }, slow]]);
  using other = createLoader(options);
  const loads = [loader.load('bad'), other.load('good'), loader.load('good')];
  await written('base');
  (globalThis as unknown as { release(): void }).release();
  const outcomes = await Promise.all(loads);
  expect(outcomes.map(told)).toEqual(['failed COEXIST_EFAILED bad', 'loaded', 'loaded']);
  expect(states(loader)).toEqual(['bad unloaded', 'base loaded', 'good loaded', 'own unloaded']);
  expect(journal().filter((each) => each === 'base')).toEqual(['base']);
});

test('a load that is given up in a dependency that never ends lets the next one begin anew', async () => {
  const never = 'globalThis.journal.push("base"); if (globalThis.journal.length < 2) await new Promise(() => {});';
  const { loader, state } = aHost([
    [{ name: 'a', depends: ['base'] }, noting('a')],
    [{ name: 'base' }, never],
  ]);
  const before = state();
  const outcome = await loader.load('a', { timeout: 500 });
  expect(outcome).toMatchObject({ outcome: 'failed', culprit: 'base', chain: ['a', 'base'] });
  expect(state()).toEqual(before);
  expect(told(await loader.load('a'))).toBe('loaded');
  expect(journal()).toEqual(['base', 'base', 'a']);
});

const implementing = (name: string, of: string) =>
  [
    { name, interfaces: { [of]: 1 } },
    `import { implement } from 'coexist/module';
   implement('${of}', { version: 1, functions: { who: () => '${name}' } });`,
  ] as const;

test('of two modules that implement one interface at the same moment, one is loaded', async () => {
  const table = defineInterface('dependencies/race', { version: 1, functions: { who: stub.value('nobody') } });
  const { loader } = aHost([implementing('x', 'dependencies/race'), implementing('y', 'dependencies/race')]);
  const outcomes = await Promise.all([loader.load('x'), loader.load('y')]);
  expect(outcomes.map(told)).toEqual(['loaded', 'refused interface y']);
  expect(outcomes[1]?.message).toContain('"x"');
  expect(table.who()).toBe('x');
  expect(states(loader)).toEqual(['x loaded', 'y unloaded']);
});

test('a module and its dependency cannot implement the same interface', async () => {
  const [x, y] = [implementing('x', 'dependencies/both'), implementing('y', 'dependencies/both')];
  const { loader } = aHost([[{ ...x[0], depends: ['y'] }, x[1]], y]);
  expect(told(await loader.load('x'))).toBe('refused interface x');
  expect(told(await loader.load('y'))).toBe('loaded');
});

test('all interfaces of a load come into force together, behind everything that could fail', async () => {
  const tables = ['first', 'second'].map((each) =>
    defineInterface(`dependencies/${each}`, { version: 1, functions: { who: stub.value('nobody') } }),
  );
  const seen = (): string => tables.map((each) => each.who()).join(' ');
  (globalThis as unknown as { seen(): string }).seen = seen;
  const look = 'globalThis.journal.push(globalThis.seen());';
  const [x, y] = [implementing('x', 'dependencies/first'), implementing('y', 'dependencies/second')];
  const { loader } = aHost([
    x,
    [
      { ...y[0], depends: ['x'] },
      `${y[1]}\n${look}\nimport { moduleInit } from 'coexist/module'; moduleInit('t', () => { ${look} });`,
    ],
  ]);
  await loader.callInit('t');
  expect(told(await loader.load('y'))).toBe('loaded');
  expect(journal()).toEqual(['nobody nobody', 'nobody nobody']);
  expect(seen()).toBe('x y');
});

test('a stub that loads finds the module that implements it', async () => {
  const table = defineInterface<{ open(path: string): Promise<string> }>('dependencies/load', {
    version: 1,
    functions: { open: stub.load() },
  });
  await expect(table.open('p')).rejects.toMatchObject({ code: 'COEXIST_EREFUSED' });
  const body = `import { implement } from 'coexist/module';
    implement('dependencies/load', { version: 1, functions: { open: async (path) => 'opened ' + path } });`;
  const { loader } = aHost([[{ name: 'm', interfaces: { 'dependencies/load': 1 } }, body]]);
  expect(await table.open('p')).toBe('opened p');
  expect(states(loader)).toEqual(['m loaded']);
  loader[Symbol.dispose]();
});

test('of two modules for one interface that are asked for at once, nothing of the later one runs', async () => {
  const name = 'at-once/disk';
  const table = defineInterface(name, { version: 1, functions: { f: stub.value(0) } });
  const body = (each: string) => `import { implement, moduleInit } from 'coexist/module';
    globalThis.journal.push('${each}');
    moduleInit('t', () => { globalThis.journal.push('${each}.t'); });
    implement('${name}', { version: 1, functions: { f: () => '${each}' } });`;
  const { loader } = aHost([
    [{ name: 'a', interfaces: { [name]: 1 } }, body('a')],
    [{ name: 'b', interfaces: { [name]: 1 } }, body('b')],
  ]);
  await loader.callInit('t');
  const outcomes = await Promise.all([loader.load('a'), loader.load('b')]);
  expect(outcomes.map(told)).toEqual(['loaded', 'refused interface b']);
  expect(outcomes[1].message).toContain(`interface "${name}" is about to be implemented by module "a"`);
  expect([journal(), table.f()]).toEqual([['a', 'a.t'], 'a']);
  // One that fails has claimed nothing.
  table.withdraw();
  const { loader: second } = aHost([
    [{ name: 'c', interfaces: { [name]: 1 } }, 'throw new Error("not today");'],
    [{ name: 'b', interfaces: { [name]: 1 } }, body('b')],
  ]);
  expect(told(await second.load('c'))).toBe('failed COEXIST_EFAILED c');
  expect(told(await second.load('b'))).toBe('loaded');
});
