// A table knows its functions from the type argument, against which each stub is checked, or from its stubs.

import { defineInterface, type InterfaceTable, stub } from 'coexist/module';
import { expect, expectTypeOf, test } from 'vitest';

interface Spice {
  migrate(host: string, port: number): number;
  init(): void;
  display(id: number): { readonly width: number };
  query(): { enabled: boolean };
  open(path: string): Promise<string[]>;
}

test('of an interface', () => {
  const spice = defineInterface<Spice>('types/declared', {
    version: 1,
    functions: {
      migrate: stub.value(-1),
      init: stub.noop(),
      display: stub.throws(),
      query: stub.value({ enabled: false }),
      open: stub.load(),
    },
  });
  expectTypeOf(spice).toEqualTypeOf<InterfaceTable<Spice>>();
  expectTypeOf(spice.migrate).parameters.toEqualTypeOf<[host: string, port: number]>();
  expectTypeOf(spice.open).returns.toEqualTypeOf<Promise<string[]>>();
  expect(spice.migrate('host', 1)).toBe(-1);
  expect(spice.query().enabled).toBe(false);
  const { init } = spice;
  expectTypeOf(init).toEqualTypeOf<() => void>();
  // @ts-expect-error: no number
  expect(spice.migrate('host', '1')).toBe(-1);
  expectTypeOf(spice.generation).toEqualTypeOf<number>();
  expectTypeOf(spice.implement).parameter(0).toHaveProperty('migrate').toEqualTypeOf<Spice['migrate']>();
  // @ts-expect-error: not all functions
  expect(() => spice.implement({ init() {} })).toThrow('lacks migrate');
  spice.implement({
    migrate: (host, port) => host.length + port,
    init() {},
    display: (id) => ({ width: id }),
    query: () => ({ enabled: true }),
    open: async (path) => [path],
  });
  expect(spice.migrate('host', 1)).toBe(5);
});

test('a stub that returns something else than its function is none', () => {
  const functions = { migrate: stub.value(-1), init: stub.noop(), display: stub.throws(), open: stub.load<string[]>() };
  const query = stub.value({ enabled: false });
  defineInterface<Spice>('types/right', { version: 1, functions: { ...functions, query } });
  // @ts-expect-error: a string where a number is returned
  defineInterface<Spice>('types/value', { version: 1, functions: { ...functions, query, migrate: stub.value('') } });
  // @ts-expect-error: nothing where a number is returned
  defineInterface<Spice>('types/noop', { version: 1, functions: { ...functions, query, migrate: stub.noop() } });
  // @ts-expect-error: a promise where a number is returned
  defineInterface<Spice>('types/load', { version: 1, functions: { ...functions, query, migrate: stub.load() } });
  // @ts-expect-error: what is loaded returns something else
  defineInterface<Spice>('types/of', { version: 1, functions: { ...functions, query, open: stub.load<number>() } });
  // @ts-expect-error: a slot without a stub
  const lacking = defineInterface<Spice>('types/lacking', { version: 1, functions });
  expect(lacking.status().functions).toEqual(Object.keys(functions));
});

test('of stubs alone', async () => {
  const table = defineInterface('types/stubs', {
    version: 1,
    functions: {
      migrate: stub.value(-1),
      init: stub.noop(),
      display: stub.throws('no display'),
      query: stub.value({ enabled: false }),
      open: stub.load(),
      read: stub.load<string>(),
    },
  });
  expectTypeOf(table.migrate).toEqualTypeOf<(...args: unknown[]) => number>();
  expectTypeOf(table.init).toEqualTypeOf<(...args: unknown[]) => undefined>();
  expectTypeOf(table.display).toEqualTypeOf<(...args: unknown[]) => never>();
  expectTypeOf(table.query).returns.toEqualTypeOf<{ enabled: boolean }>();
  expectTypeOf(table.open).returns.toEqualTypeOf<Promise<unknown>>();
  expectTypeOf(table.read).returns.toEqualTypeOf<Promise<string>>();
  expect(table.migrate('any', 1, {})).toBe(-1);
  // @ts-expect-error: no such function
  expect(table.close).toBeUndefined();
  const common = { init: () => undefined, display: () => expect.fail(), read: async () => '' };
  const query = () => ({ enabled: true });
  // @ts-expect-error: a string where a number is returned
  table.implement({ ...common, migrate: () => '', query, open: async () => 1 });
  table.withdraw();
  // It may take what it likes: the table does not say.
  table.implement({ ...common, migrate: (a: number, b: number) => a + b, query, open: async () => 1 });
  expect(table.migrate(1, 2)).toBe(3);
});

test('a plain function is no stub', () => {
  // @ts-expect-error: no stub
  expect(() => defineInterface('types/plain', { version: 1, functions: { migrate: () => 1 } })).toThrow('a stub');
  // @ts-expect-error: no version
  expect(() => defineInterface('types/version', { functions: { migrate: stub.noop() } })).toThrow('version');
});
