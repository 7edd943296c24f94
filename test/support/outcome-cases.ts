// What a request to load can come to, one case for each cause: what is on disk, what is asked for, and what the outcome has to say.

import { mkdirSync, renameSync, symlinkSync, truncateSync } from 'node:fs';
import type { Manifest } from 'coexist/modinfo';
import type { LoaderOptions } from 'coexist/module';
import { noting, type TestHost } from './loaders.js';
import { aBuild, aDirectory, declarationText, type ModuleSource, writeModule, writeText } from './modules.js';

export interface Case {
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

export const M: readonly ModuleSource[] = [[{ name: 'm' }, noting('m', ['t'])]];
const AB: readonly ModuleSource[] = [
  [{ name: 'a', depends: ['b'] }, noting('a', ['t'])],
  [{ name: 'b' }, noting('b', ['t'])],
];
const file = ({ dir }: TestHost, name = 'm.mjs'): string => `${dir}/${name}`;
export const other = (name: string): ModuleSource => [{ name, fingerprint: aBuild('other') }, noting(name)];

export const CASES: readonly Case[] = [
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
      writeModule(host.dir, { name: 'm' }, noting('m', ['u']));
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
    options: { timeout: 500 },
    told: 'failed COEXIST_ETIMEDOUT m',
    says: ['"m"', 'evaluated', '500 ms'],
    ran: ['m'],
  },
  {
    is: 'an endless loop in CommonJS',
    modules: [[{ name: 'm', type: 'commonjs' }, 'for (;;);', 'm.cjs']],
    options: { timeout: 500 },
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
