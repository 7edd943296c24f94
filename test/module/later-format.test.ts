// A package that was replaced by one of a later format, whose manifest and declarations say more than this version knows: what counts of
// it is that it is another build.

import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { createLoader } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { failure } from '../support/failures.js';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
import { aBuild, aDirectory, type ModuleSource, writeBuild, writeText } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const OLD = aBuild();
const LATER = aBuild('later');
const PARTS: readonly ModuleSource[] = [
  [{ name: 'a', depends: ['b'] }, noting('a')],
  [{ name: 'b' }, noting('b')],
];

/** A running program of the old build, whose directory an installer has given a package of a later format. */
function replaced(keep: boolean) {
  const { dir } = writeBuild(PARTS, aDirectory());
  const { options } = aHost([]);
  const { manifest: _, ...rest } = { ...options, dirs: [dir] };
  const running = createLoader(rest);
  const old = readdirSync(dir);
  mkdirSync(`${dir}/${OLD}`);
  if (keep) for (const file of old) renameSync(`${dir}/${file}`, `${dir}/${OLD}/${file}`);
  for (const name of ['a', 'b']) {
    const declaration = { name, fingerprint: LATER, engines: ['node >= 30'] };
    writeText(dir, `${name}.mjs`, `/*! coexist-module ${JSON.stringify(declaration)} */\nexport {};\n`);
  }
  writeText(dir, 'modinfo.json', JSON.stringify({ format: 2, modules: {} }));
  return { dir, options: rest, running };
}

test('is refused as another build, both named, by a program that runs on', async () => {
  const { dir, options, running } = replaced(false);
  const outcome = await running.load('a');
  expect(told(outcome)).toBe('refused build b');
  expect(outcome).toMatchObject({ error: { found: { fingerprint: LATER, path: `${dir}/b.mjs` } } });
  // Nothing in it says what there is of this build.
  expect(failure('COEXIST_EINVAL', () => createLoader(options)).message).toContain('format is 2');
  expect(journal()).toEqual([]);
});

test('is no obstacle where the old build lies beside it, also for what starts later', async () => {
  const { dir, options, running } = replaced(true);
  expect(await running.load('b')).toMatchObject({ outcome: 'loaded', path: `${dir}/${OLD}/b.mjs` });
  using later = createLoader(options);
  expect(await later.load('a')).toMatchObject({ outcome: 'loaded', path: `${dir}/${OLD}/a.mjs` });
  expect(journal()).toEqual(['b', 'a']);
});
