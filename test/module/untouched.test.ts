// A load that is refused, or finds nothing, before anything of it runs leaves every byte of the shared memory as it was: no name, no row,
// no word. And what loaders decide is theirs: two of one thread do not weaken each other.

import { execFileSync } from 'node:child_process';
import { symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { createLoader, defineInterface, implement, type LoaderOptions, stub } from 'coexist/module';
import { beforeEach, expect, test, vi } from 'vitest';
import { aHost, journal, newJournal, noting, type TestHost, told } from '../support/loaders.js';
import { aBuild, declarationText, type ModuleSource, writeBuild } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

/** A copy of the area, of the heap's names and objects too. */
const bytesOf = ({ area }: TestHost): Buffer => Buffer.from(new Uint8Array(area.buffer).slice());

/** `a` depends on `b`, which depends on `c`: whatever is wrong with c, all of it is refused. */
const CHAIN: readonly ModuleSource[] = [
  [{ name: 'a', depends: ['b'], interfaces: { 'untouched/a': 1 } }, noting('a', ['t'])],
  [{ name: 'b', depends: ['c'] }, noting('b', ['t'])],
  [{ name: 'c', interfaces: { 'untouched/c': 1 } }, noting('c', ['t'])],
];

const text = (name: string, fingerprint = aBuild()): string =>
  `${declarationText({ name, fingerprint })}\n${noting(name)}`;

interface Case {
  readonly is: string;
  readonly options?: Partial<LoaderOptions>;
  readonly spoil?: (path: string) => void;
  readonly told: string;
}

const CASES: readonly Case[] = [
  { is: 'is missing', spoil: (path) => unlinkSync(path), told: 'absent c' },
  {
    is: 'is of another build',
    spoil: (path) => writeFileSync(path, text('c', aBuild('other'))),
    told: 'refused build c',
  },
  { is: 'has another content', spoil: (path) => writeFileSync(path, text('c')), told: 'refused content c' },
  { is: 'declares nothing', spoil: (path) => writeFileSync(path, ''), told: 'refused not-a-module c' },
  { is: 'is binary', spoil: (path) => writeFileSync(path, Buffer.from([0xff, 0, 0xc0])), told: 'refused content c' },
  { is: 'has 200 MB', spoil: (path) => truncateSync(path, 200_000_000), told: 'refused too-large c' },
  {
    is: 'is a pipe',
    spoil: (path) => {
      unlinkSync(path);
      execFileSync('mkfifo', [path]);
    },
    told: 'refused not-a-file c',
  },
  {
    is: 'is a link out',
    spoil: (path) => {
      unlinkSync(path);
      symlinkSync('/dev/zero', path);
    },
    told: 'refused outside c',
  },
  { is: 'is not allowed', options: { allow: ['a', 'b'] }, told: 'refused not-allowed c' },
  { is: 'is for others', options: { host: 'img' }, told: 'refused host c' },
];

test.each(CASES)('a dependency of a dependency $is', async ({ is, options, spoil, told: expected }) => {
  const built = writeBuild(CHAIN);
  // No manifest is collected where the targets do not agree.
  const targets = is === 'is for others' ? ['system'] : [];
  const modules = built.manifest.modules.map((each) => (each.name === 'c' ? { ...each, targets } : each));
  const manifest = { format: 1, modules } as const;
  const host = aHost([], { dirs: [built.dir], manifest, ...options });
  await host.loader.callInit('t');
  spoil?.(`${built.dir}/c.mjs`);
  const before = bytesOf(host);
  for (const name of ['a', 'b', 'c']) {
    const outcome = await host.loader.load(name);
    expect(told(outcome)).toBe(expected);
    expect(outcome).toMatchObject({ chain: ['a', 'b', 'c'].slice('abc'.indexOf(name)) });
    expect(before.equals(bytesOf(host))).toBe(true);
  }
  expect(journal()).toEqual([]);
});

test('an interface of another version, or that is taken, too', async () => {
  const host = aHost(CHAIN);
  const table = defineInterface('untouched/c', { version: 2, functions: { f: stub.noop() } });
  const before = bytesOf(host);
  const outcome = await host.loader.load('b');
  expect(told(outcome)).toBe('refused interface c');
  expect(outcome.message).toMatch(/version 1 of interface "untouched\/c", expected 2/);
  implement('untouched/a', { version: 1, functions: { f: () => 1 } });
  const other = aHost([[{ name: 'a', interfaces: { 'untouched/a': 1 } }, noting('a')]]);
  const bytes = bytesOf(other);
  expect(told(await other.loader.load('a'))).toBe('refused interface a');
  expect([before.equals(bytesOf(host)), bytes.equals(bytesOf(other)), journal()]).toEqual([true, true, []]);
  expect(table.status()).toMatchObject({ generation: 0, provider: undefined });
});

test('two loaders of one thread: what one may not load it is refused, though the other has it', async () => {
  const { loader: system, options } = aHost(
    [
      [{ name: 'core' }, noting('core')],
      [{ name: 'ui', targets: ['system'], depends: ['core'] }, noting('ui')],
    ],
    { host: 'system' },
  );
  using img = createLoader({ ...options, host: 'img' });
  using none = createLoader({ ...options, allow: () => false });
  expect(told(await system.load('ui'))).toBe('loaded');
  expect([told(await img.load('ui')), told(await none.load('ui'))]).toEqual([
    'refused host ui',
    'refused not-allowed ui',
  ]);
  expect(told(await img.load('core'))).toBe('already');
  expect([(await img.loadAll()).map(told), await none.loadAll()]).toEqual([['already'], []]);
  expect((await img.loadPresent()).map(told)).toEqual(['already', 'refused host ui']);
  expect(img.list().map(({ name, allowed, state }) => `${name} ${allowed} ${state}`)).toEqual([
    'core true loaded',
    'ui false loaded',
  ]);
  expect(journal()).toEqual(['core', 'ui']);
});

test('what rejects behind its end is nobody’s unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const imports = "import { moduleInit } from 'coexist/module';";
  const late = 'new Promise((_, reject) => setTimeout(reject, 120, new Error("late")))';
  const { loader, state } = aHost(
    [
      [{ name: 'text' }, `await ${late};`],
      [{ name: 'thread' }, `${imports}\nmoduleInit('t', () => ${late});`],
      [{ name: 'process' }, `${imports}\nmoduleInit('t', () => ${late}, { scope: 'process' });`],
    ],
    { timeout: 60 },
  );
  await loader.callInit('t');
  const before = state();
  const outcomes = (await Promise.all(['text', 'thread', 'process'].map((name) => loader.load(name)))).map(told);
  expect(outcomes).toEqual([
    'failed COEXIST_ETIMEDOUT text',
    'failed COEXIST_ETIMEDOUT thread',
    'failed COEXIST_ETIMEDOUT process',
  ]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await vi.waitFor(() => expect(state()).toEqual(before), 10_000);
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});
