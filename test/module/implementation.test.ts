// What implements an interface: taken as it was handed over, called on the object that it is of, put in force as a whole. What does not
// match is refused by the names of its functions, and changes nothing.

import { runInNewContext } from 'node:vm';
import { defineInterface, implement, stub } from 'coexist/module';
import { expect, test } from 'vitest';
import { disk, type Functions, fresh, real } from '../support/disks.js';
import { failure } from '../support/failures.js';

const refusal = (functions: object, table = disk(), code = 'COEXIST_EREFUSED') =>
  failure(code, () => table.implement(functions as Functions));

test('that lacks functions, or has others, is refused by their names, and nothing has changed', () => {
  const table = disk();
  const { open, ...lacking } = real();
  expect(refusal(lacking, table).message).toContain('lacks open');
  expect(refusal({ ...real(), seek() {} }, table).message).toContain('has seek, which the interface does not have');
  expect(refusal({ ...real(), size: 7 }, table).message).toContain('has size as no function');
  expect(refusal({ ...real(), [Symbol('extra')]: open }, table).message).toContain('has Symbol(extra)');
  const all = refusal({ size: 7, seek() {} }, table);
  expect(all).toMatchObject({ code: 'COEXIST_EREFUSED', found: ['size', 'seek'], expected: ['open', 'size', 'close'] });
  expect(all.message).toContain('lacks open, close; has size as no function; has seek, which');
  expect(refusal(null as never, table, 'COEXIST_EINVAL').found).toBeNull();
  expect([table.open(''), table.generation]).toEqual(['stub', 0]);
});

test('for another version is refused, naming both', () => {
  const table = disk('test/version');
  const error = failure('COEXIST_EREFUSED', () => implement('test/version', { version: 3, functions: real() }));
  expect(error).toMatchObject({ found: 3, expected: 1 });
  expect(error.message).toContain('is for version 3 of it, expected 1');
  expect(table.generation).toBe(0);
});

test('has functions of its own: inherited ones are none', () => {
  expect(refusal(Object.create(real())).message).toContain('lacks open, size, close');
});

test('is refused where there is one', () => {
  const table = disk('test/two');
  table.implement(real());
  const error = failure('COEXIST_EEXIST', () => table.implement(real('other')));
  expect(error).toMatchObject({ found: null });
  expect(error.message).toContain('"test/two" is implemented by the program itself already');
  expect([table.open('a'), table.generation]).toEqual(['real a', 1]);
});

test('is as it was when it was handed over', () => {
  const table = disk();
  const functions = { ...real() };
  table.implement(functions);
  Object.assign(functions, real('changed'));
  expect(table.open('a')).toBe('real a');
});

test('is called on the object that was handed over', () => {
  class State {
    #opened = 0;
    readonly open = function (this: State, path: string) {
      this.#opened++;
      return path;
    };
    readonly size = function (this: State) {
      return this.#opened;
    };
    readonly close = () => {};
  }
  const table = disk();
  table.implement(new State() as Functions);
  const { open, size } = table;
  open('a');
  Reflect.apply(open, { other: true }, ['b']);
  expect(size()).toBe(2);
});

test('is not asked for anything but its functions', () => {
  const table = disk();
  const open = Object.assign((path: string) => `real ${path}`, {
    bind: () => expect.fail('bind'),
    call: () => expect.fail('call'),
    apply: () => expect.fail('apply'),
  });
  table.implement({ ...real(), open });
  expect(table.open('a')).toBe('real a');
});

test('behind getters is read once', () => {
  const reads: string[] = [];
  const functions = real();
  const lazy = Object.defineProperties(
    {},
    Object.fromEntries(
      Object.entries(functions).map(([name, fn]) => {
        const get = () => {
          reads.push(name);
          return fn;
        };
        return [name, { get, enumerable: true }];
      }),
    ),
  );
  const table = disk();
  table.implement(lazy as Functions);
  expect([table.open('a'), table.size()]).toEqual(['real a', 7]);
  expect(reads).toEqual(['open', 'size', 'close']);
});

test('behind a getter that throws is refused with its error', () => {
  const functions = {
    ...real(),
    get size(): never {
      throw new Error('no functions today');
    },
  };
  const table = disk();
  const error = failure('COEXIST_EREFUSED', () => table.implement(functions));
  expect(error.message).toContain('Error: no functions today');
  expect(table.generation).toBe(0);
});

test('passes on arguments, results, errors and promises as they are', async () => {
  const error = new Error('thrown');
  const table = defineInterface(fresh(), {
    version: 1,
    functions: { all: stub.noop(), fails: stub.noop(), later: stub.load() },
  });
  table.implement({
    all: (...args: unknown[]) => args as never,
    fails: () => {
      throw error;
    },
    later: async (value: unknown) => {
      if (value === error) throw value;
      return value;
    },
  });
  expect(table.all()).toEqual([]);
  const args = [undefined, null, 0, '', {}, [], Symbol('s'), 7n, () => 1];
  expect(table.all(...args)).toEqual(args);
  expect(() => table.fails()).toThrow(error);
  const promise = table.later(5);
  expect(promise).toBeInstanceOf(Promise);
  expect(await promise).toBe(5);
  await expect(table.later(error)).rejects.toBe(error);
});

test('may call the table again, and be replaced while it runs', () => {
  const table = disk();
  const down = real('down');
  const seen: unknown[] = [];
  table.implement({
    ...real(),
    open: (path) => {
      if (path.length > 0) return `${path[0]}${table.open(path.slice(1))}`;
      table.withdraw();
      seen.push(table.open('x'), table.generation);
      table.implement(down);
      seen.push(table.open('x'), table.generation);
      return '.';
    },
  });
  expect(table.open('abc')).toBe('abc.');
  expect(seen).toEqual(['stub', 2, 'down x', 3]);
  expect(table.open('abc')).toBe('down abc');
});

test('is a table: no caller ever finds half of one, wherever a thread is cut', () => {
  const table = disk('test/cut');
  const mixed = () => {
    const [opened, size] = [table.open(''), table.size()];
    return (opened === 'stub') !== (size === -1) ? [opened, size] : undefined;
  };
  let [cuts, switches] = [0, 0];
  const turn = () => {
    table.withdraw();
    table.implement(real());
    switches++;
  };
  for (let k = 0; k < 40; k++) {
    try {
      runInNewContext('for (;;) turn()', { turn }, { timeout: 1 });
    } catch (error) {
      expect((error as { code?: string }).code).toBe('ERR_SCRIPT_EXECUTION_TIMEOUT');
      cuts++;
    }
    expect(mixed()).toBeUndefined();
    const { provider, generation } = table.status();
    expect(table.size()).toBe(provider === null ? 7 : -1);
    // Every switch counts once, done or not.
    expect(generation % 2 === 1).toBe(provider === null);
  }
  expect(cuts).toBe(40);
  expect(switches).toBeGreaterThan(40);
});
