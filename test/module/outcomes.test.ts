// Outcomes are values: each with its causes, its message with both sides in order (found, expected), and nothing left behind.

import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { CoexistError } from 'coexist';
import type { Manifest } from 'coexist/modinfo';
import { createLoader, defineInterface, type Outcome, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
import { aBuild, declarationText, type ModuleSource, sha256, writeBuild, writeText } from '../support/modules.js';
import { CASES, M, other } from '../support/outcome-cases.js';

beforeEach(() => {
  newJournal();
});

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

test('another build of what is loaded is refused as another build where the manifest lists no other', async () => {
  const { options, loader } = aHost([[{ name: 'm' }, 'export const a = 1;']]);
  expect(told(await loader.load('m'))).toBe('loaded');
  const foreign = createLoader({ ...options, fingerprint: aBuild('other') });
  const outcome = await foreign.load('m');
  expect(told(outcome)).toBe('refused build m');
  expect(outcome.message.indexOf(aBuild())).toBeLessThan(outcome.message.indexOf(aBuild('other')));
  expect(told(await loader.load('m'))).toBe('already');
});
