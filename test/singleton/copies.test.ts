// One instance for the process, whoever asks: two installed copies of the library in one thread, a CommonJS bundle, and vm contexts with
// a global object of their own; in the main thread and in a worker.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import esbuild from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { Actor } from '../support/actor.js';
import { inChild, root } from '../support/child.js';
import { copyUrl } from '../support/copies.js';
import { type Mode, modeEnv } from '../support/steps.js';

type Core = typeof core;

interface Args {
  readonly urls: readonly string[];
  readonly bundle: string;
  readonly prefix: string;
}

const folder = join(root, 'build', 'singleton-copies');
const argsOf = (prefix: string): Args => ({
  urls: [copyUrl('a', 'core.js'), copyUrl('b', 'core.js')],
  bundle: join(folder, 'core.cjs'),
  prefix,
});

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(root, 'dist', 'core.js')],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    write: false,
  });
  writeFileSync(argsOf('').bundle, outputFiles[0]!.text);
});

/** Each kind of copy in turn constructs, the others join; then all let go, the one that constructed somewhere in between. */
async function tour({ load }: { load: (url: string) => Promise<Core> }, { urls, bundle, prefix }: Args) {
  const { createRequire } = process.getBuiltinModule('node:module');
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const vm = process.getBuiltinModule('node:vm');
  const wrapper = `(function (module, exports, require) {${readFileSync(bundle, 'utf8')}\n})`;
  const require = createRequire(bundle);
  const inContext = (): Core => {
    // A new context has the language and nothing else; this is what the library uses beyond it.
    const timers = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval };
    const globals = {
      process,
      performance,
      Buffer,
      TextEncoder,
      TextDecoder,
      ...timers,
      structuredClone,
      AbortController,
    };
    const compiled = vm.runInContext(wrapper, vm.createContext(globals), { filename: 'in-context.cjs' });
    const module = { exports: {} };
    compiled(module, module.exports, require);
    return module.exports as Core;
  };
  const copies: Record<string, Core> = {
    import: await load(urls[0] as string),
    'import of another copy': await load(urls[1] as string),
    'require of a bundle': require(bundle) as Core,
    'another context': inContext(),
    'a third context': inContext(),
  };
  const names = Object.keys(copies);
  const diary: string[] = [];
  const declared = names.map((name) => {
    const { singleton } = copies[name] as Core;
    return {
      memory: singleton(`${prefix}/memory`, {
        bytes: 16,
        create: ({ i32 }) => void i32.fill(4711),
        finalize: () => void diary.push(`memory finalized by ${name}`),
      }),
      hosted: singleton(`${prefix}/hosted`, {
        create: () => ({ calls: 0, by: name }),
        finalize: (it: { by: string; calls: number }) => void diary.push(`${it.by}, after ${it.calls} calls`),
        methods: { call: (it: { by: string; calls: number }) => `${it.by} ${++it.calls}` },
      }),
    };
  });
  const rounds: unknown[] = [];
  for (const [k, name] of names.entries()) {
    const order = names.map((_, n) => (k + n) % names.length);
    const memory = order.map((n) => declared[n]!.memory.acquire());
    const hosted = order.map((n) => declared[n]!.hosted.acquire());
    const contents = new Set(memory.map((reference) => reference.memory.i32[0]));
    const answers = hosted.map((reference) => reference.callSync('call'));
    const late = await Promise.all(hosted.map((reference) => reference.call('call')));
    const codes = declared.map(({ memory }) => {
      try {
        return memory.createNew().generation;
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    const total = declared.map(({ memory }) => memory.peek().total);
    const listed = (copies[name] as Core)
      .singletons()
      .flatMap(({ key, phase }) => (key.startsWith(prefix) ? [`${key.slice(prefix.length)} ${phase}`] : []));
    rounds.push({
      created: [...memory, ...hosted].map(({ created }) => created).indexOf(false),
      here: hosted.map(({ instance }) => instance !== undefined),
      generations: [...new Set([...memory, ...hosted].map(({ generation }) => generation))],
      contents: [...contents],
      answers: [answers.at(-1), late.length],
      codes: [...new Set(codes)],
      total: [...new Set(total)],
      listed: listed.sort().join(),
    });
    for (const n of [1, 0, 4, 2, 3]) {
      memory[n]!.release();
      hosted[n]!.release();
    }
    // The one that hosts it finalizes in its event loop, where another copy lets go last.
    for (let n = 0; n < 500 && declared[0]!.hosted.peek().phase !== 'EMPTY'; n++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const phases = declared.map(({ memory, hosted }) => `${memory.peek().phase} ${hosted.peek().phase}`);
  const slots = (copies['import'] as Core).attach().inspect().slots.length;
  return { rounds, diary, phases: [...new Set(phases)], slots };
}

const NAMES = ['import', 'import of another copy', 'require of a bundle', 'another context', 'a third context'];
const expected = {
  rounds: NAMES.map((name, k) => ({
    created: 1,
    here: [true, false, false, false, false],
    generations: [k],
    contents: [4711],
    answers: [`${name} 5`, 5],
    codes: ['COEXIST_EEXIST'],
    total: [5],
    listed: '/hosted LIVE,/memory LIVE',
  })),
  diary: NAMES.flatMap((name, k) => [`memory finalized by ${NAMES[(k + 3) % 5]}`, `${name}, after 10 calls`]),
  phases: ['EMPTY EMPTY'],
  slots: 0,
};

describe.each(['wasm', 'twin'] satisfies Mode[])('%s', (mode) => {
  test('in the main thread', async () => {
    const { result, stderr } = await inChild(tour, argsOf(mode), { env: modeEnv(mode) });
    expect(result, stderr).toEqual(expected);
  });

  test('in a worker', async () => {
    const actor = await Actor.start({ env: modeEnv(mode) });
    expect(await actor.run(tour, argsOf(mode))).toEqual(expected);
    await actor.terminate();
  });
});
