// Builds dist/ (the library: one core file, which the entries re-export, and declarations) and build/ (worker entry points,
// benches). Takes a few seconds; --quiet prints nothing.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';
import wabt from 'wabt';
import { steppingWat } from './stepping-wat.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const started = performance.now();
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

const common = { format: 'esm', target: 'node20', platform: 'node', logLevel: 'warning', absWorkingDir: root };

rmSync('dist', { recursive: true, force: true });
rmSync('build', { recursive: true, force: true });

/** Inside a critical section nobody else announces for this thread, holds its word, or changes what only sections change. */
const COMPARE_TWICE = `
  (if (i64.ne (i64.atomic.load (local.get $cs)) (i64.or (global.get $section) (i64.extend_i32_u (local.get $op))))
    (then (unreachable)))
  (if (i32.and
        (i32.ne (i32.atomic.load (local.get $v)) (local.get $seen))
        (i32.or (i32.ne (local.get $how) (i32.const 2)) (i32.ne (local.get $op) (i32.const 3))))
    (then (unreachable)))
  (if (local.get $word)
    (then
      (if (i64.ne
            (i64.and (i64.atomic.load offset=%lock.owner% (local.get $word)) (i64.xor (i64.const %waiters%) (i64.const -1)))
            (global.get $self))
        (then (unreachable)))))`;
const placeholders = await watPlaceholders();
await buildCore('dist/core.js', {});
compileEagerly('dist/core.js');
keepConstant('dist/core.js', 'CPU_ID_WORD mapped liveCpu');
// What `npm run selftest` stops, delays and kills inside operations; not part of the package.
await buildCore('build/inject/core.js', { inject: true });
await buildCore('build/inject-compare-twice/core.js', { inject: true, compareTwice: true });
await esbuild.build({
  ...common,
  entryPoints: ['index', 'abi', 'sync', 'percpu', 'call', 'singleton', 'module', 'preload'].map(
    (name) => `src/${name}.ts`,
  ),
  outdir: 'dist',
});
await esbuild.build({
  ...common,
  entryPoints: { explore: 'src/explore.ts', 'explore-worker': 'src/explore/worker.ts', cli: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  plugins: [coreOutside(), steppingWasm()],
});
await esbuild.build({
  ...common,
  entryPoints: { modinfo: 'src/modinfo.ts' },
  outdir: 'dist',
  bundle: true,
  plugins: [coreOutside()],
  banner: { js: notice('es-module-lexer') },
});
// Of its own, without the core: it needs no area. On Node 20 the second file runs in the thread of the module hooks.
await esbuild.build({
  ...common,
  entryPoints: {
    namespace: 'src/namespace.ts',
    dedupe: 'src/dedupe.ts',
    'namespace-hooks': 'src/namespace/hooks-thread.ts',
  },
  outdir: 'dist',
  bundle: true,
  banner: { js: ['semver', 'resolve.exports', 'es-module-lexer'].map(notice).join('\n') },
});
// The stress command is part of the package.
await esbuild.build({
  ...common,
  entryPoints: readdirSync('workers')
    .filter((name) => /^stress-.*\.ts$/.test(name))
    .map((name) => join('workers', name)),
  outdir: 'dist/stress',
});
for (const folder of ['workers', 'bench']) {
  const entryPoints = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.ts')) : [];
  if (entryPoints.length === 0) continue;
  await esbuild.build({
    ...common,
    entryPoints: entryPoints.map((name) => join(folder, name)),
    outdir: `build/${folder}`,
  });
}
const tsc = join(dirname(fileURLToPath(import.meta.resolve('typescript/package.json'))), 'bin/tsc');
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
if (!process.argv.includes('--quiet')) {
  console.log(`built dist and build in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** Everything in one file; with injection points, or with them and a second comparison inside critical sections. */
async function buildCore(outfile, { inject = false, compareTwice = false }) {
  await esbuild.build({
    ...common,
    entryPoints: ['src/core.ts'],
    outfile,
    bundle: true,
    minifySyntax: false,
    plugins: [wat(testPoints(inject, compareTwice)), bridgeExpression()],
    define: {
      COEXIST_VERSION: JSON.stringify(version),
      COEXIST_INJECT: String(inject),
      COEXIST_COMPARE_TWICE: String(compareTwice),
    },
  });
}

/**
 * Parenthesises the top-level functions that attach() and register() call in a worker. V8 compiles such a function when it loads
 * the file; any other is only scanned then, and scanned and compiled again at its first call, which cost a fresh worker two thirds
 * of its attach() and register(). The others stay as they are: compiling them would make every import slower.
 */
function compileEagerly(file) {
  const names = new Set(
    (
      'anchor anchorOf anchored attach check checkArea checkTimeout checked claim coreFor coreIn enter ' +
      'areaIdOf facadeOf findOrCreate firstCpu identity onThreadEnd owns parse publish register rendezvous settle ' +
      'transitionsOn viewsOf wasmAllowed workerThreads'
    ).split(' '),
  );
  let open = false;
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => {
      const name = /^(?:async )?function\*? (\w+)\(/.exec(line)?.[1];
      if (names.delete(name)) {
        open = true;
        return `var ${name} = (${line}`;
      }
      if (!open || line !== '}') return line;
      open = false;
      return '});';
    });
  if (names.size > 0) throw new Error(`${file}: no top-level function ${[...names].join(', ')}`);
  writeFileSync(file, lines.join('\n'));
}

/**
 * Makes variables constant again that the bundler has made into `var`. V8 compiles the value of a constant, and what its constant
 * properties hold, into whoever uses it: reading the CPU number through `var` cost three times as much.
 */
function keepConstant(file, names) {
  let text = readFileSync(file, 'utf8');
  for (const name of names.split(' ')) {
    const declaration = `\nvar ${name} = `;
    if (text.split(declaration).length !== 2) throw new Error(`${file}: not one top-level variable ${name}`);
    text = text.replace(declaration, `\nconst ${name} = `);
  }
  writeFileSync(file, text);
}

/** Assembles .wat files; %names% are offsets of the tables in src/abi, or test points. */
function wat(points) {
  return {
    name: 'wat',
    setup(build) {
      build.onLoad({ filter: /\.wat$/ }, async ({ path }) => {
        return { contents: await assemble(path, filled(path, points)), loader: 'text' };
      });
    },
  };
}

function filled(path, points = testPoints(false, false)) {
  // What a test point puts in has names of its own.
  const text = readFileSync(path, 'utf8').replace(/%([\w.]+)%/g, (found, name) => points[name] ?? found);
  return text.replace(/%([\w.]+)%/g, (_, name) => {
    if (!(name in placeholders)) throw new Error(`${path}: no value for %${name}%`);
    return placeholders[name];
  });
}

/** Places in src/wasm/percpu.wat that are empty in production. */
function testPoints(inject, compareTwice) {
  const points = {
    'inject.import': inject ? '(import "area" "inject" (func $inject (param i32)))' : '',
    compare_twice: compareTwice ? COMPARE_TWICE : '',
  };
  for (let k = 1; k <= 6; k++) points[`inject.${k}`] = inject ? `(call $inject (i32.const ${k}))` : '';
  return points;
}

/** Base64 of the module. */
async function assemble(path, text) {
  const { parseWat } = await wabt();
  const module = parseWat(path, text, { threads: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  return Buffer.from(buffer).toString('base64');
}

/** Every file in src/wasm assembled a second time, with the explorer's scheduler before each atomic instruction. */
function steppingWasm() {
  return {
    name: 'stepping-wasm',
    setup(build) {
      build.onResolve({ filter: /^coexist:stepping-wasm$/ }, ({ path }) => ({ path, namespace: 'stepping' }));
      build.onLoad({ filter: /.*/, namespace: 'stepping' }, async () => {
        const modules = {};
        for (const name of readdirSync('src/wasm').filter((name) => name.endsWith('.wat'))) {
          const path = join('src/wasm', name);
          modules[name.slice(0, -'.wat'.length)] = await assemble(path, steppingWat(filled(path)));
        }
        return { contents: `export const modules = ${JSON.stringify(modules)};`, loader: 'js' };
      });
    },
  };
}

/** The explorer shares dist/core.js with the other entries: what it replaces there, programs must see. */
function coreOutside() {
  return {
    name: 'core-outside',
    setup(build) {
      build.onResolve({ filter: /\/core\.js$/ }, () => ({ path: './core.js', external: true }));
    },
  };
}

/** What a bundle says of a package in it: its version, and its licence as it stands there. */
function notice(name) {
  const folder = join('node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  return `/*! ${name} ${version}\n\n${readFileSync(join(folder, licence), 'utf8').trim()} */`;
}

async function watPlaceholders() {
  const { outputFiles } = await esbuild.build({
    ...common,
    stdin: {
      contents: [
        ...['header', 'slot', 'directory', 'histogram', 'sync', 'percpu', 'pool', 'ring', 'call', 'singleton'].map(
          (name) => `./src/abi/${name}.js`,
        ),
        './src/wasm/outcomes.js',
      ]
        .map((path) => `export * from '${path}';`)
        .join(' '),
      resolveDir: root,
    },
    bundle: true,
    write: false,
  });
  const abi = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
  const values = {
    entry_free: abi.ENTRY_FREE,
    entry_creating: abi.ENTRY_CREATING,
    entry_ready: abi.ENTRY_READY,
    range_align_less_one: abi.RANGE_ALIGN - 1,
    range_align_mask: -abi.RANGE_ALIGN,
    store_name_words: Array.from(
      { length: abi.NAME_BYTES / 4 },
      (_, k) => `(i32.atomic.store offset=${abi.ENTRY.name.offset + 4 * k} (local.get $at) (local.get $n${k}))`,
    ).join('\n    '),
  };
  values.section_step = abi.SECTION_STEP;
  for (const name of ['COMPARE_FAILED', 'ABORTED', 'BUSY', 'FAULT']) {
    values[`run.${name.toLowerCase()}`] = abi[`RUN_${name}`];
  }
  for (const name of ['BUSY', 'EMPTY', 'GONE', 'CORRUPT', 'NOT_ALLOCATED']) {
    values[`pool_${name.toLowerCase()}`] = abi[`POOL_${name}`];
  }
  for (const name of ['NEVER', 'ALLOCATED', 'FREE']) values[`item_${name.toLowerCase()}`] = abi[`ITEM_${name}`];
  values.pool_bytes = abi.POOL_BYTES;
  values.item_bytes = abi.POOL_ITEM_BYTES;
  values['pool.owner_high'] = abi.POOL.owner.offset + 4;
  values.channel_cells = abi.CHANNEL_CELLS_OFFSET;
  values.commit_release = abi.COMMIT_RELEASE;
  values.commit_cas = abi.COMMIT_CAS;
  // As many words as one call adds up: variables, additions, results.
  for (const [name, count] of [
    ['line', abi.LINE_WORDS],
    ['lines', abi.LINES_WORDS],
  ]) {
    const each = (text) => Array.from({ length: count }, (_, k) => text(k)).join(' ');
    values[`${name}.types`] = each(() => 'i64');
    values[`${name}.locals`] = each((k) => `(local $sum${k} i64)`);
    values[`${name}.add`] = each(
      (k) => `(local.set $sum${k} (i64.add (local.get $sum${k}) (i64.atomic.load offset=${8 * k} (local.get $at))))`,
    );
    values[`${name}.sums`] = each((k) => `(local.get $sum${k})`);
  }
  values.waiters = abi.WAITERS;
  values.undecided = abi.COUNT_UNDECIDED;
  values.holders_offset = abi.HOLDERS_OFFSET;
  values.holder_bytes = abi.HOLDER_BYTES;
  values.singleton_live = abi.SINGLETON_LIVE;
  values.singleton_phase_mask = abi.SINGLETON_PHASE_MASK;
  values.ring_bytes = abi.RING_BYTES;
  values.record_pad = abi.RECORD_PAD;
  values.record_round = 2 * abi.RECORD_BYTES - 1;
  values.record_mask = -abi.RECORD_BYTES;
  values['lock.owner_high'] = abi.MUTEX.owner.offset + 4;
  const tables = {
    header: abi.HEADER,
    slot: abi.SLOT,
    entry: abi.ENTRY,
    lock: abi.MUTEX,
    rwlock: abi.RWLOCK,
    condvar: abi.CONDVAR,
    holder: abi.HOLDER,
    pool: abi.POOL,
    item: abi.POOL_ITEM,
    ring: abi.RING,
    record: abi.RECORD,
    channel: abi.CHANNEL,
    cell: abi.CELL,
    singleton: abi.SINGLETON,
  };
  for (const [table, fields] of Object.entries(tables)) {
    for (const [name, { offset, size }] of Object.entries(fields)) {
      values[`${table}.${name}`] = offset;
      values[`end.${table}.${name}`] = offset + size;
    }
  }
  return values;
}

/** src/area/bridge-entry.ts as the text of one expression: a function of the reply channel's name. */
function bridgeExpression() {
  return {
    name: 'bridge-expression',
    setup(build) {
      build.onResolve({ filter: /^coexist:bridge-expression$/ }, ({ path }) => ({ path, namespace: 'bridge' }));
      build.onLoad({ filter: /.*/, namespace: 'bridge' }, async () => {
        const { outputFiles } = await esbuild.build({
          ...common,
          entryPoints: ['src/area/bridge-entry.ts'],
          bundle: true,
          write: false,
          format: 'iife',
          globalName: 'bridge',
          minifySyntax: true,
          minifyWhitespace: true,
          plugins: [onlyFinding()],
        });
        const text = `((reply)=>{${outputFiles[0].text.trim()}bridge.answer(reply)})`;
        return { contents: text, loader: 'text' };
      });
    },
  };
}

/** What finds or creates an area asks for no CPU number and loads no modules. */
function onlyFinding() {
  const left = {
    cpu: 'export const openCpu = undefined; export const possibleCpus = undefined;',
    modules: 'export const modules = undefined;',
  };
  return {
    name: 'only-finding',
    setup(build) {
      build.onLoad({ filter: /\/host\/node\/(?:cpu|modules)\.ts$/ }, ({ path }) => ({
        contents: left[path.endsWith('/cpu.ts') ? 'cpu' : 'modules'],
      }));
    },
  };
}
