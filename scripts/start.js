// npm start: builds the library, installs the examples' copies of it, then runs the main job in this process, so that one
// Ctrl-C reaches it.

import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
for (const args of [['scripts/build.js', '--quiet'], ['scripts/install-examples.js']]) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
await import('../examples/job/main.js');
