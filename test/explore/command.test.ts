// npm run explore: a table, exit code 0; a failure with its trace and the way to run it again, exit code 1; wrong usage, 2.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Mutation, plant } from '../../workers/explore-mutant.js';
import { mutations } from '../../workers/explore-mutations.js';

const ROOT = new URL('../../', import.meta.url);

function run(...args: string[]) {
  const entry = fileURLToPath(new URL('build/workers/explore.js', ROOT));
  return spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8', timeout: 25_000 });
}

test('a table of what was explored', () => {
  const { status, stdout, stderr } = run('observe', '--backend', 'twin', '--short', '--seed', '5');
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^protocol +backend +threads +bound +kills +schedules +operations +exhausted\n/);
  expect(stdout.match(/^observe +twin +2 +\d +\d +\d+ +\d+ +(yes|all)$/gm)?.length).toBe(2);
  expect(stdout).toContain('seed 5');
  expect(status).toBe(0);
});

test('a failure, and its schedule again', () => {
  const mutation = mutations.find(({ name }) => name === 'cpu id before the count') as Mutation;
  const core = plant({ ...mutation, name: 'of the command' }, ROOT);
  const failed = run(mutation.protocol, '--backend', 'twin', '--threads', '2', '--core', core);
  expect(failed.stdout).toContain(mutation.finds);
  expect(failed.stdout).toContain('  T1  load slot[0].cpu_id -> 0\n');
  expect(failed.stdout).toContain('1 failed');
  expect(failed.status).toBe(1);
  const again = /npm run explore -- (.*)$/m.exec(failed.stdout)?.[1]?.split(' ') ?? [];
  const replayed = run(...again, '--core', core);
  expect(replayed.stdout).toContain(mutation.finds);
  expect(replayed.status).toBe(1);
  const real = run(...again.slice(0, -1), 'x1:');
  expect(real.stdout).toContain('no failure: 1 schedules');
  expect(real.status).toBe(0);
});

test.each([[['nothing']], [['--backend', 'c']], [['--threads', 'two']], [['--replay', 'x1:']], [['--what']]])(
  'wrong usage: %j',
  (args) => {
    const { status, stderr } = run(...args);
    expect(stderr).toContain('usage: npm run explore');
    expect(status).toBe(2);
  },
);

test('--help names the protocols', () => {
  const { status, stdout } = run('--help');
  expect(stdout).toContain('register and unregister');
  expect(status).toBe(0);
});
