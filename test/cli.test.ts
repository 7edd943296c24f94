// The command coexist, as npx runs it: its sub-commands, what doctor prints for people and for programs, and its exit codes.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../src/core.js';
import { root } from './support/child.js';
import { mapsRseq } from './support/cpus.js';
import { permissionFlags } from './support/program.js';

const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
  readonly version: string;
  readonly bin: Record<string, string>;
};
const command = manifest.bin['coexist'] ?? '';

const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(COEXIST_|NODE_|VITEST)/.test(name)),
);

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, flags: readonly string[] = []) {
  const options = { cwd: root, env: { ...clean, ...env }, encoding: 'utf8', timeout: 25_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, command, ...args], options);
  return { status, stdout, stderr };
}

test('the package’s command is a file that Node runs', () => {
  expect(readFileSync(`${root}/${command}`, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});

describe('what to run', () => {
  test.each([[['help']], [['--help']], [['doctor', '--help']]])('%j says how to call it, exit code 0', (args) => {
    const { status, stdout, stderr } = run(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^usage: coexist /);
  });

  test.each([[[]], [['nonsense']], [['constructor']], [['doctor', 'nonsense']], [['doctor', '--nonsense']]])(
    '%j is none: usage, exit code 2',
    (args) => {
      const { status, stdout, stderr } = run(args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('usage: coexist ');
      for (const arg of args.slice(-1)) expect(stderr).toContain(arg);
    },
  );
});

describe('coexist doctor', () => {
  test('one line for each thing, all ok here', () => {
    const { status, stdout, stderr } = run(['doctor']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [head, ...lines] = stdout.trim().split('\n');
    expect(head).toBe(
      `coexist ${manifest.version} on node ${process.versions.node}, ${process.platform} ${process.arch}`,
    );
    const things = lines.filter((line) => /^\S/.test(line)).map((line) => /^(\w+) +([^:]+): /.exec(line)?.slice(1, 3));
    expect(things).toEqual([
      ['ok', 'area'],
      [mapsRseq ? 'ok' : 'degraded', 'CPU numbers'],
      ['ok', 'proof of death'],
      ['ok', 'wasm'],
      ['ok', 'bridge'],
      ['ok', 'one area'],
    ]);
  });

  test.each<[string, string, NodeJS.ProcessEnv, string, string]>([
    ['CPU numbers', 'COEXIST_NO_FFI', { COEXIST_NO_FFI: '1' }, 'switched off (COEXIST_NO_FFI=1)', 'COEXIST_NO_FFI=1'],
    ['CPU numbers', 'the tunable', { GLIBC_TUNABLES: 'glibc.pthread.rseq=0' }, 'rseq area is not read', 'tunable'],
    ['wasm', 'COEXIST_NO_WASM', { COEXIST_NO_WASM: '1' }, '', 'COEXIST_NO_WASM'],
    ['bridge', 'COEXIST_NO_INSPECTOR', { COEXIST_NO_INSPECTOR: '1' }, 'COEXIST_NO_INSPECTOR=1', 'attach in the main'],
  ])('%s degraded by %s: the reason, the remedy, exit code 0', (thing, _, env, reason, remedy) => {
    const { status, stdout } = run(['doctor'], env);
    expect(status).toBe(0);
    const [, after = ''] = stdout.split(`degraded  ${thing}: `);
    const lines = after.split(/\n(?! )/)[0]?.split('\n') ?? [];
    if (reason !== '') expect(lines.find((line) => line.includes('because '))).toContain(reason);
    expect(lines.find((line) => line.includes('remedy: '))).toContain(remedy);
  });

  test('under the permission model: no native code, no bridge', () => {
    const { status, stdout } = run(['doctor'], {}, permissionFlags);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /degraded {2}CPU numbers: .*\n +because koffi is refused.*\n(?:.*\n)*? +remedy: .*--allow-addons/,
    );
    expect(stdout).toMatch(/degraded {2}bridge: /);
  });

  test('--json: the diagnosis', () => {
    const { status, stdout } = run(['doctor', '--json'], { COEXIST_NO_FFI: '1' });
    expect(status).toBe(0);
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    expect(diagnosis).toMatchObject({ version: manifest.version, cpu: { via: 'slot' }, area: { attached: false } });
  });
});
