// npm run test:matrix [-- 22 24 [-- vitest's arguments]]: runs the suite under several versions of Node and prints one line
// for each; exits 1 if any failed. The running Node stands for its own version; the others come from the npm registry, once,
// into node_modules/.cache/coexist-node/.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = ['20', '22', '24', '26'];
const FETCH_MS = 300_000;
const RUN_MS = 1_800_000;

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const cache = join(process.cwd(), 'node_modules/.cache/coexist-node');

const args = process.argv.slice(2);
const split = args.includes('--') ? args.indexOf('--') : args.length;
const [selected, vitestArgs] = [args.slice(0, split), args.slice(split + 1)];
const wrong = selected.filter((version) => !/^\d+$/.test(version));
if (wrong.length > 0) {
  console.error(
    `not a major version of Node: ${wrong.join(', ')}\nusage: npm run test:matrix [-- 22 24 [-- vitest args]]`,
  );
  process.exit(2);
}

let failures = 0;
for (const major of selected.length > 0 ? selected : VERSIONS) {
  const { line, output, ok } = run(major);
  if (!ok) {
    failures++;
    console.log(output);
  }
  console.log(line);
}
process.exitCode = failures === 0 ? 0 : 1;

/** One version's run: its line, and all that vitest said. */
function run(major) {
  const node = major === process.versions.node.split('.')[0] ? { path: process.execPath } : fetchNode(major);
  if (node.path === undefined) return { ok: false, output: node.problem, line: `node ${major}: not run` };
  const version = spawnSync(node.path, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const report = join(cache, `report-${major}.json`);
  mkdirSync(cache, { recursive: true });
  rmSync(report, { force: true });
  const started = performance.now();
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status, signal, stdout, stderr } = spawnSync(
    node.path,
    ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...vitestArgs],
    { encoding: 'utf8', timeout: RUN_MS, maxBuffer: 2 ** 28, env: { ...process.env, FORCE_COLOR: '0' } },
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const counts = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  const passed = counts?.numPassedTests ?? 0;
  const failed = counts?.numFailedTests ?? 0;
  // Vitest also fails when a file cannot be loaded, or when no test was found.
  const ok = status === 0 && failed === 0 && passed > 0;
  const ended = status === 0 ? '' : `, ended with ${signal ?? `code ${status}`}`;
  return {
    ok,
    output: `${stdout}\n${stderr}`,
    line: `node ${version}: ${passed} passed, ${failed} failed, ${seconds} s${ok ? '' : ended || ', no test ran'}`,
  };
}

/** The path of this major version's binary, or why there is none. */
function fetchNode(major) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(cache, major);
  const path = join(folder, 'node_modules', name, 'bin/node');
  if (existsSync(path)) return { path };
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    return {
      problem: `no binary of Node ${major} for ${process.platform} ${process.arch}: the matrix needs Linux on x64 or arm64`,
    };
  }
  console.log(`fetching ${name}@${major}`);
  mkdirSync(folder, { recursive: true });
  const flags = [
    '--prefix',
    folder,
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--fetch-retries=1',
  ];
  const { status, stderr, error } = spawnSync('npm', ['install', ...flags, `${name}@${major}`], {
    encoding: 'utf8',
    timeout: FETCH_MS,
  });
  if (status === 0 && existsSync(path)) return { path };
  rmSync(folder, { recursive: true, force: true });
  const why = error?.message ?? stderr.trim();
  return {
    problem: `Node ${major} could not be fetched from the npm registry (${name}@${major}); is it reachable?\n${why}`,
  };
}
