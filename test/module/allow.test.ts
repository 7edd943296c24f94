// A function `allow` that throws: it has not allowed anything, and what it threw is told where a module is asked for.

import { defineInterface, type LoaderOptions, type Outcome, stub } from 'coexist/module';
import { beforeEach, expect, test } from 'vitest';
import { aHost, journal, newJournal, noting, told } from '../support/loaders.js';
import { everything } from '../support/module-state.js';
import type { ModuleSource } from '../support/modules.js';

beforeEach(() => {
  newJournal();
});

const broken = new Error('the policy is not there');
const MODULES: readonly ModuleSource[] = [
  [{ name: 'a', depends: ['b'] }, noting('a')],
  [{ name: 'b', depends: ['c'] }, noting('b')],
  [{ name: 'c', objects: ['o'], interfaces: { 'allow/i': 1 } }, noting('c')],
  [{ name: 'd', targets: ['ui'] }, noting('d')],
  [{ name: 'e' }, noting('e')],
];
/** Throws for c, and for what is not for this host. */
const allow: LoaderOptions['allow'] = (name) => {
  if (name === 'c' || name === 'd') throw broken;
  return true;
};

function expectRefused(outcome: Outcome, chain: readonly string[]): void {
  expect(told(outcome)).toBe('refused not-allowed c');
  expect(outcome).toMatchObject({ chain, error: { code: 'COEXIST_EREFUSED', cause: broken } });
  expect(outcome.message).toContain('`allow` threw "the policy is not there" for module "c", expected true or false');
}

test('the module, and what depends on it, is refused: nothing has run or is left', async () => {
  const host = aHost(MODULES, { allow });
  const before = everything(host);
  expectRefused(await host.loader.load('c'), ['c']);
  expectRefused(await host.loader.load('a'), ['a', 'b', 'c']);
  expectRefused(await host.loader.loadFor({ object: 'o' }), ['c']);
  expect([everything(host), journal()]).toEqual([before, []]);
});

test('loadAll() tells of it, and loads what it can', async () => {
  const { loader } = aHost(MODULES, { allow });
  const outcomes = await loader.loadAll();
  expect(outcomes.map((each) => `${each.name} ${told(each)}`)).toEqual([
    'a refused not-allowed c',
    'b refused not-allowed c',
    'c refused not-allowed c',
    'e loaded',
  ]);
  expectRefused(outcomes[2] as Outcome, ['c']);
  expect(journal()).toEqual(['e']);
});

test('list() has it as one that is not allowed', () => {
  const { loader } = aHost(MODULES, { allow });
  expect(loader.list().map(({ name, allowed }) => `${name} ${allowed}`)).toEqual([
    'a true',
    'b true',
    'c false',
    'd false',
    'e true',
  ]);
});

test('a stub that loads says why the module of its interface is refused, one that throws names it', async () => {
  const { loader } = aHost(MODULES, { allow });
  const functions = { now: stub.throws('not now'), later: stub.load() };
  const table = defineInterface('allow/i', { version: 1, functions });
  expect(() => table.now()).toThrow(
    expect.objectContaining({ code: 'COEXIST_EUNSUPPORTED', expected: 'the module c, loaded' }),
  );
  await expect(table.later()).rejects.toMatchObject({ code: 'COEXIST_EREFUSED', cause: { cause: broken } });
  loader[Symbol.dispose]();
});

test.each([
  ['nothing', undefined],
  ['an object that has no text', Object.create(null)],
])('what it throws may be %s', async (_, value) => {
  const { loader } = aHost(MODULES, {
    allow: () => {
      throw value;
    },
  });
  const outcome = await loader.load('e');
  expect(told(outcome)).toBe('refused not-allowed e');
  expect(outcome).toMatchObject({ error: { found: value } });
});
