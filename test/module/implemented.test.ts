// Modules that implement interfaces: their functions stand in the slots from the moment in which they are loaded, for callers that took
// the slots before, too; a module that is not loaded after all has put none anywhere.

import { defineInterface, implement, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { failure, rejection } from '../support/failures.js';
import { aHost, newJournal, told } from '../support/loaders.js';
import type { Declared, ModuleSource } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

let count = 0;
const fresh = () => `implemented/disk-${++count}`;
const disk = (name: string) =>
  defineInterface(name, {
    version: 1,
    functions: { open: stub.load<string>(), size: stub.value(-1), eject: stub.throws() },
  });
const BODY = "{ version: 1, functions: { open: async (path) => 'real ' + path, size: () => 7, eject() {} } }";

const module = (name: string, interfaceName: string, body: string, more: Partial<Declared> = {}): ModuleSource => [
  { name, interfaces: { [interfaceName]: 1 }, ...more },
  body,
  more.type === 'commonjs' ? `${name}.cjs` : `${name}.mjs`,
];
const esm = (name: string, each: string) =>
  module(name, each, `import { implement } from 'coexist/module';\nimplement('${each}', ${BODY});`);
const cjs = (name: string, each: string) =>
  module(name, each, `require('coexist/module').implement('${each}', ${BODY});`, { type: 'commonjs' });

test.each([
  ['an ES module', esm],
  ['CommonJS', cjs],
])('%s puts all its functions in the slots, also of who took them before', async (_, source) => {
  const name = fresh();
  const table = disk(name);
  const { size, open } = table;
  const { loader } = aHost([source('disk', name)]);
  expect(size()).toBe(-1);
  expect(told(await loader.load('disk'))).toBe('loaded');
  expect([size(), await open('a')]).toEqual([7, 'real a']);
  expect(table.status()).toMatchObject({ provider: 'disk', generation: 1 });
  const error = failure('COEXIST_EEXIST', () =>
    table.implement({ open: async () => '', size: () => 1, eject: () => expect.fail() }),
  );
  expect(error.message).toContain('by the module "disk"');
});

test('a call loads what implements it', async () => {
  const name = fresh();
  const table = disk(name);
  const { loader } = aHost([esm('disk', name)]);
  const missing = failure('COEXIST_EUNSUPPORTED', () => table.eject());
  expect(missing.expected).toBe('the module disk, loaded');
  expect(await Promise.all([table.open('a'), table.open('b')])).toEqual(['real a', 'real b']);
  expect(loader.list().map(({ state }) => state)).toEqual(['loaded']);
  expect(table.size()).toBe(7);
});

test('a call whose module is refused says why, and its interface stays as it is', async () => {
  const name = fresh();
  const table = disk(name);
  aHost([
    module(
      'disk',
      name,
      `import { implement } from 'coexist/module';\nimplement('${name}', { version: 1, functions: { size: () => 7 } });`,
    ),
  ]);
  const error = await rejection('COEXIST_EREFUSED', table.open('a'));
  expect(error.message).toContain('lacks open, eject');
  expect([table.size(), table.generation]).toEqual([-1, 0]);
});

test('a module that throws has implemented nothing', async () => {
  const name = fresh();
  const table = disk(name);
  const { loader } = aHost([
    module(
      'disk',
      name,
      `import { implement } from 'coexist/module';\nimplement('${name}', ${BODY});\nthrow new Error('no');`,
    ),
  ]);
  expect(told(await loader.load('disk'))).toBe('failed COEXIST_EFAILED disk');
  expect([table.size(), table.generation]).toEqual([-1, 0]);
  implement(name, { version: 1, functions: { open: async () => '', size: () => 8, eject() {} } });
  expect(table.size()).toBe(8);
});

test('what a module implements waits for the definition', async () => {
  const name = fresh();
  const { loader } = aHost([esm('disk', name)]);
  expect(told(await loader.load('disk'))).toBe('loaded');
  const table = disk(name);
  expect([table.size(), table.status().provider, table.generation]).toEqual([7, 'disk', 1]);
});

test('a module may define what it implements; its table is the module’s to implement', async () => {
  const name = fresh();
  const body = `import { defineInterface, stub } from 'coexist/module';
    export const table = defineInterface('${name}', { version: 1, functions: { size: stub.value(-1) } });
    export const before = [table.size(), table.status().provider];
    table.implement({ size: () => 7 });
    export const during = table.size();`;
  const { loader } = aHost([module('disk', name, body)]);
  const outcome = await loader.load('disk');
  expect(outcome).toMatchObject({ outcome: 'loaded', exports: { before: [-1, undefined], during: -1 } });
  const table = defineInterface(name, { version: 1, functions: { size: stub.value(-2) } });
  expect([table.size(), table.status().provider]).toEqual([7, 'disk']);
});

test('what a copy of its own declares is a CommonJS module’s; of an ES module nobody can tell', async () => {
  const [name, other] = [fresh(), fresh()];
  const [table, untold] = [disk(name), disk(other)];
  const place = globalThis as { implement?: typeof implement };
  place.implement = implement;
  try {
    const { loader } = aHost([
      module('disk', name, `globalThis.implement('${name}', ${BODY});`, { type: 'commonjs' }),
      module('tape', other, `globalThis.implement('${other}', ${BODY});`),
    ]);
    expect(told(await loader.load('disk'))).toBe('loaded');
    expect(table.status().provider).toBe('disk');
    const outcome = await loader.load('tape');
    expect(outcome).toMatchObject({ outcome: 'failed', error: { cause: { code: 'COEXIST_EREFUSED' } } });
    expect([untold.size(), untold.generation]).toEqual([-1, 0]);
  } finally {
    delete place.implement;
  }
});

test('a module that is discarded in one area leaves the interface to the same module of another area', async () => {
  const name = fresh();
  const table = disk(name);
  const body = `import { implement, moduleInit } from 'coexist/module';
    moduleInit('late', () => { if (globalThis.journal.length === 0) throw new Error('not today'); });
    implement('${name}', ${BODY});`;
  const first = aHost([module('disk', name, body)]);
  const second = aHost([module('disk', name, body)]);
  expect(told(await first.loader.load('disk'))).toBe('loaded');
  table.withdraw();
  expect(told(await second.loader.load('disk'))).toBe('loaded');
  expect((await first.loader.callInit('late')).failures.map((each) => each.module)).toEqual(['disk']);
  expect([first.loader.list()[0]?.state, second.loader.list()[0]?.state]).toEqual(['unloaded', 'loaded']);
  expect([table.size(), table.status().provider]).toEqual([7, 'disk']);
});
