// Clause 74: the module state of a thread: where it is, what it has, and that copies share it.

import { readFileSync } from 'node:fs';
import * as workerThreads from 'node:worker_threads';
import { createArea } from 'coexist';
import { createLoader, moduleInit } from 'coexist/module';
import { expect, test } from 'vitest';
import type * as core from '../../src/core.js';
import { copyUrl } from '../support/copies.js';
import { newJournal, noting, told } from '../support/loaders.js';
import { aBuild, writeBuild } from '../support/modules.js';

interface State {
  readonly version: number;
  readonly areas: Map<number, Map<string, Record<string, unknown>>>;
  readonly interfaces: Map<string, unknown>;
  readonly builtin: unknown[];
  readonly evaluating: { readonly number: number; readonly synchronous: boolean }[];
  readonly shims: Map<number, unknown>;
  readonly holds: Map<string, number>;
  readonly next: number;
}

const holder = process.getBuiltinModule('node:worker_threads') as unknown as Record<symbol, State>;
const state = (): State => holder[Symbol.for('coexist.modules.v1')] as State;

/** The first column of the clause's second table. */
function propertiesOfModules(): string[] {
  const clause =
    readFileSync(new URL('../../docs/ABI.md', import.meta.url), 'utf8')
      .split(/^### /m)
      .find((text) => text.startsWith('74. ')) ?? '';
  const rows = (clause.split('A **module** has')[1] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return rows
    .slice(2)
    .flatMap((row) => row.split('|')[1]?.trim().split(', ') ?? [])
    .sort();
}

test('the anchor holds what the clause says, and each load what is its', async () => {
  expect(workerThreads.isMainThread).toBe(true);
  const journal = newJournal();
  const look = 'globalThis.journal.push(JSON.stringify(globalThis.evaluating()));';
  const { dir, manifest } = writeBuild([
    [{ name: 'a', depends: ['b'] }, `import 'b'; ${look}`],
    [{ name: 'b', type: 'commonjs' }, look, 'b.js'],
  ]);
  const area = createArea();
  Object.assign(globalThis, { evaluating: () => state().evaluating });
  moduleInit('unused', () => {});
  const loader = createLoader({ fingerprint: aBuild(), dirs: [dir], manifest, area });
  const first = state().next;
  expect(told(await loader.load('a'))).toBe('loaded');
  expect(journal.map((each) => JSON.parse(each))).toEqual([
    [{ number: first, synchronous: true }],
    [{ number: first + 1, synchronous: false }],
  ]);
  const { version, areas, interfaces, builtin, evaluating, shims, holds, next } = state();
  expect([version, next, evaluating, interfaces.size, builtin.length]).toEqual([1, first + 2, [], 0, 1]);
  const modules = areas.get(area.id);
  expect([...(modules?.keys() ?? [])]).toEqual(['b', 'a']);
  expect(modules?.get('a')).toMatchObject({ name: 'a', fingerprint: aBuild(), number: first + 1, state: 'loaded' });
  expect(Object.keys(modules?.get('a') ?? {}).sort()).toEqual(propertiesOfModules());
  expect(builtin.map((entry) => Object.keys(entry as object))).toEqual([
    ['type', 'scope', 'fn', 'once', 'running', 'done'],
  ]);
  expect([...holds.values()]).toEqual([1, 1]);
  expect(shims.has(first)).toBe(true);
  loader[Symbol.dispose]();
});

test('whichever copy comes first, a module is loaded once, and each area has its own', async () => {
  const journal = newJournal();
  const { dir, manifest } = writeBuild([[{ name: 'm' }, noting('m')]]);
  const [a, b] = (await Promise.all([import(copyUrl('a', 'core.js')), import(copyUrl('b', 'core.js'))])) as [
    typeof core,
    typeof core,
  ];
  const area = a.createArea();
  const [other, memory] = [a.createArea(), area.memory ?? area.buffer];
  const options = { fingerprint: aBuild(), dirs: [dir], manifest };
  const loaders = [
    a.createLoader({ ...options, area }),
    b.createLoader({ ...options, area: b.openArea(memory as never) }),
    a.createLoader({ ...options, area: other }),
  ];
  const outcomes = await Promise.all(loaders.map((loader) => loader.load('m')));
  expect(outcomes.map(told)).toEqual(['loaded', 'loaded', 'loaded']);
  const [first, second, third] = outcomes.map((each) => 'exports' in each && each.exports);
  expect([first === second, first === third]).toEqual([true, false]);
  expect(journal).toEqual(['m', 'm']);
  for (const loader of loaders) loader[Symbol.dispose]();
});
