// A package that changes on disk under a running program: what was decided by the old manifest finds the old build or is refused with
// both named, never a mixture; and nothing of a refusal is left.

import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { createLoader, type Loader } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, type TestHost, told } from '../support/loaders.js';
import { aBuild, aDirectory, type ModuleSource, writeBuild } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const OLD = aBuild();
const NEW = aBuild('new');

/** Two modules, one on the other, of a build: they note which. */
const parts = (fingerprint: string): readonly ModuleSource[] => [
  [{ name: 'a', fingerprint, depends: ['b'] }, noting(`a of ${fingerprint === OLD ? 'old' : 'new'}`)],
  [{ name: 'b', fingerprint }, noting(`b of ${fingerprint === OLD ? 'old' : 'new'}`)],
];

/** A program of the old build whose package is in a directory. */
function aProgram(dir = aDirectory()): TestHost & { another(): Loader } {
  writeBuild(parts(OLD), dir);
  const { options } = aHost([]);
  const { manifest: _, area: __, ...rest } = options;
  const host = aHost([], { ...rest, dirs: [dir], manifest: undefined });
  return { ...host, dir, another: () => createLoader({ ...rest, area: host.area, dirs: [dir] }) };
}

/** What an installer does that keeps the old build for those who run it. */
function moveAside(dir: string): void {
  const files = readdirSync(dir);
  mkdirSync(`${dir}/${OLD}`);
  for (const file of files) renameSync(`${dir}/${file}`, `${dir}/${OLD}/${file}`);
}

test('files and manifest of a new build: the old program is refused, with both builds named, in that order', async () => {
  const program = aProgram();
  const before = program.state();
  writeBuild(parts(NEW), program.dir);
  const outcome = await program.loader.load('a');
  expect(told(outcome)).toBe('refused build b');
  expect(outcome.message).toMatch(
    new RegExp(`${NEW} at ${program.dir}/b\\.mjs, expected build ${OLD} of .*modinfo\\.json`),
  );
  expect([program.state(), journal()]).toEqual([before, []]);
  // One of its threads that starts now reads the new manifest.
  using late = program.another();
  expect(told(await late.load('a'))).toBe('refused build b');
  expect(journal()).toEqual([]);
});

test('moved aside, the old build is found by the program, and by its threads that start later', async () => {
  const program = aProgram();
  moveAside(program.dir);
  writeBuild(parts(NEW), program.dir);
  using late = program.another();
  expect(await late.load('b')).toMatchObject({ outcome: 'loaded', path: `${program.dir}/${OLD}/b.mjs` });
  expect(await program.loader.load('a')).toMatchObject({ outcome: 'loaded', path: `${program.dir}/${OLD}/a.mjs` });
  expect(journal()).toEqual(['b of old', 'a of old']);
});

test('moved aside without its manifest, it is found by those who have read that, and others are refused', async () => {
  const program = aProgram();
  moveAside(program.dir);
  writeBuild(parts(NEW), program.dir);
  unlinkSync(`${program.dir}/${OLD}/modinfo.json`);
  using late = program.another();
  expect(told(await late.load('b'))).toBe('refused build b');
  expect(told(await program.loader.load('b'))).toBe('loaded');
});

test('while nothing is in the place of the old files, they are found', async () => {
  const program = aProgram();
  moveAside(program.dir);
  using late = program.another();
  expect([told(await late.load('a')), told(await program.loader.load('a'))]).toEqual(['loaded', 'already']);
});

test('replaced in part, nothing of a mixture is loaded', async () => {
  const program = aProgram();
  const fresh = writeBuild(parts(NEW));
  const before = program.state();
  cpSync(`${fresh.dir}/b.mjs`, `${program.dir}/b.mjs`);
  expect(told(await program.loader.load('a'))).toBe('refused build b');
  expect([program.state(), journal()]).toEqual([before, []]);
  // The same build, with other content: a rebuild that forgot the manifest.
  writeBuild([[{ name: 'b' }, noting('changed')]], fresh.dir);
  cpSync(`${fresh.dir}/b.mjs`, `${program.dir}/b.mjs`);
  expect(told(await program.loader.load('a'))).toBe('refused content b');
  expect([program.state(), journal()]).toEqual([before, []]);
});

test('what was loaded before the change stays, and is what the rest depends on', async () => {
  const program = aProgram();
  expect(told(await program.loader.load('b'))).toBe('loaded');
  writeBuild(parts(NEW), program.dir);
  expect(told(await program.loader.load('b'))).toBe('already');
  expect(told(await program.loader.load('a'))).toBe('refused build a');
  writeBuild(parts(OLD), program.dir);
  expect(told(await program.loader.load('a'))).toBe('loaded');
  expect(journal()).toEqual(['b of old', 'a of old']);
});

test('a file that is deleted, and a directory that is renamed, are absences that end when they are back', async () => {
  const program = aProgram();
  const before = program.state();
  renameSync(program.dir, `${program.dir}-away`);
  expect(told(await program.loader.load('a'))).toBe('absent b');
  renameSync(`${program.dir}-away`, program.dir);
  rmSync(`${program.dir}/a.mjs`);
  const outcome = await program.loader.load('a');
  expect(outcome).toMatchObject({ outcome: 'absent', missing: 'a' });
  expect(outcome.message).toContain(`${program.dir}`);
  expect([program.state(), journal()]).toEqual([before, []]);
  writeBuild(parts(OLD), program.dir);
  expect(told(await program.loader.load('a'))).toBe('loaded');
});

test('a package that is switched by a symbolic link: refused, or found where the new one keeps it', async () => {
  const root = aDirectory();
  const link = `${root}/current`;
  const switchTo = (to: string): void => {
    symlinkSync(to, `${link}.new`);
    renameSync(`${link}.new`, link);
  };
  writeBuild(parts(OLD), `${root}/1`);
  writeBuild(parts(NEW), `${root}/2`);
  symlinkSync('1', link);
  const program = aProgram(link);
  expect(await program.loader.load('b')).toMatchObject({ outcome: 'loaded', path: `${root}/1/b.mjs` });
  switchTo('2');
  const outcome = await program.loader.load('a');
  expect(told(outcome)).toBe('refused build a');
  expect(outcome.message).toContain(`${root}/2/a.mjs`);
  // A link to the old package in the new one would lead out of it.
  symlinkSync('../1', `${root}/2/${OLD}`);
  expect(told(await program.loader.load('a'))).toBe('refused outside a');
  unlinkSync(`${root}/2/${OLD}`);
  cpSync(`${root}/1`, `${root}/2/${OLD}`, { recursive: true });
  expect(await program.loader.load('a')).toMatchObject({ outcome: 'loaded', path: `${root}/2/${OLD}/a.mjs` });
  using late = program.another();
  expect(told(await late.load('a'))).toBe('already');
  switchTo('1');
  expect(journal()).toEqual(['b of old', 'a of old']);
});

test('a link that leads nowhere in between is an absence', async () => {
  const root = aDirectory();
  writeBuild(parts(OLD), `${root}/1`);
  symlinkSync('1', `${root}/current`);
  const program = aProgram(`${root}/current`);
  renameSync(`${root}/1`, `${root}/2`);
  expect(told(await program.loader.load('b'))).toBe('absent b');
  renameSync(`${root}/2`, `${root}/1`);
  expect(told(await program.loader.load('b'))).toBe('loaded');
});

test('a new manifest that is not whole is a wrong option, with nothing changed', async () => {
  const program = aProgram();
  const before = program.area.inspect().slots;
  rmSync(`${program.dir}/modinfo.json`);
  mkdirSync(`${program.dir}/modinfo.json`);
  expect(() => program.another()).toThrow(/COEXIST_EINVAL.*modinfo\.json.*directory/);
  expect(program.area.inspect().slots).toEqual(before);
  expect(told(await program.loader.load('a'))).toBe('loaded');
});
