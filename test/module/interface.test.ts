// A table of functions that always answers: stubs, then an implementation in the place of all of them at once, then stubs again;
// references to slots reach what is in force when they are called. Whatever is refused changes nothing, and is named.

import { defineInterface, implement, stub } from 'coexist/module';
import { describe, expect, test } from 'vitest';
import { type Disk, disk, fresh, real, stubs } from '../support/disks.js';
import { failure } from '../support/failures.js';

describe('a table', () => {
  test('has nothing but its functions as enumerable properties, and does not change', () => {
    const table = disk();
    expect(Object.entries(table).map(([name, fn]) => [name, fn.name])).toEqual([
      ['open', 'open'],
      ['size', 'size'],
      ['close', 'close'],
    ]);
    expect(Object.isFrozen(table)).toBe(true);
    expect(Object.keys({ ...table })).toEqual(['open', 'size', 'close']);
    const inherited: string[] = [];
    for (const name in table) inherited.push(name);
    expect(inherited).toEqual(['open', 'size', 'close']);
  });

  test('answers before, while and after it is implemented, through references taken before, too', () => {
    const table = disk('test/spoken-of');
    const { open, size } = table;
    const held = table.open;
    expect([open('a'), size(), held('b'), table.close()]).toEqual(['stub', -1, 'stub', undefined]);
    table.implement(real());
    expect([open('a'), size(), held('b')]).toEqual(['real a', 7, 'real b']);
    expect(table.open).toBe(open);
    table.withdraw();
    expect([open('a'), size(), held('b')]).toEqual(['stub', -1, 'stub']);
    table.implement(real('second'));
    expect(held('c')).toBe('second c');
  });

  test('tells its generation and who implements it, as data', () => {
    const table = disk('test/told');
    const status = { name: 'test/told', version: 1, functions: ['open', 'size', 'close'] };
    expect(table.status()).toEqual({ ...status, generation: 0, provider: undefined });
    table.implement(real());
    expect(table.status()).toEqual({ ...status, generation: 1, provider: null });
    expect(table.generation).toBe(1);
    table.withdraw();
    expect(table.status()).toEqual({ ...status, generation: 2, provider: undefined });
    table.withdraw();
    expect(table.generation).toBe(2);
    expect(JSON.parse(JSON.stringify(table.status()))).toEqual({ ...status, generation: 2 });
  });

  test('is the same for everybody who defines it again', () => {
    const table = disk('test/again');
    table.implement(real());
    const other = { close: stub.throws(), size: stub.value(99), open: stub.value('other') };
    const again = defineInterface<Disk>('test/again', { version: 1, functions: other });
    expect(again).toBe(table);
    again.withdraw();
    expect(table.size()).toBe(-1);
  });

  test('defined otherwise is refused, and named on both sides', () => {
    const table = disk('test/otherwise');
    const version = failure('COEXIST_EKIND', () => defineInterface('test/otherwise', { version: 2, functions: stubs }));
    expect(version).toMatchObject({ found: 1, expected: 2 });
    expect(version.message).toContain(
      '"test/otherwise" is defined in this thread already, with version 1; this is version 2',
    );
    const { close, ...fewer } = stubs;
    const functions = { ...fewer, seek: close };
    const names = failure('COEXIST_EKIND', () => defineInterface('test/otherwise', { version: 1, functions }));
    expect(names).toMatchObject({ found: ['open', 'size', 'close'] });
    expect(names.message).toContain('this lacks close; it does not have seek');
    expect(table.status().generation).toBe(0);
  });
});

describe('names', () => {
  test.each(['implement', 'withdraw', 'status', 'generation', 'then'])('%s is no slot', (name) => {
    const error = failure('COEXIST_EINVAL', () =>
      defineInterface(fresh(), { version: 1, functions: { [name]: stub.noop() } }),
    );
    expect(error).toMatchObject({ found: name });
    expect(error.message).toContain(name);
  });

  test.each(['toString', '__proto__', 'constructor', 'hasOwnProperty', '0', 'with space', ''])('%j is one', (name) => {
    const functions = Object.fromEntries([[name, stub.value(1)]]);
    const table = defineInterface(fresh(), { version: 1, functions });
    const slot = Object.getOwnPropertyDescriptor(table, name)?.value;
    expect(slot()).toBe(1);
    const lacking = failure('COEXIST_EREFUSED', () => table.implement({}));
    expect(lacking).toMatchObject({ found: [], expected: [name] });
    table.implement(Object.fromEntries([[name, () => 2]]));
    expect(slot()).toBe(2);
    expect(table.status().functions).toEqual([name]);
  });

  test.each(['', ' a', '-a', 'a b', 'a\0', `a${'b'.repeat(64)}`, 'ä', 5, undefined])(
    '%j names no interface',
    (name) => {
      failure('COEXIST_EINVAL', () => disk((name ?? null) as never));
      failure('COEXIST_EINVAL', () => implement(name as string, { version: 1, functions: {} }));
    },
  );

  test.each([0, 65536, 1.5, -1, '1', undefined])('%j is no version', (version) => {
    const wrong = { version: version as number, functions: stubs };
    failure('COEXIST_EINVAL', () => defineInterface(fresh(), wrong));
    failure('COEXIST_EINVAL', () => implement(fresh(), wrong));
  });

  test.each([undefined, null, {}, { open: 1 }, { open: () => 1 }, { [Symbol('open')]: stub.noop() }])(
    'an interface has stubs under names: %o',
    (functions) => {
      failure('COEXIST_EINVAL', () => defineInterface(fresh(), { version: 1, functions: functions as never }));
    },
  );
});

describe('by name', () => {
  test('implements an interface that is defined already', () => {
    const table = disk('test/by-name');
    implement('test/by-name', { version: 1, functions: real() });
    expect(table.open('a')).toBe('real a');
  });

  test('waits for the definition', () => {
    const functions = real();
    implement('test/early', { version: 1, functions });
    Object.assign(functions, real('changed'));
    failure('COEXIST_EEXIST', () => implement('test/early', { version: 1, functions }));
    const table = disk('test/early');
    expect([table.open('a'), table.generation, table.status().provider]).toEqual(['real a', 1, null]);
    expect(disk('test/early').generation).toBe(1);
    table.withdraw();
    expect(disk('test/early').open('a')).toBe('stub');
  });

  test('what waits and does not match is the definition’s error, and goes on waiting', () => {
    const { size, ...lacking } = real();
    implement('test/misfit', { version: 1, functions: { ...lacking, seek: size } });
    const error = failure('COEXIST_EKIND', () => disk('test/misfit'));
    expect(error.message).toContain(
      'what the program implements the interface "test/misfit" with lacks size; has seek, which',
    );
    expect(error).toMatchObject({ found: ['open', 'close', 'seek'], expected: ['open', 'size', 'close'] });
    const version = failure('COEXIST_EKIND', () => defineInterface('test/misfit', { version: 4, functions: stubs }));
    expect(version).toMatchObject({ found: 1, expected: 4 });
    const functions = { open: stub.noop(), close: stub.noop(), seek: stub.noop() };
    const table = defineInterface('test/misfit', { version: 1, functions });
    expect(table.seek()).toBe(7);
  });

  test('is refused without functions under names, before there is a definition', () => {
    const error = failure('COEXIST_EREFUSED', () =>
      implement('test/early-refused', { version: 1, functions: { open: 1 } }),
    );
    expect(error).toMatchObject({ found: ['open'] });
    expect(disk('test/early-refused').generation).toBe(0);
  });
});
