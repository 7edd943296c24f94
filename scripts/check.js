// npm run check: types, lint, format and package checks, one line each; exits 1 if any fails.

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

/** Runs a package's own command-line entry with this Node. */
const bin = (path) => [process.execPath, join('node_modules', path)];
const checks = [
  ['build', [process.execPath, 'scripts/build.js', '--quiet']],
  ['example copies', [process.execPath, 'scripts/install-examples.js']],
  ['types', [...bin('typescript/bin/tsc'), '-p', 'tsconfig.json']],
  ['lint and format', [...bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.']],
  ['publint', [...bin('publint/src/cli.js'), '--strict']],
  ['are the types wrong', [...bin('@arethetypeswrong/cli/dist/index.js'), '--pack', '.', '--profile', 'esm-only']],
];

let failed = 0;
for (const [name, [command, ...args]] of checks) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) {
    failed++;
    console.log(`${stdout}\n${stderr}`);
  }
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
