// Outcomes are values: each with its causes, its message with both sides in order (found, expected), and nothing left behind.

import { chmodSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { CoexistError } from 'coexist';
import type { Manifest } from 'coexist/modinfo';
import { createLoader, defineInterface, type LoaderOptions, type Outcome, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, type TestHost, told } from '../support/loaders.js';
import {
  aBuild,
  aDirectory,
  declarationText,
  type ModuleSource,
  sha256,
  writeBuild,
  writeModule,
  writeText,
} from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

interface Case {
  readonly is: string;
  readonly modules?: readonly ModuleSource[];
  readonly options?: Partial<LoaderOptions>;
  /** Changes what the loader will find. */
  readonly spoil?: (host: TestHost) => void;
  readonly manifest?: (manifest: Manifest) => unknown;
  readonly load?: string;
  readonly told: string;
  /** In the message, in this order. */
  readonly says: readonly (string | RegExp)[];
  readonly ran?: readonly string[];
}

const M: readonly ModuleSource[] = [[{ name: 'm' }, noting('m', ['t'])]];
const AB: readonly ModuleSource[] = [
  [{ name: 'a', depends: ['b'] }, noting('a', ['t'])],
  [{ name: 'b' }, noting('b', ['t'])],
];
const file = ({ dir }: TestHost, name = 'm.mjs'): string => `${dir}/${name}`;
const other = (name: string): ModuleSource => [{ name, fingerprint: aBuild('other') }, noting(name)];

const CASES: readonly Case[] = [
  { is: 'no such module', load: 'n', told: 'absent n', says: ['"n"'] },
  {
    is: 'a listed module without its file',
    spoil: (host) => renameSync(file(host), `${host.dir}/x`),
    told: 'absent m',
    says: ['"m"', 'm.mjs'],
  },
  {
    is: 'a dependency without its file',
    modules: AB,
    load: 'a',
    spoil: (host) => renameSync(file(host, 'b.mjs'), `${host.dir}/x`),
    told: 'absent b',
    says: ['"b"', 'a -> b'],
  },
  {
    is: 'a dependency that is not listed',
    modules: AB,
    load: 'a',
    manifest: ({ modules }) => ({ format: 1, modules: modules.slice(0, 1) }),
    spoil: (host) => renameSync(file(host, 'b.mjs'), `${host.dir}/x`),
    told: 'absent b',
    says: ['"b"', 'a -> b'],
  },
  { is: 'a path out of the directory', load: '../m', told: 'refused name ../m', says: ['"../m"'] },
  { is: 'a name with a separator', load: 'x/m', told: 'refused name x/m', says: ['"x/m"'] },
  { is: 'a name with a backslash', load: 'x\\m', told: 'refused name x\\m', says: [] },
  { is: 'a name with NUL', load: 'm\0', told: 'refused name m\0', says: [] },
  { is: 'an empty name', load: '', told: 'refused name ', says: [] },
  { is: 'dots', load: '..', told: 'refused name ..', says: [] },
  { is: 'a long name', load: 'x'.repeat(57), told: `refused name ${'x'.repeat(57)}`, says: [] },
  { is: 'a name of Object', load: '__proto__', told: 'refused name __proto__', says: [] },
  { is: 'another name of Object', load: 'constructor', told: 'absent constructor', says: [] },
  {
    is: 'a file that declares nothing',
    load: 'plain',
    spoil: (host) => writeText(host.dir, 'plain.js', 'globalThis.journal.push("plain")'),
    told: 'refused not-a-module plain',
    says: ['plain.js', '"plain"'],
  },
  {
    is: 'a file that is not listed',
    load: 'late',
    spoil: (host) => writeModule(host.dir, { name: 'late' }, noting('late')),
    told: 'refused unlisted late',
    says: ['late.mjs', 'manifest'],
  },
  {
    is: 'a listed file that declares nothing any more',
    spoil: (host) => writeText(host.dir, 'm.mjs', noting('m')),
    told: 'refused not-a-module m',
    says: ['m.mjs', '"m"'],
  },
  {
    is: 'a listed file that declares another',
    spoil: (host) => writeText(host.dir, 'm.mjs', declarationText({ name: 'x' })),
    told: 'refused not-a-module m',
    says: ['"x"', '"m"'],
  },
  {
    is: 'a malformed declaration',
    spoil: (host) => writeText(host.dir, 'm.mjs', '/*! coexist-module {"name": */'),
    told: 'refused not-a-module m',
    says: [],
  },
  {
    is: 'another build',
    modules: [other('m')],
    options: { origin: '/host/program' },
    told: 'refused build m',
    says: [aBuild('other'), 'm.mjs', aBuild(), '/host/program', /[Rr]ebuild or reinstall/],
  },
  {
    is: 'a new build put in its place',
    spoil: (host) => writeText(host.dir, 'm.mjs', `${declarationText({ name: 'm', fingerprint: aBuild('new') })}`),
    told: 'refused build m',
    says: [aBuild('new'), 'm.mjs', aBuild()],
  },
  {
    is: 'a manifest of another build over files of this one',
    manifest: ({ modules }) => ({
      format: 1,
      modules: modules.map((each) => ({ ...each, fingerprint: aBuild('other') })),
    }),
    told: 'refused build m',
    says: [aBuild('other'), aBuild()],
  },
  {
    is: 'another host',
    modules: [[{ name: 'm', targets: ['system'] }, noting('m')]],
    options: { host: 'img' },
    told: 'refused host m',
    says: ['"img"', 'system'],
  },
  {
    is: 'a host without a name',
    modules: [[{ name: 'm', targets: ['system'] }, noting('m')]],
    told: 'refused host m',
    says: ['system'],
  },
  {
    is: 'a dependency for another host',
    modules: [
      [{ name: 'a', depends: ['b'], targets: ['system'] }, noting('a')],
      [{ name: 'b', targets: ['system'] }, noting('b')],
    ],
    manifest: ({ modules }) => ({
      format: 1,
      modules: modules.map((each) => (each.name === 'a' ? { ...each, targets: [] } : each)),
    }),
    options: { host: 'img' },
    load: 'a',
    told: 'refused host b',
    says: ['"img"', 'a -> b'],
  },
  { is: 'not in the list of the host', options: { allow: ['x'] }, told: 'refused not-allowed m', says: ['"m"', 'x'] },
  {
    is: 'a dependency that is not allowed',
    modules: AB,
    load: 'a',
    options: { allow: (name: string) => name !== 'b' },
    told: 'refused not-allowed b',
    says: ['"b"', 'a -> b'],
  },
  {
    is: 'a link out of the directory',
    spoil: (host) => {
      const away = aDirectory();
      renameSync(file(host), `${away}/m.mjs`);
      symlinkSync(`${away}/m.mjs`, file(host));
    },
    told: 'refused outside m',
    says: [/coexist-modules-\w+\/m\.mjs/, /coexist-modules-/],
  },
  {
    is: 'a directory',
    spoil: (host) => {
      renameSync(file(host), `${host.dir}/x`);
      mkdirSync(file(host));
    },
    told: 'refused not-a-file m',
    says: ['directory', 'file'],
  },
  {
    is: 'a truncated file',
    spoil: (host) => truncateSync(file(host), 200),
    told: 'refused content m',
    says: ['200', 'manifest'],
  },
  {
    is: 'a file whose content differs',
    spoil: (host) => {
      const path = writeModule(host.dir, { name: 'm' }, noting('m', ['u']));
      expect(path).toBe(file(host));
    },
    told: 'refused content m',
    says: [/[0-9a-f]{64}/, /[0-9a-f]{64}/],
  },
  { is: 'a file that is too large', options: { maxBytes: 100 }, told: 'refused too-large m', says: ['100'] },
  {
    is: 'a module that throws',
    modules: [[{ name: 'm' }, "globalThis.journal.push('m'); throw new Error('broken');"]],
    told: 'failed COEXIST_EFAILED m',
    says: ['"m"', 'broken'],
    ran: ['m'],
  },
  {
    is: 'a CommonJS module that throws',
    modules: [[{ name: 'm', type: 'commonjs' }, "throw 'broken'", 'm.cjs']],
    told: 'failed COEXIST_EFAILED m',
    says: ['"m"', 'broken'],
  },
  {
    is: 'a module that never ends',
    modules: [[{ name: 'm' }, "globalThis.journal.push('m'); await new Promise(() => {});"]],
    options: { timeout: 100 },
    told: 'failed COEXIST_ETIMEDOUT m',
    says: ['"m"', 'evaluated', '100 ms'],
    ran: ['m'],
  },
  {
    is: 'an endless loop in CommonJS',
    modules: [[{ name: 'm', type: 'commonjs' }, 'for (;;);', 'm.cjs']],
    options: { timeout: 200 },
    told: 'failed COEXIST_ETIMEDOUT m',
    says: ['"m"'],
  },
  {
    is: 'a dependency that throws',
    modules: [
      [{ name: 'a', depends: ['b'] }, noting('a')],
      [{ name: 'b' }, "throw new Error('broken')"],
    ],
    load: 'a',
    told: 'failed COEXIST_EFAILED b',
    says: ['"b"', 'broken', 'a -> b'],
  },
  {
    is: 'an interface that it declares and does not implement',
    modules: [[{ name: 'm', interfaces: { 'outcomes/none': 1 } }, noting('m')]],
    told: 'refused interface m',
    says: ['outcomes/none'],
    ran: ['m'],
  },
  {
    is: 'an interface that it implements and does not declare',
    modules: [
      [
        { name: 'm' },
        "import { implement } from 'coexist/module'; implement('outcomes/none', { version: 1, functions: { f() {} } });",
      ],
    ],
    told: 'refused interface m',
    says: ['outcomes/none'],
  },
  {
    is: 'a function that is missing',
    modules: [
      [
        { name: 'm', interfaces: { 'outcomes/defined': 2 } },
        "import { implement } from 'coexist/module'; implement('outcomes/defined', { version: 2, functions: { f() {} } });",
      ],
    ],
    told: 'refused interface m',
    says: ['outcomes/defined', 'g'],
  },
  {
    is: 'a function beyond the interface',
    modules: [
      [
        { name: 'm', interfaces: { 'outcomes/defined': 2 } },
        "import { implement } from 'coexist/module'; implement('outcomes/defined', { version: 2, functions: { f() {}, g() {}, h() {} } });",
      ],
    ],
    told: 'refused interface m',
    says: ['outcomes/defined', 'h'],
  },
  {
    is: 'another version of an interface',
    modules: [[{ name: 'm', interfaces: { 'outcomes/defined': 3 } }, noting('m')]],
    told: 'refused interface m',
    says: ['3', 'outcomes/defined', '2'],
  },
  {
    is: 'an import that is not declared',
    modules: [[{ name: 'm', type: 'commonjs' }, "require('./x')", 'm.cjs']],
    manifest: (manifest) => manifest,
    told: 'failed COEXIST_EFAILED m',
    says: ['./x'],
  },
];

test('an interface that the program implements, and one that the process has in another version, are refused', async () => {
  const own = defineInterface('outcomes/own', { version: 1, functions: { f: stub.noop() } });
  own.implement({ f: () => undefined });
  const implementing = (name: string, interfaceName: string, version: number): ModuleSource => [
    { name, interfaces: { [interfaceName]: version } },
    `import { implement } from 'coexist/module'; globalThis.journal.push('${name}');
     implement('${interfaceName}', { version: ${version}, functions: { f() {} } });`,
  ];
  const { loader } = aHost([
    implementing('taken', 'outcomes/own', 1),
    implementing('first', 'outcomes/versions', 1),
    implementing('second', 'outcomes/versions', 2),
  ]);
  const taken = await loader.load('taken');
  expect(told(taken)).toBe('refused interface taken');
  expect(taken.message).toMatch(/outcomes\/own.*the program itself/);
  expect(told(await loader.load('first'))).toBe('loaded');
  const second = await loader.load('second');
  expect(told(second)).toBe('refused interface second');
  expect(second.message).toMatch(/version 2 of interface "outcomes\/versions", expected 1, which the process has/);
  expect(journal()).toEqual(['first']);
  own.withdraw();
  expect(told(await loader.load('taken'))).toBe('loaded');
});

const table = defineInterface('outcomes/defined', { version: 2, functions: { f: stub.value('stub'), g: stub.noop() } });

test.each(CASES)('$is', async ({ modules = M, options, spoil, manifest, load = 'm', ...expected }) => {
  const built = writeBuild(modules);
  const given = manifest === undefined ? built.manifest : (manifest(built.manifest) as Manifest);
  const host = aHost([], { dirs: [built.dir], manifest: given, ...options });
  spoil?.({ ...host, dir: built.dir });
  await host.loader.callInit('t');
  const before = host.state();
  const outcome = await host.loader.load(load);
  expect(told(outcome)).toBe(expected.told);
  expectMessage(outcome, expected.says);
  expect(journal()).toEqual(expected.ran ?? []);
  expect(host.state()).toEqual(before);
  expect(table.status()).toMatchObject({ generation: 0, provider: undefined });
  expect((await host.loader.callInit('t')).ran).toBe(0);
  // The same again: nothing of the first try is in the way.
  expect(told(await host.loader.load(load))).toBe(expected.told);
  host.loader[Symbol.dispose]();
});

function expectMessage(outcome: Outcome, says: readonly (string | RegExp)[]): void {
  let rest = outcome.message;
  for (const each of says) {
    const at = typeof each === 'string' ? rest.indexOf(each) : rest.search(each);
    expect(at, `${each} in ${rest} of ${outcome.message}`).toBeGreaterThanOrEqual(0);
    rest = rest.slice(at + (typeof each === 'string' ? each.length : 1));
  }
  if (!('error' in outcome)) return;
  expect(outcome.error).toBeInstanceOf(CoexistError);
  expect(outcome.error.remedy).not.toBe('');
}

test.each(['m.mjs', 'm.cjs'])('a syntax error in %s is a failure that names its place', async (name) => {
  const { dir, manifest } = writeBuild([[{ name: 'm' }, '', name]]);
  // No manifest is collected of such a file.
  const text = `${declarationText({ name: 'm' })}\nconst = 5;\n`;
  writeText(dir, name, text);
  const modules = manifest.modules.map((each) => ({ ...each, sha256: sha256(text), bytes: text.length }));
  const { loader } = aHost([], { dirs: [dir], manifest: { format: 1, modules } });
  const outcome = await loader.load('m');
  expect(told(outcome)).toBe('failed COEXIST_EFAILED m');
  expectMessage(outcome, [`${dir}/${name}`, 'SyntaxError']);
});

test('a file that cannot be read is refused with why', async () => {
  const { dir, manifest } = writeBuild(M);
  const host = aHost([], { dirs: [dir], manifest });
  chmodSync(`${dir}/m.mjs`, 0);
  const outcome = await host.loader.load('m');
  // The superuser reads it all the same.
  expect(['refused unreadable m', 'loaded']).toContain(told(outcome));
  symlinkSync(`${dir}/nowhere.mjs`, `${dir}/dangling.mjs`);
  expect(told(await host.loader.load('dangling'))).toBe('refused unreadable dangling');
});

test('after each outcome, what was wrong can be mended, and the module loads', async () => {
  const { dir, manifest } = writeBuild(M);
  const { loader } = aHost([], { dirs: [dir], manifest });
  writeFileSync(`${dir}/m.mjs`, 'nothing');
  expect(told(await loader.load('m'))).toBe('refused not-a-module m');
  writeBuild(M, dir);
  expect(told(await loader.load('m'))).toBe('loaded');
  expect(journal()).toEqual(['m']);
});

test('a refused module with three initialisers ran none of them, and the next good load works', async () => {
  const bad: ModuleSource = [{ name: 'bad', interfaces: { 'outcomes/missing': 1 } }, noting('bad', ['t', 't', 'u'])];
  const { loader, state } = aHost([bad, [{ name: 'good' }, noting('good', ['t', 'u'])]]);
  await loader.callInit('t');
  const before = state();
  expect(told(await loader.load('bad'))).toBe('refused interface bad');
  expect(state()).toEqual(before);
  expect(told(await loader.load('good'))).toBe('loaded');
  await loader.callInit('u');
  expect(journal()).toEqual(['bad', 'good', 'good.t', 'good.u']);
});

test('a cycle is refused with its path, before any of it is read', async () => {
  const { dir, manifest } = writeBuild([
    [{ name: 'a' }, noting('a')],
    [{ name: 'b' }, noting('b')],
    [{ name: 'c' }, noting('c')],
  ]);
  const depends: Readonly<Record<string, string[]>> = { a: ['b'], b: ['c'], c: ['b'] };
  const modules = manifest.modules.map((each) => ({ ...each, depends: depends[each.name] as string[] }));
  const { loader, state } = aHost([], { dirs: [dir], manifest: { format: 1, modules } });
  const before = state();
  const outcome = await loader.load('a');
  expect(outcome).toMatchObject({ outcome: 'refused', reason: 'cycle', chain: ['a', 'b', 'c', 'b'] });
  expect(outcome.message).toContain('b -> c -> b');
  expect([journal(), state()]).toEqual([[], before]);
});

test('two builds of one module in a thread are refused with both named, unless both are wanted', async () => {
  const first = aHost(M);
  expect(told(await first.loader.load('m'))).toBe('loaded');
  const { dir, manifest } = writeBuild([other('m')]);
  const options = { fingerprint: aBuild('other'), dirs: [dir], manifest, area: first.area } as const;
  using refusing = createLoader(options);
  const outcome = await refusing.load('m');
  expect(told(outcome)).toBe('refused process m');
  expectMessage(outcome, [aBuild(), `${first.dir}/m.mjs`, aBuild('other'), "otherBuilds: 'allow'"]);
  using allowing = createLoader({ ...options, otherBuilds: 'allow' });
  expect(told(await allowing.load('m'))).toBe('loaded');
  expect(told(await allowing.load('m'))).toBe('already');
  expect(told(await first.loader.load('m'))).toBe('already');
  expect(journal()).toEqual(['m', 'm']);
});
