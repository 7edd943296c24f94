// The command coexist modinfo collect, as npx runs it: what it prints, what it writes, its exit codes.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collect } from 'coexist/modinfo';
import { describe, expect, test } from 'vitest';
import { root } from '../support/child.js';
import { aBuild, aDirectory, type Declared, writeModule, writeText } from '../support/modules.js';

const { bin } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
  readonly bin: { readonly coexist: string };
};

function run(...args: readonly string[]) {
  const options = { encoding: 'utf8', timeout: 25_000, env: { ...process.env, NODE_OPTIONS: '' } } as const;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, bin.coexist), 'modinfo', ...args],
    options,
  );
  return { status, stdout, stderr };
}

function directoryOf(...modules: readonly Declared[]): string {
  const dir = aDirectory();
  for (const module of modules) writeModule(dir, module);
  return dir;
}

test('a directory: the manifest is written into it, one line for each module', () => {
  const dir = directoryOf({ name: 'b', depends: ['a'] }, { name: 'a' });
  writeText(dir, 'other.js', '');
  const { status, stdout, stderr } = run('collect', dir);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const manifest = collect(dir);
  expect(JSON.parse(readFileSync(join(dir, 'modinfo.json'), 'utf8'))).toEqual(manifest);
  expect(stdout.split('\n')).toEqual([
    ...manifest.modules.map(
      ({ name, file, bytes }) => `${name}: ${file}, module, ${bytes} bytes, build ${aBuild().slice(0, 16)}`,
    ),
    'skipped other.js: it declares no module',
    `written: ${dir}/modinfo.json`,
    '',
  ]);
});

test('--out and --json: into another file, and all of it as JSON', () => {
  const [dir, out] = [directoryOf({ name: 'a' }), join(aDirectory(), 'list.json')];
  writeText(dir, 'other.js', '');
  const { status, stdout, stderr } = run('collect', '--out', out, dir, '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const manifest = collect(dir);
  expect(JSON.parse(stdout)).toEqual({
    manifest,
    problems: [],
    skipped: [{ file: 'other.js', reason: 'it declares no module' }],
  });
  expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(manifest);
  expect(existsSync(join(dir, 'modinfo.json'))).toBe(false);
});

describe('modules that are refused: every problem, exit code 1, nothing written', () => {
  const dir = directoryOf({ name: 'a', depends: ['b', 'x'] }, { name: 'b', depends: ['a'] });
  const problems = [
    'a.mjs: a depends on "x", and no module here has that name',
    'modules depend on each other in a circle: a -> b -> a (a.mjs, b.mjs)',
  ];

  test('for people', () => {
    const { status, stdout, stderr } = run('collect', dir);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(`${dir}: nothing written\n${problems.map((text) => `  ${text}\n`).join('')}`);
    expect(existsSync(join(dir, 'modinfo.json'))).toBe(false);
  });

  test('for programs', () => {
    const { status, stdout, stderr } = run('collect', dir, '--json');
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ problems, skipped: [] });
  });
});

describe('arguments that make no sense: usage, exit code 2', () => {
  const dir = directoryOf({ name: 'a' });
  test.each<[readonly string[], string]>([
    [[], 'what to do is missing'],
    [['list'], 'unknown argument: list'],
    [['collect'], 'DIR is missing'],
    [['collect', dir, 'more'], 'unknown argument: more'],
    [['collect', dir, '--out'], '--out is without its file'],
    [['collect', `${dir}/none`], `dir is "${dir}/none", expected a directory that can be read`],
    [['collect', dir, '--out', `${dir}/none/x.json`], `cannot write ${dir}/none/x.json: ENOENT`],
  ])('%j', (args, why) => {
    const { status, stdout, stderr } = run(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(why);
    expect(stderr).toContain('usage: coexist modinfo collect DIR [--out FILE] [--json]');
  });
});
