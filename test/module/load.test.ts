// A module is loaded once, with what it depends on, and nothing of it is seen before it is whole (docs/ABI.md, clauses 71 to 74).

import { join } from 'node:path';
import { createLoader, inspectModules } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told, written } from '../support/loaders.js';
import { aBuild, aDirectory, type ModuleSource, writeBuild } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const CHAIN: readonly ModuleSource[] = [
  [{ name: 'c' }, `${noting('c')}\nexport const value = 3;`],
  [
    { name: 'b', depends: ['c'], type: 'commonjs' },
    "journal.push('b'); exports.value = require('c').value * 5;",
    'b.js',
  ],
  [
    { name: 'a', depends: ['b', 'c'], objects: ['thing'], options: ['--thing'] },
    `${noting('a')}\nimport b from 'b';\nimport { value } from 'c';\nexport const product = b.value * value;`,
  ],
];

test('a module is loaded after what it depends on, and says what it exports', async () => {
  const { loader, area, dir } = aHost(CHAIN);
  const outcome = await loader.load('a');
  expect(outcome).toMatchObject({ outcome: 'loaded', name: 'a', path: `${dir}/a.mjs`, fingerprint: aBuild() });
  expect(outcome).toMatchObject({ exports: { product: 45 }, generation: 1 });
  expect(journal()).toEqual(['c', 'b', 'a']);
  expect(loader.list().map(({ name, state }) => `${name} ${state}`)).toEqual(['a loaded', 'b loaded', 'c loaded']);
  expect(inspectModules({ area }).map(({ name, threads }) => [name, threads[0]?.loaded])).toEqual([
    ['c', true],
    ['b', true],
    ['a', true],
  ]);
});

test('another request finds it loaded, with the same exports', async () => {
  const { loader } = aHost(CHAIN);
  const first = await loader.load('a');
  const second = await loader.load('a');
  expect([told(first), told(second)]).toEqual(['loaded', 'already']);
  expect('exports' in first && 'exports' in second && first.exports === second.exports).toBe(true);
  expect(told(await loader.load('b'))).toBe('already');
  expect(journal()).toEqual(['c', 'b', 'a']);
});

test('requests of one moment share one load', async () => {
  const { loader, options } = aHost(CHAIN);
  using other = createLoader(options);
  const outcomes = await Promise.all([loader.load('a'), other.load('a'), loader.load('a'), other.load('b')]);
  expect(outcomes.map(told)).toEqual(['loaded', 'loaded', 'loaded', 'loaded']);
  expect(new Set(outcomes.slice(0, 3).map((each) => 'exports' in each && each.exports)).size).toBe(1);
  expect(journal()).toEqual(['c', 'b', 'a']);
});

test('modules are found by what they provide, and by the option that needs them', async () => {
  const { loader } = aHost(CHAIN);
  expect(await loader.loadFor({ object: 'thing' })).toMatchObject({ outcome: 'loaded', name: 'a' });
  expect(await loader.loadFor({ option: '--thing' })).toMatchObject({ outcome: 'already', name: 'a' });
  expect(await loader.loadFor({ object: 'other' })).toMatchObject({ outcome: 'absent', missing: 'other' });
  await expect(loader.loadFor({} as never)).rejects.toMatchObject({ code: 'COEXIST_EINVAL' });
});

test('loadAll loads in the order of the manifest what this host may load', async () => {
  const modules: readonly ModuleSource[] = [
    [{ name: 'z' }, noting('z')],
    [{ name: 'ui', targets: ['system'] }, noting('ui')],
    [{ name: 'img', targets: ['img', 'system'] }, noting('img')],
    [{ name: 'forbidden' }, noting('forbidden')],
  ];
  const { loader } = aHost(modules, { host: 'img', allow: ['z', 'ui', 'img'] });
  const outcomes = await loader.loadAll();
  expect(outcomes.map((each) => `${each.name} ${told(each)}`)).toEqual(['img loaded', 'z loaded']);
  expect(journal()).toEqual(['img', 'z']);
});

test('the list is plain data, and says what is loading', async () => {
  const slow = 'globalThis.journal.push("slow"); await new Promise((resolve) => { globalThis.release = resolve; });';
  const { loader } = aHost([[{ name: 'slow', objects: ['o'], options: ['p'], interfaces: {} }, slow]]);
  const load = loader.load('slow');
  await written('slow');
  expect(loader.list()).toMatchObject([{ name: 'slow', state: 'loading', allowed: true, objects: ['o'], slots: [] }]);
  (globalThis as unknown as { release(): void }).release();
  expect(told(await load)).toBe('loaded');
  const list = loader.list();
  expect(JSON.parse(JSON.stringify(list))).toEqual(list);
  expect(list).toMatchObject([{ state: 'loaded', generation: 1, slots: [0] }]);
});

test('a loader finds its own build after an upgrade', async () => {
  const { dir, manifest } = writeBuild([[{ name: 'm' }, 'export const of = "old";']]);
  writeBuild([[{ name: 'm' }, 'export const of = "old";']], `${dir}/${aBuild()}`);
  writeBuild([[{ name: 'm', fingerprint: aBuild('new') }, 'export const of = "new";']], dir);
  const { loader } = aHost([], { dirs: [dir], manifest });
  expect(await loader.load('m')).toMatchObject({ outcome: 'loaded', exports: { of: 'old' } });
});

test('so does a loader that is made behind it', async () => {
  const { dir } = writeBuild([[{ name: 'm', fingerprint: aBuild('new') }, 'export const of = "new";']]);
  const { options, area } = aHost([]);
  const { manifest: _, ...rest } = options;
  using early = createLoader({ ...rest, dirs: [dir] });
  const refused = await early.load('m');
  // What there is and where, then what is wanted and by whom; the manifest is not this program's.
  expect(refused).toMatchObject({ outcome: 'refused', reason: 'build' });
  const names = [aBuild('new'), join(dir, 'm.mjs'), aBuild(), String(process.argv[1])];
  expect(refused.message).toMatch(new RegExp(names.map((name) => name.replace(/[^\w/-]/g, '\\$&')).join('.*')));
  writeBuild([[{ name: 'm' }, 'export const of = "old";']], `${dir}/${aBuild()}`);
  using late = createLoader({ ...rest, dirs: [dir] });
  expect(await late.load('m')).toMatchObject({ outcome: 'loaded', exports: { of: 'old' } });
  expect(inspectModules({ area })).toMatchObject([{ fingerprint: aBuild() }]);
});

test('without a manifest, that of the first directory that has one counts', async () => {
  const { dir } = writeBuild(CHAIN);
  const { options } = aHost([]);
  const { manifest: _, ...rest } = options;
  using loader = createLoader({ ...rest, dirs: [aDirectory(), dir] });
  expect(told(await loader.load('c'))).toBe('loaded');
  expect(() => createLoader({ ...rest, dirs: [aDirectory()] })).toThrow(/modinfo\.json/);
});

test('bad options are refused with nothing changed', async () => {
  const { options, area } = aHost([]);
  const slots = (): unknown => area.inspect().slots;
  const before = slots();
  const bad: Record<string, unknown>[] = [
    { fingerprint: 'x' },
    { dirs: [] },
    { dirs: 'here' },
    { manifest: { format: 2, modules: [] } },
    { manifest: '/nowhere/modinfo.json' },
    { host: '' },
    { allow: 'all' },
    { otherBuilds: 'maybe' },
    { timeout: Number.POSITIVE_INFINITY },
    { maxBytes: 0 },
    { dir: '/x' },
  ];
  for (const each of bad) {
    expect(() => createLoader({ ...options, ...each } as never), JSON.stringify(each)).toThrow(
      expect.objectContaining({ code: 'COEXIST_EINVAL' }) as Error,
    );
  }
  expect(slots()).toEqual(before);
});

test('a loader that is disposed gives up what it loads, and leaves what is loaded', async () => {
  const never = 'globalThis.journal.push("never"); await new Promise(() => {});';
  const { loader, options, state } = aHost([
    [{ name: 'never' }, never],
    [{ name: 'm' }, noting('m')],
  ]);
  expect(told(await loader.load('m'))).toBe('loaded');
  const load = loader.load('never');
  await written('never');
  loader[Symbol.dispose]();
  loader[Symbol.dispose]();
  expect(await load).toMatchObject({ outcome: 'failed', culprit: 'never', error: { code: 'COEXIST_EABORTED' } });
  await expect(loader.load('m')).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
  await expect(loader.loadAll()).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
  await expect(loader.callInit('t')).rejects.toMatchObject({ code: 'COEXIST_EUNREGISTERED' });
  expect(state()).toMatchObject({
    list: [
      { name: 'm', state: 'loaded' },
      { name: 'never', state: 'unloaded' },
    ],
  });
  using other = createLoader(options);
  expect(told(await other.load('m'))).toBe('already');
});

test('a request that gives up leaves the load to those that still wait', async () => {
  const slow = 'globalThis.journal.push("slow"); await new Promise((resolve) => { globalThis.release = resolve; });';
  const { loader } = aHost([
    [{ name: 'slow' }, slow],
    [{ name: 'user', depends: ['slow'] }, noting('user')],
  ]);
  const controller = new AbortController();
  const given = loader.load('slow', { signal: controller.signal });
  const kept = loader.load('user');
  await written('slow');
  controller.abort(new Error('enough'));
  expect(told(await given)).toBe('failed COEXIST_EABORTED slow');
  (globalThis as unknown as { release(): void }).release();
  expect(told(await kept)).toBe('loaded');
  expect(journal()).toEqual(['slow', 'user']);
});

test('a name that is no string, and bad options of a load, are misuse', async () => {
  const { loader } = aHost([]);
  await expect(loader.load(5 as never)).rejects.toMatchObject({ code: 'COEXIST_EINVAL' });
  await expect(loader.load('a', 50 as never)).rejects.toMatchObject({ code: 'COEXIST_EINVAL' });
  await expect(loader.load('a', { timeout: -1 })).rejects.toMatchObject({ code: 'COEXIST_EINVAL' });
  await expect(loader.callInit('')).rejects.toMatchObject({ code: 'COEXIST_EINVAL' });
});
