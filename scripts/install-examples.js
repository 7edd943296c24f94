// Gives each example library its own installed copy of coexist: packs the built library and installs the tarball into each
// example's node_modules, offline. Does nothing where the copy already equals what was built.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NPM_TIMEOUT_MS = 120_000;
const EXAMPLES = ['meter', 'tracer', 'limiter', 'cache'];

const root = dirname(dirname(fileURLToPath(import.meta.url)));
if (!existsSync(join(root, 'dist/core.js'))) {
  console.error('dist/ is missing: run "npm run build" first');
  process.exit(1);
}

const built = fingerprint(root);
const outdated = EXAMPLES.filter((name) => fingerprint(copyIn(name)) !== built);
if (outdated.length > 0) {
  const folder = mkdtempSync(join(tmpdir(), 'coexist-pack-'));
  try {
    npm(root, 'pack', '--silent', '--ignore-scripts', '--pack-destination', folder);
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack made no tarball');
    const quiet = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--offline'];
    // Peers, such as sql.js, are found in the folders above.
    quiet.push('--legacy-peer-deps');
    for (const name of outdated) {
      // npm keeps an installed copy whose version and name fit, whatever is in it.
      rmSync(copyIn(name), { recursive: true, force: true });
      npm(join(root, 'examples', name), 'install', ...quiet, join(folder, tarball));
      if (fingerprint(copyIn(name)) !== built) throw new Error(`examples/${name} did not get the copy that was packed`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function copyIn(name) {
  return join(root, 'examples', name, 'node_modules/coexist');
}

/** Hash of the files that decide how a copy behaves; undefined where there is none. */
function fingerprint(folder) {
  if (!existsSync(join(folder, 'dist'))) return undefined;
  const names = readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .concat('package.json')
    .sort();
  const hash = createHash('sha256');
  for (const name of names) {
    const content = readFileSync(join(folder, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function npm(cwd, ...args) {
  // The npm that runs this script, if one does: it need not be the one on the path.
  const script = process.env['npm_execpath'];
  const direct = script?.endsWith('npm-cli.js') === true;
  const { status, error, stdout, stderr } = spawnSync(
    direct ? process.execPath : 'npm',
    direct ? [script, ...args] : args,
    { cwd, encoding: 'utf8', timeout: NPM_TIMEOUT_MS },
  );
  if (status !== 0) {
    throw new Error(`npm ${args[0]} failed in ${cwd}: ${error?.message ?? `exit code ${status}`}\n${stdout}${stderr}`);
  }
}
