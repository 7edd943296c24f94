// What stands in where the live number is not to be had, in real processes: the tunable that disables rseq, the library's switch, no
// koffi, the permission model, node:ffi. doctor() says which it is and why; nothing ever throws into register().

import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProgramContext } from '../../workers/program.js';
import { copyUrl } from '../support/copies.js';
import { allowedCpus, koffiUrl, mapsRseq } from '../support/cpus.js';
import { permissionFlags, program } from '../support/program.js';

interface Seen {
  readonly via: string;
  readonly ffi: string | null;
  readonly reasons: readonly string[];
  readonly slot: number;
  readonly cpuId: number;
  readonly published: number;
  /** Of the own slot, when it was registered. */
  readonly cpu_id: number;
}

/** Registers, and says what came of it. */
async function look({ load }: Pick<ProgramContext, 'load'>, url: string): Promise<Seen> {
  const { attach, doctor, register } = await load(url);
  const registration = register();
  const row = attach()
    .inspect()
    .slots.find(({ slot }) => slot === registration.slot);
  const seen = { slot: registration.slot, cpuId: registration.cpuId(), published: registration.publish() };
  const { via, ffi, reasons } = doctor().cpu;
  return { via, ffi, reasons, cpu_id: row?.cpuId ?? -1, ...seen };
}

/** In the main thread, then in a worker that it starts. */
async function both(url: string, flags: readonly string[], env: Readonly<Record<string, string>>) {
  const { result, stderr } = await program(
    async (context, { look, url }) => {
      const compile = (source: string) =>
        process.getBuiltinModule('node:vm').runInThisContext(`(${source})`) as (
          context: Pick<ProgramContext, 'load'>,
          url: string,
        ) => Promise<Seen>;
      const main = await compile(look)(context, url);
      const worker = context.spawn(
        (context, { look, url }) =>
          process.getBuiltinModule('node:vm').runInThisContext(`(${look})`)(context, url) as Promise<Seen>,
        { look, url },
      );
      return { main, worker: await worker.result };
    },
    { args: { look: String(look), url }, flags, env },
  );
  return { ...result, stderr };
}

const inRange = expect.toSatisfy((cpu: number) => allowedCpus().includes(cpu));

test('with koffi: the rseq word; by a call where no area is mapped', async () => {
  const { main, worker } = await both(copyUrl('a'), [], {});
  for (const seen of [main, worker]) {
    expect(seen).toMatchObject({
      via: mapsRseq ? 'rseq' : 'sched_getcpu',
      ffi: 'koffi',
      cpuId: inRange,
      published: inRange,
    });
    expect(seen.reasons).toHaveLength(mapsRseq ? 0 : 1);
  }
  // The main thread publishes at its registration; a worker opens the source when it is asked for a number.
  expect(main.cpu_id).toEqual(inRange);
  expect(worker.cpu_id).toBe(worker.slot);
});

test('the tunable that disables rseq: sched_getcpu() is called', async () => {
  const { main, worker } = await both(copyUrl('a'), [], { GLIBC_TUNABLES: 'glibc.pthread.rseq=0' });
  for (const seen of [main, worker]) {
    expect(seen).toMatchObject({ via: 'sched_getcpu', ffi: 'koffi', cpuId: inRange, published: inRange });
    expect(seen.reasons).toEqual([expect.stringContaining(mapsRseq ? 'glibc.pthread.rseq=0' : 'rseq')]);
  }
});

/** Nothing is known: each thread has its slot's index. */
function expectSlots({ main, worker, stderr }: Awaited<ReturnType<typeof both>>, reason: string): void {
  for (const [k, seen] of [main, worker].entries()) {
    expect(seen).toMatchObject({ via: 'slot', ffi: null, slot: k, cpu_id: k, cpuId: k, published: k });
    expect(seen.reasons.join('; ')).toContain(reason);
  }
  expect(stderr).not.toContain('FFI');
}

test('COEXIST_NO_FFI=1: the slot’s index', async () => {
  expectSlots(await both(copyUrl('a'), [], { COEXIST_NO_FFI: '1' }), 'COEXIST_NO_FFI=1');
});

test('the permission model: the slot’s index; --allow-addons gives koffi back', async () => {
  expectSlots(await both(copyUrl('a'), permissionFlags, {}), 'refused');
  const { main, worker } = await both(copyUrl('a'), [...permissionFlags, '--allow-addons'], {});
  expect([main.ffi, worker.ffi]).toEqual(['koffi', 'koffi']);
});

test('--no-addons: the slot’s index', async () => {
  expectSlots(await both(copyUrl('a'), ['--no-addons'], {}), 'koffi is refused');
});

describe('no koffi above the library, its program and its folder', () => {
  let alone = '';
  beforeAll(() => {
    alone = mkdtempSync(join(tmpdir(), 'coexist-alone-'));
    cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(alone, 'dist'), { recursive: true });
    cpSync(fileURLToPath(new URL('../../package.json', import.meta.url)), join(alone, 'package.json'));
    writeFileSync(
      join(alone, 'program.mjs'),
      `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      if (process.env.LOADS === 'node:ffi') process.getBuiltinModule('node:ffi');
      const url = new URL('./dist/index.js', import.meta.url).href;
      const own = await (${String(look)})({ load: (url) => import(url) }, url);
      if (!isMainThread) parentPort.postMessage(own);
      else {
        const worker = new Worker(new URL(import.meta.url));
        worker.once('message', (other) => console.log(JSON.stringify({ main: own, worker: other })));
      }`,
    );
  });
  afterAll(() => rmSync(alone, { recursive: true, force: true }));

  const run = (env: Readonly<Record<string, string>> = {}): ReturnType<typeof both> =>
    new Promise((resolve, reject) => {
      const { NODE_OPTIONS: _, NODE_PATH: __, COEXIST_NO_FFI: ___, ...inherited } = process.env;
      const options = { cwd: alone, env: { ...inherited, ...env }, timeout: 25_000 } as const;
      execFile(process.execPath, ['program.mjs'], options, (error, stdout, stderr) => {
        if (error !== null) reject(error);
        else resolve({ ...(JSON.parse(stdout) as { main: Seen; worker: Seen }), stderr });
      });
    });
  const hasNodeFfi = isBuiltin('node:ffi');

  test('the slot’s index, and no warning of Node’s', async () => {
    const outcome = await run();
    expectSlots(outcome, 'koffi is not installed');
    expectSlots(outcome, 'COEXIST_NODE_FFI=1');
    expect(outcome.stderr).toBe('');
  });

  test.each([{ COEXIST_NODE_FFI: '1' }, { LOADS: 'node:ffi' }])('node:ffi where it is asked for: %j', async (env) => {
    const outcome = await run(env).catch(() => undefined);
    if (!hasNodeFfi) {
      // Node without it: the program that loads it finds nothing, the library that may says so.
      expect(outcome?.main.via ?? 'slot').toBe('slot');
      if ('COEXIST_NODE_FFI' in env) expect(outcome?.main.reasons).toContain('this Node has no node:ffi');
      return;
    }
    for (const seen of [outcome?.main, outcome?.worker]) {
      expect(seen).toMatchObject({ ffi: 'node:ffi', via: mapsRseq ? 'rseq' : 'sched_getcpu', cpuId: inRange });
    }
    expect(outcome?.stderr).toContain('ExperimentalWarning');
  });

  test('a koffi that is broken: the slot’s index, and why', async () => {
    const broken = join(alone, 'broken/node_modules/koffi');
    mkdirSync(broken, { recursive: true });
    const answers: string[] = [];
    for (const [text, reason] of [
      ['throw new Error("no binary for this machine\\nor any other");', 'no binary for this machine'],
      ['module.exports = {};', 'is not a function'],
      ['module.exports = { load: () => ({ func() { throw 1; }, symbol() { throw 2; } }) };', 'libc has none'],
    ] as const) {
      writeFileSync(join(broken, 'package.json'), '{ "name": "koffi", "main": "index.js" }');
      writeFileSync(join(broken, 'index.js'), text);
      const source = `const { doctor, register } = await import(${JSON.stringify(pathToFileURL(join(alone, 'dist/index.js')).href)});
        const registration = register();
        console.log(JSON.stringify({ ...doctor().cpu, cpuId: registration.cpuId() }));`;
      const options = { cwd: dirname(dirname(broken)), encoding: 'utf8', timeout: 25_000 } as const;
      const seen = JSON.parse(
        execFileSync(process.execPath, ['--input-type=module', '--eval', source], options),
      ) as Seen;
      expect(seen).toMatchObject({ via: 'slot', cpuId: 0 });
      answers.push(seen.reasons.join('; '));
      expect(answers.at(-1)).toContain(reason);
    }
    expect(new Set(answers).size).toBe(3);
  });

  test('koffi of the program, or of the folder it runs in, is found', async () => {
    const installed = dirname(dirname(fileURLToPath(koffiUrl)));
    mkdirSync(join(alone, 'elsewhere/node_modules'), { recursive: true });
    symlinkSync(join(installed, 'koffi'), join(alone, 'elsewhere/node_modules/koffi'));
    const program = join(alone, 'elsewhere/program.mjs');
    writeFileSync(
      program,
      `const { doctor } = await import('../dist/index.js'); console.log(JSON.stringify(doctor().cpu));`,
    );
    const ffiOf = (args: readonly string[], cwd: string): string =>
      (JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 25_000 })) as Seen).ffi ?? '';
    expect(ffiOf([program], tmpdir())).toBe('koffi');
    const source = `const { doctor } = await import(${JSON.stringify(pathToFileURL(join(alone, 'dist/index.js')).href)});
      console.log(JSON.stringify(doctor().cpu));`;
    const evaluated = ['--input-type=module', '--eval', source];
    expect(ffiOf(evaluated, join(alone, 'elsewhere'))).toBe('koffi');
    expect(ffiOf(evaluated, tmpdir())).toBe('');
  });
});
