// Clause 74: interfaces of a thread: where they are, what they are made of, and that all copies and realms of the thread have the same.

import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { MODULES_KEY } from 'coexist/abi';
import { defineInterface, implement, stub } from 'coexist/module';
import { expect, test } from 'vitest';
import type * as module from '../../src/module.js';
import { copyUrl } from '../support/copies.js';
import { inProcess } from '../support/own-process.js';

interface State {
  readonly calls: readonly unknown[];
  readonly generation: number;
  readonly provider: unknown;
}

interface Interfaces {
  readonly version: number;
  readonly interfaces: Map<
    string,
    { name: string; definition: Record<string, unknown> | undefined; current: State; waiting: unknown }
  >;
}

const anchors = createRequire(import.meta.url)('node:worker_threads') as Record<symbol, unknown>;
const anchored = () => anchors[Symbol.for('coexist.modules.v1')] as Interfaces;
const entryOf = (name: string) => anchored().interfaces.get(name)!;
const copies = await Promise.all(
  (['a', 'b'] as const).map((copy): Promise<typeof module> => import(copyUrl(copy, 'module.js'))),
);
const functions = { open: stub.value('stub'), close: stub.noop() };

test('the anchor is made with the first use, and stays', () => {
  expect(MODULES_KEY).toBe('coexist.modules.v1');
  defineInterface('abi/first', { version: 1, functions });
  const first = anchored();
  expect(Object.getOwnPropertyDescriptor(anchors, Symbol.for(MODULES_KEY))).toMatchObject({ writable: false });
  expect(first.version).toBe(1);
  for (const { defineInterface } of copies) defineInterface('abi/second', { version: 1, functions });
  expect(anchored()).toBe(first);
  expect([...first.interfaces.keys()]).toEqual(['abi/first', 'abi/second']);
});

test('what is defined is there at once; the state in force is the prototype of current', () => {
  const table = defineInterface('abi/shape', { version: 3, functions });
  const entry = entryOf('abi/shape');
  expect(entry).toMatchObject({ name: 'abi/shape', waiting: undefined });
  expect(entry.definition).toEqual({ version: 3, names: ['open', 'close'], stubs: expect.any(Array), table });
  const { current } = entry;
  const states: State[] = [];
  const look = () => {
    states.push(Object.getPrototypeOf(current));
    expect(Object.keys(current)).toEqual([]);
  };
  look();
  table.implement({ open: () => 'real', close: () => undefined });
  look();
  table.withdraw();
  look();
  expect(states.map(({ generation, provider }) => [generation, provider])).toEqual([
    [0, undefined],
    [1, null],
    [2, undefined],
  ]);
  expect(states.every((state) => Object.isFrozen(state) && Object.isFrozen(state.calls))).toBe(true);
  expect(states.map(({ calls }) => calls.length)).toEqual([2, 2, 2]);
  expect(states[2]?.calls).toBe(states[0]?.calls);
  expect(entryOf('abi/shape').current).toBe(current);
});

test('what is implemented first waits there', () => {
  const open = () => 'early';
  const given = { open, close() {} };
  implement('abi/early', { version: 1, functions: given });
  const entry = entryOf('abi/early');
  expect(entry).toMatchObject({ definition: undefined, waiting: { module: null, version: 1 } });
  expect((entry.waiting as { functions: { self: object; all: Map<string, unknown> } }).functions).toMatchObject({
    self: given,
    all: new Map(Object.entries(given)),
  });
  const table = copies[1]!.defineInterface('abi/early', { version: 1, functions });
  expect(table.open()).toBe('early');
  expect(entryOf('abi/early').waiting).toBeUndefined();
});

test('all copies have one table, and stubs of any will do', () => {
  const [a, b] = copies as [typeof module, typeof module];
  expect(a.defineInterface).not.toBe(b.defineInterface);
  const mixed = { open: b.stub.value('of b'), close: stub.noop() };
  const table = a.defineInterface('abi/copies', { version: 1, functions: mixed });
  const { open } = table;
  expect(b.defineInterface('abi/copies', { version: 1, functions })).toBe(table);
  expect(open()).toBe('of b');
  b.implement('abi/copies', { version: 1, functions: { open: () => 'by b', close() {} } });
  expect([open(), table.generation]).toEqual(['by b', 1]);
  expect(() => a.implement('abi/copies', { version: 1, functions: {} })).toThrow('implemented by the program itself');
  a.defineInterface('abi/copies', { version: 1, functions }).withdraw();
  expect([open(), table.generation]).toEqual(['of b', 2]);
  expect(() => b.defineInterface('abi/copies', { version: 2, functions })).toThrow('with version 1; this is version 2');
});

test('another realm’s objects and functions are as good', () => {
  const realm = runInNewContext(
    `({
    definition: { version: 1, functions: { query: stub.value(value), fail: stub.throws() } },
    functions: { query() { return this.answer(); }, fail() { throw new Error('of the realm'); } },
  })`,
    { stub, value: runInNewContext('({ enabled: false })') },
  );
  const table = defineInterface('abi/realm', realm.definition) as unknown as { query(): object; fail(): void } & {
    implement(functions: object): void;
  };
  expect(table.query()).toEqual({ enabled: false });
  Object.defineProperty(realm.functions, 'answer', { value: () => 42 });
  table.implement(realm.functions);
  expect(table.query()).toBe(42);
  expect(() => table.fail()).toThrow('of the realm');
});

test('an anchor that is something else is said, and left', async () => {
  const { result } = await inProcess(async ({ load, urls, threads, failure }) => {
    const key = Symbol.for('coexist.modules.v1');
    const other = { version: 2 };
    Object.defineProperty(threads, key, { value: other });
    const { defineInterface, stub } = await load(urls.a);
    const failed = await failure(() => defineInterface('a', { version: 1, functions: { b: stub.noop() } }));
    return { failed, same: threads[key] === other };
  });
  expect(result).toMatchObject({ failed: { code: 'COEXIST_EANCHOR' }, same: true });
});

test('defining, implementing and calling attach nothing', async () => {
  const { result } = await inProcess(async ({ load, urls, threads }) => {
    const { defineInterface, stub } = await load(urls.b);
    const table = defineInterface('a', { version: 1, functions: { b: stub.value(1) } });
    table.implement({ b: () => 2 });
    const keys = Object.getOwnPropertySymbols(threads).map((symbol) => symbol.description);
    return { answer: table.b(), keys: keys.filter((key) => key?.startsWith('coexist.')) };
  });
  expect(result).toEqual({ answer: 2, keys: ['coexist.modules.v1'] });
});
