// From a verified text to its exports: ES modules and CommonJS, what they see of where they are, what they import, and how what goes
// wrong in them is told. Nothing of the file is read again.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { aFolder, find, lib, type Placed, place } from '../support/module-entries.js';

type Dependency = NonNullable<ReturnType<Parameters<typeof lib.evaluate>[2]['dependency']>>;

interface Evaluating extends Placed {
  readonly folder?: string;
  readonly modules?: readonly Dependency[];
  readonly bound?: Readonly<Record<string, unknown>>;
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

const state = lib.threadModules();

/** Places, verifies and evaluates a module; what others can depend on. */
async function evaluated(
  source: string,
  options: Evaluating = {},
): Promise<Dependency & { exports: Record<string, unknown> }> {
  const { folder = aFolder(), modules = [], bound = {}, timeout, signal } = options;
  const entry = place(folder, source, { depends: modules.map(({ name }) => name), ...options });
  const found = find(entry, [folder]);
  if (!found.ok) throw new Error(JSON.stringify(found));
  // What is evaluated is what was read.
  writeFileSync(found.path, 'throw new Error("read again")');
  const number = state.next++;
  const dependency = (name: string) => modules.find((one) => one.name === name);
  const { path } = found;
  const done = await lib.evaluate(found, entry, { path, number, dependency, bound, timeout, signal });
  return { name: entry.name, number, url: done.url, exports: done.exports as Record<string, unknown> };
}

const failed = async (source: string, options: Evaluating = {}) => {
  const error: unknown = await evaluated(source, options).then(
    () => new Error('nothing was thrown'),
    (thrown) => thrown,
  );
  return error as InstanceType<typeof lib.CoexistError>;
};

const cjs = (name = 'zip'): Placed => ({ name, file: `${name}.cjs` });

describe('an ES module', () => {
  test('gives its namespace, and an instance of its own each time', async () => {
    const folder = aFolder();
    const source = 'export let count = 0; export const more = () => ++count; export default "d";';
    const [a, b] = [await evaluated(source, { folder }), await evaluated(source, { folder })];
    (a.exports['more'] as () => void)();
    expect([a.exports['count'], b.exports['count'], a.exports['default']]).toEqual([1, 0, 'd']);
    expect(a.url).not.toBe(b.url);
  });

  test('is where its file is', async () => {
    const folder = join(aFolder(), 'é %20');
    const { exports } = await evaluated(
      'export const at = [import.meta.url, import.meta.filename, import.meta.dirname];',
      {
        folder,
        references: [
          ['import.meta.url', 'url'],
          ['import.meta.filename', 'filename'],
          ['import.meta.dirname', 'dirname'],
        ],
      },
    );
    const path = join(folder, 'zip.mjs');
    expect(exports['at']).toEqual([pathToFileURL(path).href, path, folder]);
  });

  test('waits for itself', async () => {
    const { exports } = await evaluated('export const late = await new Promise((r) => setImmediate(r, 7));');
    expect(exports['late']).toBe(7);
  });

  test('is replaced in the right places where it holds more than ASCII', async () => {
    const folder = aFolder();
    const { exports } = await evaluated(
      'export const é = "\u{1f600} é"; export const at = [import.meta.dirname, "é"];',
      {
        before: '\ufeff',
        folder,
        references: [['import.meta.dirname', 'dirname']],
      },
    );
    expect([exports['é'], exports['at']]).toEqual(['\u{1f600} é', [folder, 'é']]);
  });

  test('may hold anything that UTF-8 has', async () => {
    const { exports } = await evaluated('export const text = "é \u{1f600} \\u2028 `#%?`";\r\nexport const é = 1;');
    expect([exports['text'], exports['é']]).toEqual(['é \u{1f600} \u2028 `#%?`', 1]);
  });

  test('may begin with a line for the shell', async () => {
    expect((await evaluated('export const x = 1;', { before: '#!/usr/bin/env node\n' })).exports['x']).toBe(1);
  });

  test('has its path in stacks, with lines as in the file', async () => {
    const folder = aFolder();
    const { exports } = await evaluated('\nexport const where = () => new Error("here").stack;', { folder });
    // The test runner has stacks of its own.
    const { prepareStackTrace } = Error;
    Error.prepareStackTrace = undefined as never;
    const stack = (exports['where'] as () => string)();
    Error.prepareStackTrace = prepareStackTrace as never;
    expect(stack).toContain(`${pathToFileURL(join(folder, 'zip.mjs'))}:3:`);
  });
});

test.each([
  ['an ES module', {}],
  ['CommonJS', cjs()],
])('an error of %s that looks like that of the time it may take is its own', async (_, placed) => {
  const source = 'throw Object.assign(new Error("of a vm of its own"), { code: "ERR_SCRIPT_EXECUTION_TIMEOUT" });';
  const error = await failed(source, { ...placed, timeout: 60_000 });
  expect([error.code, error.message.includes('of a vm of its own')]).toEqual(['COEXIST_EFAILED', true]);
});

describe('CommonJS', () => {
  test('is not taken for a promise where it exports `then`', async () => {
    const { exports } = await evaluated('exports.then = (resolve) => resolve("wrong"); exports.x = 1;', cjs());
    expect(exports['x']).toBe(1);
  });

  test('gives module.exports', async () => {
    const { exports, url } = await evaluated('module.exports = { x: 1, self: this === exports };', cjs());
    expect(exports).toEqual({ x: 1, self: true });
    expect(url).toBeUndefined();
  });

  test('is where its file is', async () => {
    const folder = aFolder();
    const { exports } = await evaluated('exports.at = [__filename, __dirname, module.filename];', { folder, ...cjs() });
    const path = join(folder, 'zip.cjs');
    expect(exports['at']).toEqual([path, folder, path]);
  });

  test('may begin with a line for the shell, and its lines are as in the file', async () => {
    const folder = aFolder();
    const { exports } = await evaluated('exports.where = new Error("here").stack;', {
      folder,
      ...cjs(),
      before: '#!/usr/bin/env node\n',
    });
    expect(exports['where']).toContain(`${join(folder, 'zip.cjs')}:3:`);
  });

  test('has its own require()', async () => {
    const { exports } = await evaluated(
      'exports.fs = require("node:fs") === require("fs"); exports.Mutex = typeof require("coexist/sync").Mutex;',
      cjs(),
    );
    expect(exports).toEqual({ fs: true, Mutex: 'function' });
  });

  test('has import() of what it declares', async () => {
    const zlib = await evaluated('export const level = 9;', { name: 'zlib' });
    const { exports } = await evaluated('exports.later = import("zlib").then(({ level }) => level);', {
      ...cjs(),
      modules: [zlib],
      references: [['import', 'import()']],
    });
    expect(await exports['later']).toBe(9);
  });
});

describe('dependencies', () => {
  test.each(['mjs', 'cjs'])(
    'of an ES module: an ES module, its default and names that are no identifiers (.%s)',
    async (ext) => {
      const body = {
        mjs: 'const x = 1; export default { d: 1 }; export { x, x as "odd name" };',
        cjs: 'module.exports = { d: 1, x: 1, "odd name": 1, default: "not this one" };',
      }[ext] as string;
      const zlib = await evaluated(body, { name: 'zlib', file: `zlib.${ext}` });
      const { exports } = await evaluated(
        'import all, { x, "odd name" as odd } from "zlib"; export const seen = [all.d, x, odd];',
        { modules: [zlib], references: [['"zlib"', 'import']] },
      );
      expect(exports['seen']).toEqual([1, 1, 1]);
    },
  );

  test.each(['mjs', 'cjs'])('of CommonJS: what they export themselves (.%s)', async (ext) => {
    const body = { mjs: 'export const x = {};', cjs: 'exports.x = {};' }[ext] as string;
    const zlib = await evaluated(body, { name: 'zlib', file: `zlib.${ext}` });
    const { exports } = await evaluated('exports.zlib = require("zlib");', { ...cjs(), modules: [zlib] });
    expect(exports['zlib']).toBe(zlib.exports);
  });

  test('are one instance for all that depend on them', async () => {
    const zlib = await evaluated('export const box = {};', { name: 'zlib' });
    const ask = { modules: [zlib], references: [['"zlib"', 'import']] } as const;
    const a = await evaluated('export { box } from "zlib";', { name: 'a', ...ask });
    const b = await evaluated('export { box } from "zlib";', { name: 'b', ...ask });
    expect(a.exports['box']).toBe(b.exports['box']);
  });

  test('that are CommonJS: a function has its properties, a getter that throws is none, a reserved word is a name', async () => {
    const zlib = await evaluated(
      'module.exports = Object.assign(() => 1, { class: 2 }); Object.defineProperty(module.exports, "bad", { enumerable: true, get() { throw 1; } });',
      cjs('zlib'),
    );
    const { exports } = await evaluated(
      'import * as all from "zlib"; export const seen = [all.default(), all.class, Object.keys(all)];',
      { modules: [zlib], references: [['"zlib"', 'import']] },
    );
    expect(exports['seen']).toEqual([1, 2, ['class', 'default']]);
  });
});

describe('coexist', () => {
  test('is every entry of the package, and no other file of it', async () => {
    const { exports } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const entries = Object.entries<{ default?: string }>(exports).filter(([name]) => !name.endsWith('.json'));
    const { entryUrl } = lib.host.modules;
    expect(entries.map(([name]) => entryUrl(name.replace('.', 'coexist')))).toEqual(
      entries.map(([, entry]) => new URL(`../../${entry.default}`, import.meta.url).href),
    );
    expect(['coexist/core', 'coexist/cli', 'coexist/../package.json', 'lodash'].map(entryUrl)).toEqual(
      new Array(4).fill(undefined),
    );
  });
});

test('an entry that coexist does not have is refused as one', async () => {
  const error = await failed('require("coexist/core");', cjs());
  expect(error.cause).toMatchObject({ code: 'COEXIST_EREFUSED', found: 'coexist/core' });
  expect(error.message).toContain('expected an entry of the package coexist');
});

describe('coexist/module', () => {
  const bound = { moduleInit: () => 'bound' };

  test('has the functions that know the module, in an ES module', async () => {
    const { exports } = await evaluated(
      'import { moduleInit } from "coexist/module"; export const said = moduleInit();',
      {
        bound,
        references: [['"coexist/module"', 'import']],
      },
    );
    expect(exports['said']).toBe('bound');
  });

  test('and in CommonJS', async () => {
    const { exports } = await evaluated('exports.said = require("coexist/module").moduleInit();', { ...cjs(), bound });
    expect(exports['said']).toBe('bound');
  });

  test('says what is evaluated while it is, in one go for CommonJS', async () => {
    const seen: unknown[] = [];
    const look = { moduleInit: () => seen.push(...state.evaluating.map(({ synchronous }) => synchronous)) };
    await evaluated('require("coexist/module").moduleInit();', { ...cjs(), bound: look });
    await evaluated('import { moduleInit } from "coexist/module"; moduleInit();', {
      bound: look,
      references: [['"coexist/module"', 'import']],
    });
    expect(seen).toEqual([true, false]);
    expect(state.evaluating).toEqual([]);
  });
});

test('CommonJS of a load that was given up does not begin any more', async () => {
  const controller = new AbortController();
  const ran: unknown[] = [];
  const evaluation = evaluated('require("coexist/module").moduleInit("ran");', {
    ...cjs(),
    bound: { moduleInit: (what: unknown) => ran.push(what) },
    signal: controller.signal,
  });
  controller.abort();
  await evaluation;
  expect(ran).toEqual([]);
});

describe('what goes wrong', () => {
  test.each(['mjs', 'cjs'])('a text that is no program is told with its path (.%s)', async (ext) => {
    const folder = aFolder();
    const error = await failed('export const = 3;', { folder, file: `zip.${ext}` });
    expect(error.code).toBe('COEXIST_EFAILED');
    expect(error.message).toContain(
      `module "zip" at ${join(folder, `zip.${ext}`)} failed as it was evaluated: SyntaxError`,
    );
    expect(error.cause).toMatchObject({ name: 'SyntaxError' });
  });

  test.each(['mjs', 'cjs'])('what it throws is the cause (.%s)', async (ext) => {
    const error = await failed('throw Object.assign(new Error("boom"), { mine: true });', { file: `zip.${ext}` });
    expect(error.message).toContain('failed as it was evaluated: Error: boom. ');
    expect(error.cause).toMatchObject({ message: 'boom', mine: true });
    expect(state.evaluating).toEqual([]);
  });

  test('it may throw what is no error', async () => {
    expect((await failed('throw undefined;')).message).toContain('failed as it was evaluated: undefined. ');
  });

  test('a name that a dependency does not export is told without the text of either', async () => {
    const zlib = await evaluated('export const x = 1;', { name: 'zlib' });
    const error = await failed('import { y } from "zlib";', { modules: [zlib], references: [['"zlib"', 'import']] });
    expect(error.message).toContain("SyntaxError: The requested module 'zlib' does not provide an export named 'y'");
    expect(error.message).not.toContain('data:');
    expect((error.cause as Error).stack).not.toContain('data:');
  });

  test.each([
    ['mjs', 'import "lodash";'],
    ['mjs', 'import "./other.js";'],
    ['cjs', 'require("./other.js");'],
  ])('an import that it does not declare (.%s: %s), without the text', async (ext, source) => {
    const folder = aFolder();
    const error = await failed(source, { folder, file: `zip.${ext}` });
    expect(error.code).toBe('COEXIST_EFAILED');
    expect(error.message).not.toContain('data:');
    expect(error.message.length).toBeLessThan(600);
  });

  test('of a manifest, before anything runs, naming both sides', async () => {
    const error = await failed('import "lodash"; globalThis.ran = true;', { references: [['"lodash"', 'import']] });
    expect(error.cause).toMatchObject({ code: 'COEXIST_EREFUSED', found: 'lodash', expected: [] });
    expect(Reflect.get(globalThis, 'ran')).toBeUndefined();
  });

  test('a require() that is not declared, where it may be caught', async () => {
    const { exports } = await evaluated(
      'try { require("lodash"); } catch ({ code, found }) { exports.seen = [code, found]; }',
      cjs(),
    );
    expect(exports['seen']).toEqual(['COEXIST_EREFUSED', 'lodash']);
  });

  test('CommonJS that never ends is ended, and the thread goes on', async () => {
    const error = await failed('for (;;);', { ...cjs(), timeout: 20 });
    expect(error.code).toBe('COEXIST_ETIMEDOUT');
    expect(error.message).toContain('zip.cjs was still evaluating after 20 ms');
    expect(state.evaluating).toEqual([]);
    expect((await evaluated('exports.x = 1;', { ...cjs(), timeout: 10_000 })).exports['x']).toBe(1);
  });
});
