// Builds the optional parts, each to one file with everything in it but `coexist` and the parts it depends on, and has the command line
// write the manifest; and the program itself, with the parts left out and with them bundled in. All of it is generated: nothing of
// build/ is kept in the repository.
// @ts-check

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { banner } from 'coexist/modinfo';
import { fingerprint } from 'coexist/module';
import esbuild from 'esbuild';
import { PARTS } from './parts/parts.js';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const LIBRARIES = ['fflate', 'sql.js', 'echarts'];
const COLLECT_MS = 60_000;

/** Where `npm start` and the benchmark have it built. */
export const BUILD = join(here, 'build');

/**
 * What makes one build differ from another.
 * @typedef {object} BuildOptions
 * @property {number} zipLevel
 * @property {'process' | 'thread'} initScope Of initialisers that are for the whole process, where they can be.
 */
/** @type {BuildOptions} */
export const STANDARD = { zipLevel: 6, initScope: 'process' };

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  absWorkingDir: here,
  loader: { '.wasm': 'binary' },
};

/** Everything that a part could disagree about with its host. @param {BuildOptions} options */
export function fingerprintOf(options) {
  const interfaces = Object.assign({}, ...PARTS.map((part) => part.interfaces));
  const libraries = Object.fromEntries(LIBRARIES.map((name) => [name, versionOf(name)]));
  const files = ['interfaces.js', ...PARTS.map(({ name }) => `parts/${name}.js`)];
  return fingerprint({
    inputs: {
      interfaces,
      options: { ...options, libraries },
      files: Object.fromEntries(files.map((name) => [name, join(here, name)])),
    },
  });
}

/** @param {string} name */
function versionOf(name) {
  const { version } = JSON.parse(readFileSync(join(here, '../../node_modules', name, 'package.json'), 'utf8'));
  return String(version);
}

/**
 * Builds the parts into a folder, with their manifest.
 * @param {string} folder Made anew.
 * @param {BuildOptions} [options]
 * @param {readonly import('./parts/parts.js').Part[]} [parts]
 * @returns {Promise<string>} The fingerprint of the build.
 */
export async function buildParts(folder, options = STANDARD, parts = PARTS) {
  const built = fingerprintOf(options);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await Promise.all(
    parts.map((part) =>
      esbuild.build({
        ...common,
        entryPoints: [`parts/${part.name}.js`],
        outfile: join(folder, fileOf(part)),
        format: part.type === 'module' ? 'esm' : 'cjs',
        external: ['coexist', 'coexist/*', ...(part.depends ?? [])],
        banner: { js: banner({ ...part, fingerprint: built }) },
        define: definesOf(options),
      }),
    ),
  );
  collect(folder);
  return built;
}

/** @param {import('./parts/parts.js').Part} part */
export const fileOf = ({ name, type }) => `${name}.${type === 'module' ? 'mjs' : 'cjs'}`;

/** @param {BuildOptions} options */
const definesOf = ({ zipLevel, initScope }) => ({ ZIP_LEVEL: String(zipLevel), INIT_SCOPE: JSON.stringify(initScope) });

/** Writes modinfo.json, as anybody would who builds modules: `npx coexist modinfo collect DIR`. @param {string} folder */
export function collect(folder) {
  const cli = join(dirname(require.resolve('coexist/package.json')), 'dist/cli.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'modinfo', 'collect', folder], {
    encoding: 'utf8',
    timeout: COLLECT_MS,
  });
  if (status !== 0) throw new Error(`coexist modinfo collect ${folder}: exit code ${status}\n${stdout}${stderr}`);
}

/**
 * The program twice: as it is, loading its parts, and with its parts imported statically.
 * @param {string} folder
 * @param {BuildOptions} [options]
 * @returns {Promise<{ loading: string, importing: string }>} Paths.
 */
export async function buildPrograms(folder, options = STANDARD) {
  const [loading, importing] = [join(folder, 'loading.mjs'), join(folder, 'importing.mjs')];
  /** @type {import('esbuild').BuildOptions} */
  const program = {
    ...common,
    format: 'esm',
    external: ['coexist', 'coexist/*'],
    define: {
      ...definesOf({ ...options, initScope: 'thread' }),
      FINGERPRINT: JSON.stringify(fingerprintOf(options)),
    },
    // Some of the libraries are CommonJS.
    banner: {
      js: `import { createRequire as requiring } from 'node:module'; const require = requiring(import.meta.url), __dirname = import.meta.dirname;`,
    },
  };
  await esbuild.build({ ...program, entryPoints: ['loading.js'], outfile: loading });
  await esbuild.build({ ...program, entryPoints: ['importing.js'], outfile: importing, plugins: [bundled()] });
  return { loading, importing };
}

/** Parts by their names, for a program that has them in it; and nothing of them is left out, since importing them is what they are for. */
function bundled() {
  const names = PARTS.map(({ name }) => name).join('|');
  /** @type {import('esbuild').Plugin} */
  const plugin = {
    name: 'bundled-parts',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(\\./parts/)?(${names})(\\.js)?$`) }, ({ path }) => ({
        path: join(here, 'parts', `${basename(path, '.js')}.js`),
        sideEffects: true,
      }));
    },
  };
  return plugin;
}
