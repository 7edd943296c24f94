// The bridge works beside the other users of the inspector: coverage, profiling and an open debugger port.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { program } from '../support/program.js';

const folder = mkdtempSync(join(tmpdir(), 'coexist-bridge-tools-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('with NODE_V8_COVERAGE, which is written all the same', async () => {
  const coverage = join(folder, 'coverage');
  const { result, stderr } = await program(({ spawn }) => spawn(({ attach }) => attach()).result, {
    env: { NODE_V8_COVERAGE: coverage },
  });
  expect(result.code).toBe('');
  // One report for the main thread, one for the worker.
  expect(readdirSync(coverage).length).toBeGreaterThanOrEqual(2);
  expect(stderr).toBe('');
});

test('with --inspect=0', async () => {
  const { result, stderr } = await program(({ spawn }) => spawn(({ attach }) => attach()).result, {
    flags: ['--inspect=0'],
  });
  expect(result.code).toBe('');
  expect(stderr).toContain('Debugger listening on');
  expect(stderr).not.toContain('Waiting for the debugger');
});

test('with --cpu-prof, which is written all the same', async () => {
  const profiles = join(folder, 'profiles');
  const { result, stderr } = await program(({ spawn }) => spawn(({ attach }) => attach()).result, {
    flags: ['--cpu-prof', `--cpu-prof-dir=${profiles}`],
  });
  expect(result.code).toBe('');
  expect(readdirSync(profiles).length).toBeGreaterThanOrEqual(1);
  expect(stderr).toBe('');
});
